// The warp coder on a CUDA device. Pointers to values and indices are device pointers; nothing here needs CUDA headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "warp_tables.hpp"

namespace nvcodec {

// Where work runs.
struct CudaPlace {
  int device;
  std::uintptr_t stream;  // a cudaStream_t, 0 for the default one
};

// Symbols on the device: int16 or int32 values, u8 or u16 table indices.
struct CudaSymbols {
  std::uintptr_t values, indices;
  std::uint64_t count;
  unsigned value_bytes, index_bytes;
};

// A family's tables on one device.
class CudaTables {
 public:
  CudaTables(const warp_coder::WarpTables& tables, int device);
  ~CudaTables();
  CudaTables(const CudaTables&) = delete;
  CudaTables& operator=(const CudaTables&) = delete;

  struct Arrays;
  const Arrays& arrays() const noexcept { return *arrays_; }

 private:
  std::unique_ptr<Arrays> arrays_;
};

// As warp_coder::encode_segment and decode_segment. `kernel_us`, if not null, takes each kernel's time, for benchmarks.
// They throw std::runtime_error for what CUDA reports.
std::vector<std::uint8_t> cuda_encode_segment(const CudaPlace& place, const CudaTables& tables, const CudaSymbols& symbols,
                                              std::uint64_t chunk_symbols, std::vector<float>* kernel_us);
bool cuda_decode_segment(const CudaPlace& place, const CudaTables& tables, const std::uint8_t* data, std::size_t size,
                         const CudaSymbols& symbols, std::vector<float>* kernel_us);

}  // namespace nvcodec
