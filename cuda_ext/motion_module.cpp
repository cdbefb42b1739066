#include "motion_module.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "motion_code.hpp"
#include "hadamard.hpp"
#include "motion_search.hpp"
#include "warp.hpp"

namespace nb = nanobind;

namespace nvcodec {
namespace {

constexpr std::size_t kMaxSide = 1u << 14;

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
  if (height == 0 || width == 0 || height > kMaxSide || width > kMaxSide)
    throw std::invalid_argument("a plane has an impossible size");
  if (depth != (sizeof(Sample) == 1 ? 8 : 10)) throw std::invalid_argument("uint8 holds 8 bits and uint16 10");
  nb::gil_scoped_release release;
  const std::size_t scale = chroma ? 2 : 1;
  const VectorGrid grid = checked_grid(vectors, width * scale - (scale - 1), height * scale - (scale - 1));
  warp_plane(reference.data(), static_cast<int>(width), static_cast<int>(height), grid, chroma, out.data());
}

using Vectors = Array<const std::int16_t, 3>;

// The cells of a field: exactly those of the picture, in range.
const Vector* checked_cells(const Vectors& vectors, std::size_t width, std::size_t height) {
  checked_grid(vectors, width, height);
  if (vectors.shape(0) != (height + 15) / 16 * 2 || vectors.shape(1) != (width + 15) / 16 * 2)
    throw std::invalid_argument("a motion field does not have the picture's size");
  return reinterpret_cast<const Vector*>(vectors.data());
}

Cells checked_field(const Vectors& vectors, const std::optional<Vectors>& previous, std::size_t width,
                    std::size_t height) {
  if (width == 0 || height == 0 || width > kMaxSide || height > kMaxSide)
    throw std::invalid_argument("a motion field has an impossible size");
  const Vector* const before = previous ? checked_cells(*previous, width, height) : nullptr;
  return {checked_cells(vectors, width, height), before, static_cast<int>(vectors.shape(0)),
          static_cast<int>(vectors.shape(1))};
}

void check_tables(const TableSet& tables) {
  if (tables.size() < kMotionTables) throw std::invalid_argument("motion needs tables of its own");
}

nb::bytes encode(const Vectors& vectors, const std::optional<Vectors>& previous, std::size_t width, std::size_t height,
                 const TableSet& tables) {
  check_tables(tables);
  std::vector<std::uint8_t> out;
  {
    nb::gil_scoped_release release;
    const Cells cells = checked_field(vectors, previous, width, height);
    out = encode_motion(cells, static_cast<int>(width), static_cast<int>(height), tables);
  }
  return nb::bytes(out.data(), out.size());
}

// `out` is zeros at first and nothing of worth after an error.
void decode(const nb::bytes& data, const std::optional<Vectors>& previous, std::size_t width, std::size_t height,
            const TableSet& tables, const Array<std::int16_t, 3>& out) {
  check_tables(tables);
  const auto* const bytes = static_cast<const std::uint8_t*>(data.data());
  const std::size_t size = data.size();
  nb::gil_scoped_release release;
  const Cells cells = checked_field(Vectors(out), previous, width, height);
  decode_motion(bytes, size, cells.previous, static_cast<int>(width), static_cast<int>(height), tables,
                reinterpret_cast<Vector*>(out.data()));
}

void search(const Array<const std::uint8_t, 2>& current, const Array<const std::uint8_t, 2>& reference, double weight,
            const std::optional<Vectors>& previous, const std::optional<Vectors>& start, int threads,
            const Array<std::int16_t, 3>& out) {
  const std::size_t height = current.shape(0), width = current.shape(1);
  if (reference.shape(0) != height || reference.shape(1) != width)
    throw std::invalid_argument("both planes need the same size");
  if (!(weight >= 0 && weight <= 1e5)) throw std::invalid_argument("the weight of a bit is 0 to 100000");
  if (threads < 1 || threads > 256) throw std::invalid_argument("1 to 256 threads can search");
  nb::gil_scoped_release release;
  const Cells cells = checked_field(Vectors(out), previous, width, height);
  const Vector* const guess = start ? checked_cells(*start, width, height) : nullptr;
  search_motion({current.data(), reference.data(), static_cast<int>(width), static_cast<int>(height)}, cells.previous,
                {weight, guess, threads}, reinterpret_cast<Vector*>(out.data()));
}

// Of 8x8 samples: what the search measures by, and its twin, for tests.
int cell_difference(const Array<const std::uint8_t, 2>& a, const Array<const std::uint8_t, 2>& b, bool slow) {
  for (const auto& cell : {a, b})
    if (cell.shape(0) != 8 || cell.shape(1) != 8) throw std::invalid_argument("a cell has 8x8 samples");
  return slow ? transformed_cell_slow(a.data(), 8, b.data(), 8) : transformed_cell(a.data(), 8, b.data(), 8);
}

}  // namespace

void bind_motion(nb::module_& module) {
  const char* text = "A plane predicted from `reference` and vectors (rows, columns, 2), into `out`.";
  module.def("warp_plane", &warp<std::uint8_t>, nb::arg("reference").noconvert(), nb::arg("vectors").noconvert(),
             nb::arg("chroma"), nb::arg("bit_depth"), nb::arg("out").noconvert(), text);
  module.def("warp_plane", &warp<std::uint16_t>, nb::arg("reference").noconvert(), nb::arg("vectors").noconvert(),
             nb::arg("chroma"), nb::arg("bit_depth"), nb::arg("out").noconvert(), text);
  module.def("encode_motion", &encode, nb::arg("vectors").noconvert(), nb::arg("previous").noconvert().none(),
             nb::arg("width"), nb::arg("height"), nb::arg("tables"), "Vectors of 8x8 cells to the bytes of a field.");
  module.def("decode_motion", &decode, nb::arg("data"), nb::arg("previous").noconvert().none(), nb::arg("width"),
             nb::arg("height"), nb::arg("tables"), nb::arg("out").noconvert(), "Bytes of a field into `out`, zeros.");
  module.def("search_motion", &search, nb::arg("current").noconvert(), nb::arg("reference").noconvert(),
             nb::arg("weight"), nb::arg("previous").noconvert().none(), nb::arg("start").noconvert().none(),
             nb::arg("threads"), nb::arg("out").noconvert(), "Vectors of 8x8 cells for 8-bit luma, into `out`, zeros.");
  module.def("cell_difference", &cell_difference, nb::arg("a").noconvert(), nb::arg("b").noconvert(), nb::arg("slow"),
             "Sum of absolute Hadamard coefficients of the difference of two 8x8 cells, over 8.");
}

}  // namespace nvcodec
