// Python module nvcodec._cuda. Imports on any machine; without a driver it reports no device.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "coder_cuda.hpp"
#include "devices.hpp"
#include "rans.hpp"

namespace nb = nanobind;

namespace {

template <typename T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Times = std::vector<float>;

void make_tables(nvcodec::CudaTables* self, const Vector<const std::uint16_t>& cumulative, const Vector<const std::uint32_t>& offsets,
                 const Vector<const std::uint8_t>& raw_bits, int device) {
  if (offsets.size() != raw_bits.size() + 1) throw std::invalid_argument("one offset more than tables is needed");
  const nvcodec::warp_coder::WarpTables tables(cumulative.data(), cumulative.size(), offsets.data(), raw_bits.data(), raw_bits.size());
  new (self) nvcodec::CudaTables(tables, device);
}

nvcodec::CudaSymbols symbols_of(std::uintptr_t values, unsigned value_bytes, std::uintptr_t indices, unsigned index_bytes,
                                std::uint64_t count) {
  return {values, indices, count, value_bytes, index_bytes};
}

std::pair<nb::bytes, Times> encode(std::uintptr_t values, unsigned value_bytes, std::uintptr_t indices, unsigned index_bytes,
                                   std::uint64_t count, const nvcodec::CudaTables& tables, std::uint64_t chunk_symbols, int device,
                                   std::uintptr_t stream, bool is_timed) {
  std::vector<std::uint8_t> out;
  Times times;
  {
    nb::gil_scoped_release release;
    out = nvcodec::cuda_encode_segment({device, stream}, tables, symbols_of(values, value_bytes, indices, index_bytes, count),
                                       chunk_symbols, is_timed ? &times : nullptr);
  }
  return {nb::bytes(out.data(), out.size()), std::move(times)};
}

std::pair<bool, Times> decode(const nb::bytes& data, std::uintptr_t values, unsigned value_bytes, std::uintptr_t indices,
                              unsigned index_bytes, std::uint64_t count, const nvcodec::CudaTables& tables, int device,
                              std::uintptr_t stream, bool is_timed) {
  Times times;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(data.c_str());
  const std::size_t size = data.size();
  nb::gil_scoped_release release;
  const bool is_done =
      nvcodec::cuda_decode_segment({device, stream}, tables, bytes, size,
                                   symbols_of(values, value_bytes, indices, index_bytes, count), is_timed ? &times : nullptr);
  return {is_done, std::move(times)};
}

// CodingError becomes the package's own exception of that kind.
void translate(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const nvcodec::CodingError& error) {
    using Kind = nvcodec::CodingError::Kind;
    const char* name = error.kind == Kind::kDamaged     ? "DamagedError"
                       : error.kind == Kind::kTruncated ? "TruncatedError"
                                                        : "FormatError";
    PyErr_SetString(nb::module_::import_("nvcodec.errors").attr(name).ptr(), error.what());
  }
}

}  // namespace

NB_MODULE(_cuda, module) {
  module.doc() = "CUDA part of nvcodec";
  nb::register_exception_translator(&translate);
  module.def("device_count", &nvcodec::cuda_device_count, "Number of usable CUDA devices, 0 without a driver.");
  nb::class_<nvcodec::CudaTables>(module, "CudaTables", "Checked probability tables on a device.")
      .def("__init__", &make_tables, nb::arg("cumulative").noconvert(), nb::arg("offsets").noconvert(), nb::arg("raw_bits").noconvert(),
           nb::arg("device"));
  module.def("encode_segment", &encode, nb::arg("values"), nb::arg("value_bytes"), nb::arg("indices"), nb::arg("index_bytes"),
             nb::arg("count"), nb::arg("tables"), nb::arg("chunk_symbols"), nb::arg("device"), nb::arg("stream"),
             nb::arg("is_timed") = false,
             "Device pointers to the bytes of a segment, and microseconds of each kernel if timed; chunk_symbols 0 means one chunk.");
  module.def("decode_segment", &decode, nb::arg("data"), nb::arg("values"), nb::arg("value_bytes"), nb::arg("indices"),
             nb::arg("index_bytes"), nb::arg("count"), nb::arg("tables"), nb::arg("device"), nb::arg("stream"),
             nb::arg("is_timed") = false, "Fills the values on the device; False if the segment is one for the CPU and nothing was done.");
}
