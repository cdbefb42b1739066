// CUDA devices as the rest of the package asks for them.
#pragma once

namespace nvcodec {

// Number of usable CUDA devices; 0 without a driver or a device. Never throws.
int cuda_device_count() noexcept;

}  // namespace nvcodec
