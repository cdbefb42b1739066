#include "simd.hpp"

#include <stdexcept>

namespace nvcodec {
namespace {

std::vector<const Kernels*> usable() {
  std::vector<const Kernels*> all{&kScalarKernels};
#ifdef NVCODEC_X86
  // These ask for the operating system's support of the registers, too.
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                    __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt");
  if (avx2) all.push_back(&kAvx2Kernels);
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2"))
    all.push_back(&kAvx512Kernels);
#endif
  return all;
}

}  // namespace

std::vector<std::string> simd_names() {
  std::vector<std::string> names;
  for (const Kernels* kernels : usable()) names.emplace_back(kernels->name);
  return names;
}

const Kernels& kernels_of(const std::string& name) {
  static const std::vector<const Kernels*> all = usable();
  if (name.empty() || name == "auto") return *all.back();
  std::string known;
  for (const Kernels* kernels : all) {
    if (name == kernels->name) return *kernels;
    known += std::string(known.empty() ? "" : ", ") + kernels->name;
  }
  throw std::invalid_argument("no instruction set '" + name + "' for the coder here; there are: auto, " + known);
}

}  // namespace nvcodec
