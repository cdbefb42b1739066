#include "devices.hpp"

#include <cuda_runtime_api.h>

namespace nvcodec {

int cuda_device_count() noexcept {
  int count = 0;
  // Without a driver the static runtime answers cudaErrorInsufficientDriver, with one but no GPU cudaErrorNoDevice.
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return count;
}

}  // namespace nvcodec
