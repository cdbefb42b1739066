// The functions of nvcodec._native that concern motion.
#pragma once

#include <nanobind/nanobind.h>

namespace nvcodec {

void bind_motion(nanobind::module_& module);

}  // namespace nvcodec
