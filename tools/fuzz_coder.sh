#!/bin/sh
# Fuzzes the native coder under the address and undefined-behaviour sanitizers: tools/fuzz_coder.sh [seconds [seed]]
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CXX:-g++}" -std=c++17 -O1 -g -Wall -Wextra -Icuda_ext \
  -fsanitize=address,undefined -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS \
  tools/fuzz_coder.cpp cuda_ext/chain.cpp cuda_ext/coder_tables.cpp cuda_ext/rans.cpp cuda_ext/segment.cpp -o "$out/fuzz_coder"
"$out/fuzz_coder" "${1:-10}" "${2:-1}"
