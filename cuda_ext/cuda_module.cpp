// Python module nvcodec._cuda. Imports on any machine; without a driver it reports no device.
#include <nanobind/nanobind.h>

#include "devices.hpp"

namespace nb = nanobind;

NB_MODULE(_cuda, module) {
  module.doc() = "CUDA part of nvcodec";
  module.def("device_count", &nvcodec::cuda_device_count, "Number of usable CUDA devices, 0 without a driver.");
}
