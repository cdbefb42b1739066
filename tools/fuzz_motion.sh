#!/bin/sh
# Fuzzes warp, coding and search of motion under the address and undefined-behaviour sanitizers:
# tools/fuzz_motion.sh [seconds [seed]]
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CXX:-g++}" -std=c++17 -O1 -g -Wall -Wextra -Icuda_ext -pthread \
  -fsanitize=address,undefined -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS tools/fuzz_motion.cpp \
  cuda_ext/warp.cpp cuda_ext/motion_code.cpp cuda_ext/motion_context.cpp cuda_ext/motion_pyramid.cpp \
  cuda_ext/motion_search.cpp cuda_ext/chain.cpp cuda_ext/coder_tables.cpp cuda_ext/lanes.cpp cuda_ext/rans.cpp -o "$out/fuzz_motion"
"$out/fuzz_motion" "${1:-10}" "${2:-1}"
