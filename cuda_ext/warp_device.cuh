// Lanes that are the threads of a CUDA warp; see warp_lanes.hpp for what the functions do.
#pragma once

#include <cstdint>

#include "warp_lanes.hpp"

namespace nvcodec::warp_coder {

constexpr std::uint32_t kAll = 0xFFFFFFFFu;

// kShared: tables come from the block's shared memory instead of the pointer that is given.
template <bool kShared>
struct DeviceWarp {
  template <typename T>
  using Vec = T;
  using U32 = std::uint32_t;
  using Bool = bool;

  static __device__ __forceinline__ U32 lane() {
    U32 lane;
    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    return lane;
  }
  template <typename T, typename U>
  static __device__ __forceinline__ T cast(U value) {
    return static_cast<T>(value);
  }
  template <typename T>
  static __device__ __forceinline__ T select(bool which, T yes, Same<T> no) {
    return which ? yes : no;
  }
  template <typename T>
  static __device__ __forceinline__ T max(T a, Same<T> b) {
    return a > b ? a : b;
  }
  template <typename T>
  static __device__ __forceinline__ T min(T a, Same<T> b) {
    return a < b ? a : b;
  }

  static __device__ __forceinline__ U32 ballot(bool which) { return __ballot_sync(kAll, which); }
  static __device__ __forceinline__ bool any(bool which) { return __any_sync(kAll, which) != 0; }
  static __device__ __forceinline__ U32 count(U32 mask) { return static_cast<U32>(__popc(mask)); }
  static __device__ __forceinline__ U32 lowest(U32 mask) { return static_cast<U32>(__ffs(static_cast<int>(mask)) - 1); }
  static __device__ __forceinline__ U32 count_below(U32 mask) {
    U32 below;
    asm("mov.u32 %0, %%lanemask_lt;" : "=r"(below));
    return count(mask & below);
  }
  static __device__ __forceinline__ U32 floor_log2(U32 value) { return 31u - static_cast<U32>(__clz(static_cast<int>(value))); }
  static __device__ __forceinline__ U32 shuffle(U32 value, U32 from) { return __shfl_sync(kAll, value, static_cast<int>(from)); }
  static __device__ __forceinline__ U32 of_lane(U32 value, U32 lane) { return shuffle(value, lane); }
  // The shuffle tells itself which lanes have one so far below them.
  static __device__ __forceinline__ U32 running_sum(U32 value) {
#pragma unroll
    for (U32 step = 1; step < kLanes; step *= 2)
      asm volatile(
          "{ .reg .u32 below; .reg .pred is_there; shfl.sync.up.b32 below|is_there, %0, %1, 0, 0xFFFFFFFF;"
          " @is_there add.u32 %0, %0, below; }"
          : "+r"(value)
          : "r"(step));
    return value;
  }
  static __device__ __forceinline__ U32 funnel(U32 low, U32 high, U32 shift) { return __funnelshift_r(low, high, shift); }
  static __device__ __forceinline__ U32 quotient_near(U32 value, U32 divisor) {
    return __float2uint_rz(__uint2float_rn(value) * __fdividef(1.0f, __uint2float_rn(divisor)));
  }

  // Memory that no kernel writes while this one runs.
  template <typename T>
  static __device__ __forceinline__ T load(const T* from, U32 index, bool which) {
    return which ? __ldg(from + index) : T{0};
  }
  template <typename T>
  static __device__ __forceinline__ T load_own(const T* from, U32 index, bool which) {
    return which ? from[index] : T{0};
  }
  template <typename T>
  static __device__ __forceinline__ T table(const T* from, U32 index, bool which) {
    if constexpr (kShared) {
      extern __shared__ __align__(16) unsigned char staged[];
      return which ? reinterpret_cast<const T*>(staged)[index] : T{0};
    } else {
      return load(from, index, which);
    }
  }
  template <typename T>
  static __device__ __forceinline__ void store(T* to, U32 index, Same<T> value, bool which) {
    if (which) to[index] = value;
  }
  template <typename T>
  static __device__ __forceinline__ void store_one(T* to, T value) {
    if (lane() == 0) *to = value;
  }
  static __device__ __forceinline__ void or_into(U32* to, std::uint64_t index, U32 value, bool which) {
    if (which) atomicOr(to + index, value);
  }
  static __device__ __forceinline__ void add_to(std::uint64_t* sum, std::uint64_t value) {
    if (lane() == 0) atomicAdd(reinterpret_cast<unsigned long long*>(sum), static_cast<unsigned long long>(value));
  }
  // Most calls change nothing; a look is cheaper than an atomic operation at a place that all warps share.
  static __device__ __forceinline__ void lower(U32* least, U32 value) {
    if (lane() == 0 && value < __ldcg(least)) atomicMin(least, value);
  }
  static __device__ __forceinline__ void raise(U32* most, U32 value) {
    if (lane() == 0 && value > __ldcg(most)) atomicMax(most, value);
  }
};

}  // namespace nvcodec::warp_coder
