// A CUDA device as warp_segment.hpp wants it: memory and work in the order of one stream.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "warp_device.cuh"

namespace nvcodec::warp_coder {

constexpr unsigned kWarpsOfBlock = 8;
constexpr unsigned kBlocksOfMultiprocessor = 3;  // that registers must be left for; 60 KiB of tables allow as many
constexpr std::size_t kMostStaged = 80 * 1024;        // bytes of tables that are worth a block's shared memory
constexpr std::uint64_t kKeptMemory = 256ull << 20;  // bytes that the pool does not give back between calls

inline void check_cuda(cudaError_t status) {
  if (status == cudaSuccess) return;
  cudaGetLastError();
  throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(status));
}

// Warps take chunks in turn, blocks first, so that few chunks spread over all multiprocessors.
template <typename Task, bool kShared>
__global__ void __launch_bounds__(32 * kWarpsOfBlock, kBlocksOfMultiprocessor)
    run_task(const __grid_constant__ Task task, std::uint64_t warps, const void* staged_from, std::uint32_t staged_bytes) {
  if constexpr (kShared) {
    extern __shared__ __align__(16) unsigned char staged[];
    for (std::uint32_t i = threadIdx.x; i < staged_bytes / 16; i += blockDim.x)
      reinterpret_cast<uint4*>(staged)[i] = __ldg(static_cast<const uint4*>(staged_from) + i);
    __syncthreads();
  }
  const std::uint64_t first = blockIdx.x + std::uint64_t{gridDim.x} * (threadIdx.x / 32);
  for (std::uint64_t k = first; k < warps; k += std::uint64_t{gridDim.x} * kWarpsOfBlock) task.template run<DeviceWarp<kShared>>(k);
}

class CudaDevice {
 public:
  template <typename T>
  class Array {
   public:
    Array(std::size_t count, cudaMemPool_t pool, cudaStream_t stream) : stream_(stream) {
      void* items = nullptr;
      check_cuda(cudaMallocFromPoolAsync(&items, std::max<std::size_t>(1, count) * sizeof(T), pool, stream));
      items_ = static_cast<T*>(items);
    }
    Array(Array&& other) noexcept : items_(std::exchange(other.items_, nullptr)), stream_(other.stream_) {}
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() {
      if (items_ != nullptr) cudaFreeAsync(items_, stream_);
    }
    T* data() const noexcept { return items_; }

   private:
    T* items_ = nullptr;
    cudaStream_t stream_;
  };

  CudaDevice(int device, cudaStream_t stream, std::vector<float>* kernel_us = nullptr);

  template <typename T>
  Array<T> array(std::size_t count) {
    return Array<T>(count, pool_, stream_);
  }
  template <typename T>
  void upload(T* to, const T* from, std::size_t count) {
    if (count > 0) check_cuda(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyHostToDevice, stream_));
  }
  template <typename T>
  void download(T* to, const T* from, std::size_t count) {
    if (count > 0) check_cuda(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyDeviceToHost, stream_));
    wait();
  }
  template <typename T>
  void zero(T* items, std::size_t count) {
    if (count > 0) check_cuda(cudaMemsetAsync(items, 0, count * sizeof(T), stream_));
  }
  void wait() { check_cuda(cudaStreamSynchronize(stream_)); }

  template <typename Task>
  void run(const Task& task, std::uint64_t warps) {
    if (warps == 0) return;
    const std::size_t staged = task.staged_bytes();
    if (staged > 0 && staged <= kMostStaged) launch(run_task<Task, true>, task, warps, staged);
    else launch(run_task<Task, false>, task, warps, 0);
  }

 private:
  template <typename Task>
  void launch(void (*kernel)(Task, std::uint64_t, const void*, std::uint32_t), const Task& task, std::uint64_t warps, std::size_t staged) {
    if (staged > 48 * 1024)
      check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(staged)));
    int resident = 0;
    check_cuda(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, 32 * kWarpsOfBlock, staged));
    const auto blocks = static_cast<unsigned>(std::min<std::uint64_t>(warps, std::uint64_t{multiprocessors_} * std::max(1, resident)));
    const Timer timer(*this);
    kernel<<<blocks, 32 * kWarpsOfBlock, staged, stream_>>>(task, warps, task.staged(), static_cast<std::uint32_t>(staged));
    check_cuda(cudaGetLastError());
  }

  // Notes how long the work of its scope took, if that is wanted.
  class Timer {
   public:
    explicit Timer(CudaDevice& device);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

   private:
    CudaDevice& device_;
    cudaEvent_t begin_ = nullptr, end_ = nullptr;
  };

  cudaStream_t stream_;
  cudaMemPool_t pool_;
  std::vector<float>* kernel_us_;
  unsigned multiprocessors_;
};

}  // namespace nvcodec::warp_coder
