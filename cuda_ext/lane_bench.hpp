// The rANS pass alone, table symbols <-> words, for `python -m nvcodec.entropy.bench`.
#pragma once

#include <nanobind/nanobind.h>

namespace nvcodec {

void bind_lane_bench(nanobind::module_& module);

}  // namespace nvcodec
