#!/bin/sh
# Fuzzes the native coder under the address, leak and undefined-behaviour sanitizers:
#
#     tools/fuzz_coder.sh [SECONDS [SEED]]           with libFuzzer if clang is here, else with tools/fuzz_main.cpp
#     tools/fuzz_coder.sh vectors [SECONDS [SEED]]   first the vectors, every flip of one bit and every prefix of them
#
# CXX is the compiler, PYTHON has numpy, JOBS compile side by side, CORPUS (a folder) is kept and grows. What fails is
# left in out/finding*, what libFuzzer says in out/fuzz.log. Exit code 77: no compiler with sanitizers is here, and
# nothing was run.
set -eu
vectors=
corpus=
if [ -n "${CORPUS:-}" ]; then mkdir -p "$CORPUS"; corpus=$(cd "$CORPUS" && pwd); fi
cd "$(dirname "$0")/.."
if [ "${1:-}" = vectors ]; then vectors=1; shift; fi
seconds=${1:-$([ -n "$vectors" ] && echo 0 || echo 10)}
seed=${2:-1}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=c++17 -O1 -g -Wall -Wextra -Icuda_ext -I$out -pthread -D_GLIBCXX_ASSERTIONS"
flags="$flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"

# A program that the compiler can build, and that then runs, with these flags.
works() {
  echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' > "$out/try.cpp"
  case " $* " in *fuzzer*) ;; *) echo 'int main() {}' >> "$out/try.cpp" ;; esac
  "$@" "$out/try.cpp" -o "$out/try" > /dev/null 2>&1 && "$out/try" -runs=1 > /dev/null 2>&1
}

link= cover=
for cxx in ${CXX:-clang++ g++ c++} none; do
  if [ "$cxx" = none ]; then
    echo "skipped: no compiler here builds and runs with -fsanitize=address,undefined" >&2
    exit 77
  elif works "$cxx" $flags -fsanitize=fuzzer; then
    # Comparisons are left out: tracing them takes half of the time, and the formats have no magic numbers to guess.
    link=-fsanitize=fuzzer cover="-fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp"
    break
  elif works "$cxx" $flags; then
    break
  fi
done

"${PYTHON:-python3}" tools/coder_corpus.py "$out"
files="tools/coder_fuzzer.cpp tools/coder_case.cpp tools/failing_new.cpp tools/fuzz_main.cpp"
for name in chain coder_tables kernel_scalar lanes rans segment simd; do files="$files cuda_ext/$name.cpp"; done
case $(uname -m) in
  x86_64 | amd64) files="cuda_ext/kernel_avx512.cpp cuda_ext/kernel_avx2.cpp $files" flags="$flags -DNVCODEC_X86" ;;
esac
export cxx flags cover out
echo "$files" | tr ' ' '\n' | xargs -n 1 -P "${JOBS:-2}" sh -c '
  avx2="-mavx2 -mbmi -mbmi2 -mfma -mpopcnt"
  case $1 in cuda_ext/*) flags="$flags $cover" ;; esac
  case $1 in
    *avx2*) flags="$flags $avx2" ;;
    *avx512*) flags="$flags $avx2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi -mavx512vbmi2 -w" ;;
  esac
  "$cxx" $flags -c "$1" -o "$out/$(basename "$1" .cpp).o"' compile
"$cxx" $flags $cover "$out"/*.o -o "$out/fuzz_main"
rm "$out/fuzz_main.o"

mkdir -p out && cd out
export ASAN_OPTIONS="${ASAN_OPTIONS:-handle_abort=1:allocator_may_return_null=1}"
[ -z "$vectors" ] || "$out/fuzz_main" damage "$out/vectors"
[ "$seconds" -gt 0 ] || exit 0
if [ -n "$link" ]; then
  "$cxx" $flags $link "$out"/*.o -o "$out/coder_fuzzer"
  grown=${corpus:-$out/grown}
  mkdir -p "$grown"
  # A finding must not end in libFuzzer's own code for one, which is 77. In an hour the sanitizer's own books of freed
  # memory grow over 2 GiB, while what lives stays at some 30 MB: only a single large allocation is a finding.
  "$out/coder_fuzzer" -max_total_time="$seconds" -seed="$seed" -max_len=8192 -timeout=60 -error_exitcode=1 \
    -rss_limit_mb=12288 -malloc_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix=finding- "$grown" "$out/vectors" "$out/seeds" > fuzz.log 2>&1 ||
    { tail -n 60 fuzz.log; exit 1; }
  grep -E 'DONE|^stat::' fuzz.log
else
  "$out/fuzz_main" fuzz "$seconds" "$seed" "$out/vectors" "$out/seeds"
fi
