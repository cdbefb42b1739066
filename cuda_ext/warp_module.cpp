#include "warp_module.hpp"

#include <nanobind/ndarray.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "warp_segment.hpp"

namespace nb = nanobind;

namespace nvcodec {
namespace {

using namespace warp_coder;

template <typename T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Tables = DeviceTables<HostDevice>;

void make_tables(Tables* self, const Vector<const std::uint16_t>& cumulative, const Vector<const std::uint32_t>& offsets,
                 const Vector<const std::uint8_t>& raw_bits) {
  if (offsets.size() != raw_bits.size() + 1) throw std::invalid_argument("one offset more than tables is needed");
  HostDevice device;
  new (self) Tables(device, WarpTables(cumulative.data(), cumulative.size(), offsets.data(), raw_bits.data(), raw_bits.size()));
}

template <typename Value, typename Index>
nb::bytes encode(const Vector<const Value>& values, const Vector<const Index>& indices, const Tables& tables, std::uint64_t chunk_symbols) {
  if (values.size() != indices.size()) throw std::invalid_argument("one table index a symbol is needed");
  HostDevice device;
  const std::vector<std::uint8_t> out = encode_segment(device, tables, values.data(), indices.data(), values.size(), chunk_symbols);
  return nb::bytes(out.data(), out.size());
}

template <typename Value, typename Index>
bool decode(const nb::bytes& data, const Vector<const Index>& indices, const Tables& tables, const Vector<Value>& values) {
  if (values.size() != indices.size()) throw std::invalid_argument("one table index a symbol is needed");
  HostDevice device;
  return decode_segment(device, tables, reinterpret_cast<const std::uint8_t*>(data.c_str()), data.size(), indices.data(),
                        indices.size(), values.data());
}

template <typename Value, typename Index>
void bind(nb::module_& module) {
  module.def("warp_encode_segment", &encode<Value, Index>, nb::arg("values").noconvert(), nb::arg("indices").noconvert(),
             nb::arg("tables"), nb::arg("chunk_symbols"), "The CUDA coder's source on the CPU, lanes in lock step: slow, for tests.");
  module.def("warp_decode_segment", &decode<Value, Index>, nb::arg("data"), nb::arg("indices").noconvert(), nb::arg("tables"),
             nb::arg("values").noconvert(), "False if the segment is not one for warps and nothing was done.");
}

}  // namespace

void bind_warp(nb::module_& module) {
  nb::class_<Tables>(module, "WarpTables", "Probability tables for the warp coder.")
      .def("__init__", &make_tables, nb::arg("cumulative").noconvert(), nb::arg("offsets").noconvert(), nb::arg("raw_bits").noconvert());
  bind<std::int16_t, std::uint8_t>(module);
  bind<std::int16_t, std::uint16_t>(module);
  bind<std::int32_t, std::uint8_t>(module);
  bind<std::int32_t, std::uint16_t>(module);
}

}  // namespace nvcodec
