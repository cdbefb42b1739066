// Which instruction set the coder's kernels use: the best one of this CPU, unless the caller names another.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace nvcodec {

// Names that this CPU can run, "scalar" first, the fastest last.
std::vector<std::string> simd_names();

// Throws std::invalid_argument for a name that is unknown or that this CPU cannot run. "auto" or "" is the fastest.
const Kernels& kernels_of(const std::string& name);

}  // namespace nvcodec
