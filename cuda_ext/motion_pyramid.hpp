// Coarse motion in whole samples, from small pictures to large ones: what a search starts from.
#pragma once

#include <vector>

#include "motion_context.hpp"
#include "motion_image.hpp"

namespace nvcodec {

// About what the difference of a vector from its prediction costs, in sixteenths of a bit; quarters of a sample.
int difference_bits(int x, int y);

// A vector for each 16x16 block in whole samples of the full picture, rows of `columns`; zeros for tiny pictures.
// `weight` is what a bit costs in sums of absolute differences.
std::vector<Vector> coarse_motion(const Image& current, const Image& reference, int rows, int columns, double weight);

}  // namespace nvcodec
