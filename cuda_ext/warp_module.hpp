// The functions of nvcodec._native that run the warp coder in lock step on the CPU, for tests.
#pragma once

#include <nanobind/nanobind.h>

namespace nvcodec {

void bind_warp(nanobind::module_& module);

}  // namespace nvcodec
