// A motion field for a picture and its reference by rate and distortion. An encoder's affair: nothing here is
// normative.
#pragma once

#include <cstdint>

#include "motion_context.hpp"

namespace nvcodec {

// Luma of 8 bits, width x height each, contiguous.
struct SearchPictures {
  const std::uint8_t* current;
  const std::uint8_t* reference;
  int width, height;
};

struct SearchSettings {
  double weight;        // what a bit costs in sums of absolute differences of 8-bit samples
  const Vector* start;  // a guess for each cell, or null
  int threads;
};

// Writes the cells of a field (cells_of(height) x cells_of(width)). `previous` has as many, or is null. The result does
// not depend on the number of threads.
void search_motion(const SearchPictures& pictures, const Vector* previous, const SearchSettings& settings,
                   Vector* vectors);

}  // namespace nvcodec
