#include "coder_cuda.hpp"

#include <map>
#include <mutex>

#include "cuda_device.cuh"
#include "warp_segment.hpp"

namespace nvcodec {
namespace warp_coder {
namespace {

cudaMemPool_t make_pool(int device) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, device};
  cudaMemPool_t pool = nullptr;
  check_cuda(cudaMemPoolCreate(&pool, &properties));
  std::uint64_t kept = kKeptMemory;
  check_cuda(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &kept));
  return pool;
}

// One pool a device, for the process: memory that the driver has to fetch costs more than the coding.
cudaMemPool_t pool_of(int device) {
  static std::mutex mutex;
  static std::map<int, cudaMemPool_t> pools;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = pools.find(device);
  return found != pools.end() ? found->second : pools.emplace(device, make_pool(device)).first->second;
}

}  // namespace

CudaDevice::CudaDevice(int device, cudaStream_t stream, std::vector<float>* kernel_us) : stream_(stream), kernel_us_(kernel_us) {
  int count = 0;
  check_cuda(cudaSetDevice(device));
  check_cuda(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  multiprocessors_ = static_cast<unsigned>(count);
  pool_ = pool_of(device);
}

CudaDevice::Timer::Timer(CudaDevice& device) : device_(device) {
  if (device_.kernel_us_ == nullptr) return;
  check_cuda(cudaEventCreate(&begin_));
  check_cuda(cudaEventCreate(&end_));
  check_cuda(cudaEventRecord(begin_, device_.stream_));
}

CudaDevice::Timer::~Timer() {
  if (begin_ == nullptr) return;
  float milliseconds = 0;
  cudaEventRecord(end_, device_.stream_);
  cudaEventSynchronize(end_);
  cudaEventElapsedTime(&milliseconds, begin_, end_);
  cudaEventDestroy(begin_);
  cudaEventDestroy(end_);
  device_.kernel_us_->push_back(1000 * milliseconds);
}

}  // namespace warp_coder

using warp_coder::CudaDevice;

struct CudaTables::Arrays {
  CudaDevice device;
  warp_coder::DeviceTables<CudaDevice> tables;
  Arrays(const warp_coder::WarpTables& host, int number) : device(number, nullptr), tables(device, host) { device.wait(); }
};

CudaTables::CudaTables(const warp_coder::WarpTables& tables, int device) : arrays_(std::make_unique<Arrays>(tables, device)) {}
CudaTables::~CudaTables() = default;

namespace {

// Calls the function with null pointers of the types that the symbols have.
template <typename Function>
auto with_types(const CudaSymbols& symbols, const Function& function) {
  const auto with_values = [&](auto* value) {
    if (symbols.index_bytes == 1) return function(value, static_cast<std::uint8_t*>(nullptr));
    if (symbols.index_bytes == 2) return function(value, static_cast<std::uint16_t*>(nullptr));
    throw std::invalid_argument("table indices have 8 or 16 bits");
  };
  if (symbols.value_bytes == 2) return with_values(static_cast<std::int16_t*>(nullptr));
  if (symbols.value_bytes == 4) return with_values(static_cast<std::int32_t*>(nullptr));
  throw std::invalid_argument("values have 16 or 32 bits");
}

}  // namespace

std::vector<std::uint8_t> cuda_encode_segment(const CudaPlace& place, const CudaTables& tables, const CudaSymbols& symbols,
                                              std::uint64_t chunk_symbols, std::vector<float>* kernel_us) {
  CudaDevice device(place.device, reinterpret_cast<cudaStream_t>(place.stream), kernel_us);
  return with_types(symbols, [&](auto* value, auto* index) {
    const auto* values = reinterpret_cast<const std::remove_pointer_t<decltype(value)>*>(symbols.values);
    const auto* indices = reinterpret_cast<const std::remove_pointer_t<decltype(index)>*>(symbols.indices);
    return warp_coder::encode_segment(device, tables.arrays().tables, values, indices, symbols.count, chunk_symbols);
  });
}

bool cuda_decode_segment(const CudaPlace& place, const CudaTables& tables, const std::uint8_t* data, std::size_t size,
                         const CudaSymbols& symbols, std::vector<float>* kernel_us) {
  CudaDevice device(place.device, reinterpret_cast<cudaStream_t>(place.stream), kernel_us);
  return with_types(symbols, [&](auto* value, auto* index) {
    auto* values = reinterpret_cast<std::remove_pointer_t<decltype(value)>*>(symbols.values);
    const auto* indices = reinterpret_cast<const std::remove_pointer_t<decltype(index)>*>(symbols.indices);
    return warp_coder::decode_segment(device, tables.arrays().tables, data, size, indices, symbols.count, values);
  });
}

}  // namespace nvcodec
