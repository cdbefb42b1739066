// The 32 lanes that the warp coder is written for, in two kinds with the same functions: arrays in lock step (HostWarp)
// and the threads of a CUDA warp (DeviceWarp). On the device a Vec<T> is a T. Control flow depends on uniform values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

// Functions that run in lanes, and loops to unroll, so that arrays live in registers and loads overlap.
#ifdef __CUDACC__
#define NVCODEC_LANES __device__ __forceinline__
#define NVCODEC_UNROLLED _Pragma("unroll")
#define NVCODEC_UNROLLED_4 _Pragma("unroll 4")
#else
#define NVCODEC_LANES inline
#define NVCODEC_UNROLLED
#define NVCODEC_UNROLLED_4
#endif

namespace nvcodec::warp_coder {

constexpr std::uint32_t kLanes = 32;

// A parameter whose type follows from others.
template <typename T>
struct SameAs {
  using Type = T;
};
template <typename T>
using Same = typename SameAs<T>::Type;

template <typename T>
struct Lanes {
  T at[kLanes];

  Lanes() = default;
  Lanes(T value) {
    for (T& item : at) item = value;
  }
  template <typename U, typename = std::enable_if_t<!std::is_same_v<T, U>>>
  Lanes(const Lanes<U>& other) {
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) at[lane] = static_cast<T>(other.at[lane]);
  }
};

#define NVCODEC_LANE_OPERATOR(op)                                                                              \
  template <typename A, typename B>                                                                            \
  inline auto operator op(const Lanes<A>& a, const Lanes<B>& b) {                                              \
    using Result = decltype(A{} op B{});                                                                       \
    Lanes<Result> result;                                                                                      \
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) result.at[lane] = static_cast<Result>(a.at[lane] op b.at[lane]); \
    return result;                                                                                             \
  }                                                                                                            \
  template <typename A, typename B, typename = std::enable_if_t<std::is_arithmetic_v<B>>>                      \
  inline auto operator op(const Lanes<A>& a, B b) {                                                            \
    return a op Lanes<B>(b);                                                                                   \
  }                                                                                                            \
  template <typename A, typename B, typename = std::enable_if_t<std::is_arithmetic_v<A>>>                      \
  inline auto operator op(A a, const Lanes<B>& b) {                                                            \
    return Lanes<A>(a) op b;                                                                                   \
  }
NVCODEC_LANE_OPERATOR(+)
NVCODEC_LANE_OPERATOR(-)
NVCODEC_LANE_OPERATOR(*)
NVCODEC_LANE_OPERATOR(&)
NVCODEC_LANE_OPERATOR(|)
NVCODEC_LANE_OPERATOR(^)
NVCODEC_LANE_OPERATOR(<<)
NVCODEC_LANE_OPERATOR(>>)
NVCODEC_LANE_OPERATOR(<)
NVCODEC_LANE_OPERATOR(>)
NVCODEC_LANE_OPERATOR(>=)
NVCODEC_LANE_OPERATOR(==)
NVCODEC_LANE_OPERATOR(!=)
#undef NVCODEC_LANE_OPERATOR

struct HostWarp {
  template <typename T>
  using Vec = Lanes<T>;
  using U32 = Vec<std::uint32_t>;
  using Bool = Vec<bool>;

  static U32 lane() {
    return map<std::uint32_t>([](std::uint32_t lane) { return lane; });
  }
  template <typename T, typename U>
  static Vec<T> cast(const Vec<U>& value) {
    return map<T>([&](std::uint32_t lane) { return static_cast<T>(value.at[lane]); });
  }
  template <typename T>
  static Vec<T> select(const Bool& which, const Vec<T>& yes, const Same<Vec<T>>& no) {
    return map<T>([&](std::uint32_t lane) { return which.at[lane] ? yes.at[lane] : no.at[lane]; });
  }
  template <typename T>
  static Vec<T> max(const Vec<T>& a, const Same<Vec<T>>& b) {
    return select(a > b, a, b);
  }
  template <typename T>
  static Vec<T> min(const Vec<T>& a, const Same<Vec<T>>& b) {
    return select(a < b, a, b);
  }

  static std::uint32_t ballot(const Bool& which) {
    std::uint32_t mask = 0;
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) mask |= static_cast<std::uint32_t>(which.at[lane]) << lane;
    return mask;
  }
  static bool any(const Bool& which) { return ballot(which) != 0; }
  static std::uint32_t count(std::uint32_t mask) { return static_cast<std::uint32_t>(__builtin_popcount(mask)); }
  static std::uint32_t lowest(std::uint32_t mask) { return static_cast<std::uint32_t>(__builtin_ctz(mask)); }
  static U32 count_below(std::uint32_t mask) {
    return map<std::uint32_t>([&](std::uint32_t lane) { return count(mask & ((1u << lane) - 1u)); });
  }
  static U32 floor_log2(const U32& value) {
    return map<std::uint32_t>([&](std::uint32_t lane) { return 31u - static_cast<std::uint32_t>(__builtin_clz(value.at[lane])); });
  }
  static U32 shuffle(const U32& value, const U32& from) {
    return map<std::uint32_t>([&](std::uint32_t lane) { return value.at[from.at[lane] & 31u]; });
  }
  static std::uint32_t of_lane(const U32& value, std::uint32_t lane) { return value.at[lane]; }
  // Sums over the lanes up to and with each.
  static U32 running_sum(U32 value) {
    for (std::uint32_t lane = 1; lane < kLanes; ++lane) value.at[lane] += value.at[lane - 1];
    return value;
  }
  // The 32 bits of high:low from bit `shift` & 31 on.
  static U32 funnel(const U32& low, const U32& high, const U32& shift) {
    return map<std::uint32_t>([&](std::uint32_t lane) {
      const std::uint64_t both = static_cast<std::uint64_t>(high.at[lane]) << 32 | low.at[lane];
      return static_cast<std::uint32_t>(both >> (shift.at[lane] & 31u));
    });
  }
  // value / divisor or one off to either side, for quotients below 2^18.
  static U32 quotient_near(const U32& value, const U32& divisor) {
    return map<std::uint32_t>([&](std::uint32_t lane) {
      return static_cast<std::uint32_t>(static_cast<float>(value.at[lane]) * (1.0f / static_cast<float>(divisor.at[lane])));
    });
  }

  template <typename T>
  static Vec<T> load(const T* from, const U32& index, const Bool& which) {
    return map<T>([&](std::uint32_t lane) { return which.at[lane] ? from[index.at[lane]] : T{0}; });
  }
  // What another kernel wrote and this one changes.
  template <typename T>
  static Vec<T> load_own(const T* from, const U32& index, const Bool& which) {
    return load(from, index, which);
  }
  template <typename T>
  static Vec<T> table(const T* from, const U32& index, const Bool& which) {
    return load(from, index, which);
  }
  template <typename T>
  static void store(T* to, const U32& index, const Same<Vec<T>>& value, const Bool& which) {
    for (std::uint32_t lane = 0; lane < kLanes; ++lane)
      if (which.at[lane]) to[index.at[lane]] = value.at[lane];
  }
  template <typename T>
  static void store_one(T* to, T value) {
    *to = value;
  }
  static void or_into(std::uint32_t* to, const Vec<std::uint64_t>& index, const U32& value, const Bool& which) {
    for (std::uint32_t lane = 0; lane < kLanes; ++lane)
      if (which.at[lane]) to[index.at[lane]] |= value.at[lane];
  }
  static void add_to(std::uint64_t* sum, std::uint64_t value) { *sum += value; }
  static void lower(std::uint32_t* least, std::uint32_t value) { *least = value < *least ? value : *least; }
  static void raise(std::uint32_t* most, std::uint32_t value) { *most = value > *most ? value : *most; }

 private:
  template <typename T, typename Function>
  static Vec<T> map(const Function& function) {
    Vec<T> result;
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) result.at[lane] = function(lane);
    return result;
  }
};

}  // namespace nvcodec::warp_coder
