#include "motion_module.hpp"

#include <nanobind/ndarray.h>

#include <algorithm>
#include <stdexcept>

#include "warp.hpp"

namespace nb = nanobind;

namespace nvcodec {
namespace {

constexpr std::size_t kMaxSide = 1u << 16;

template <typename T, std::size_t Dimensions>
using Array = nb::ndarray<T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;

// A grid of vectors (rows, columns, 2) that covers a luma plane and stays in the range of vectors.
VectorGrid checked_grid(const Array<const std::int16_t, 3>& vectors, std::size_t width, std::size_t height) {
  if (vectors.shape(2) != 2 || vectors.shape(0) < (height + 7) / 8 || vectors.shape(1) < (width + 7) / 8 ||
      vectors.shape(0) > kMaxSide || vectors.shape(1) > kMaxSide)
    throw std::invalid_argument("a motion field does not cover the picture");
  const auto [low, high] = std::minmax_element(vectors.data(), vectors.data() + vectors.size());
  if (*low < kVectorLow || *high > kVectorHigh) throw std::invalid_argument("a vector is out of range");
  return {vectors.data(), static_cast<int>(vectors.shape(0)), static_cast<int>(vectors.shape(1))};
}

template <typename Sample>
void warp(const Array<const Sample, 2>& reference, const Array<const std::int16_t, 3>& vectors, bool chroma, int depth,
          const Array<Sample, 2>& out) {
  const std::size_t height = reference.shape(0), width = reference.shape(1);
  if (height != out.shape(0) || width != out.shape(1)) throw std::invalid_argument("both planes need the same size");
  if (height == 0 || width == 0 || height > kMaxSide || width > kMaxSide) throw std::invalid_argument("a plane has an impossible size");
  if (depth != (sizeof(Sample) == 1 ? 8 : 10)) throw std::invalid_argument("uint8 holds 8 bits and uint16 10");
  nb::gil_scoped_release release;
  const std::size_t scale = chroma ? 2 : 1;
  const VectorGrid grid = checked_grid(vectors, width * scale - (scale - 1), height * scale - (scale - 1));
  warp_plane(reference.data(), static_cast<int>(width), static_cast<int>(height), grid, chroma, depth, out.data());
}

}  // namespace

void bind_motion(nb::module_& module) {
  const char* text = "A plane predicted from `reference` and vectors (rows, columns, 2), into `out`.";
  module.def("warp_plane", &warp<std::uint8_t>, nb::arg("reference").noconvert(), nb::arg("vectors").noconvert(),
             nb::arg("chroma"), nb::arg("bit_depth"), nb::arg("out").noconvert(), text);
  module.def("warp_plane", &warp<std::uint16_t>, nb::arg("reference").noconvert(), nb::arg("vectors").noconvert(),
             nb::arg("chroma"), nb::arg("bit_depth"), nb::arg("out").noconvert(), text);
}

}  // namespace nvcodec
