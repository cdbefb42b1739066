// Python module nvcodec._native: plain buffers in and out, no torch and no numpy headers.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "chain.hpp"
#include "coder_tables.hpp"
#include "crc32c.hpp"
#include "lane_bench.hpp"
#include "motion_module.hpp"
#include "rans.hpp"
#include "segment.hpp"
#include "simd.hpp"
#include "warp_module.hpp"

namespace nb = nanobind;

namespace {

template <typename T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// A read-only view of any contiguous bytes-like object, released on scope exit.
class ByteView {
 public:
  explicit ByteView(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
  }
  ~ByteView() { PyBuffer_Release(&view_); }
  ByteView(const ByteView&) = delete;
  ByteView& operator=(const ByteView&) = delete;

  const std::uint8_t* data() const { return static_cast<const std::uint8_t*>(view_.buf); }
  std::size_t size() const { return static_cast<std::size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

std::uint32_t crc32c(nb::handle data, std::uint32_t value) {
  const ByteView view(data);
  nb::gil_scoped_release release;
  return nvcodec::crc32c(view.data(), view.size(), value);
}

void make_tables(nvcodec::TableSet* self, Vector<const std::uint16_t> cumulative, Vector<const std::uint32_t> offsets,
                 Vector<const std::uint8_t> raw_bits) {
  if (offsets.size() != raw_bits.size() + 1) throw std::invalid_argument("one offset more than tables is needed");
  new (self) nvcodec::TableSet(cumulative.data(), cumulative.size(), offsets.data(), raw_bits.data(), raw_bits.size());
}

nvcodec::Effort effort_of(std::size_t threads, const std::string& simd) {
  if (threads == 0) throw std::invalid_argument("threads must be at least 1");
  return {nvcodec::kernels_of(simd), threads};
}

template <typename Value, typename Index>
nb::bytes encode(Vector<const Value> values, Vector<const Index> indices, const nvcodec::TableSet& tables,
                 std::uint32_t lanes_log2, std::uint64_t chunk_symbols, std::size_t threads, const std::string& simd) {
  if (values.size() != indices.size()) throw std::invalid_argument("one table index a symbol is needed");
  nvcodec::SegmentModel<Index> model{tables, indices.data(), indices.size()};
  const nvcodec::Effort effort = effort_of(threads, simd);
  nvcodec::EncodedSegment segment;
  {
    nb::gil_scoped_release release;
    nvcodec::check_indices(model, effort.kernels);
    segment = nvcodec::encode_segment(values.data(), model, lanes_log2, chunk_symbols, effort);
  }
  PyObject* bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(segment.size()));
  if (bytes == nullptr) throw nb::python_error();
  segment.write(reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(bytes)));
  return nb::steal<nb::bytes>(bytes);
}

template <typename Value, typename Index>
void decode(nb::handle data, Vector<const Index> indices, const nvcodec::TableSet& tables, Vector<Value> values,
            std::size_t threads, const std::string& simd) {
  if (values.size() != indices.size()) throw std::invalid_argument("one table index a symbol is needed");
  const ByteView view(data);
  nvcodec::SegmentModel<Index> model{tables, indices.data(), indices.size()};
  const nvcodec::Effort effort = effort_of(threads, simd);
  nb::gil_scoped_release release;
  nvcodec::check_indices(model, effort.kernels);
  nvcodec::decode_segment(view.data(), view.size(), model, values.data(), effort);
}

template <typename Value, typename Index>
void bind_segments(nb::module_& module) {
  module.def("encode_segment", &encode<Value, Index>, nb::arg("values").noconvert(), nb::arg("indices").noconvert(),
             nb::arg("tables"), nb::arg("lanes_log2"), nb::arg("chunk_symbols"), nb::arg("threads") = 1, nb::arg("simd") = "",
             "Symbols (int16 or int32) to the bytes of a segment; chunk_symbols 0 means one chunk, simd one of simd_names().");
  module.def("decode_segment", &decode<Value, Index>, nb::arg("data"), nb::arg("indices").noconvert(), nb::arg("tables"),
             nb::arg("values").noconvert(), nb::arg("threads") = 1, nb::arg("simd") = "",
             "Bytes of a segment into `values`, an int16 or int32 array as long as `indices`.");
}

nb::bytes encode_chain(Vector<const std::int32_t> values, Vector<const std::uint16_t> indices,
                       const nvcodec::TableSet& tables) {
  if (values.size() != indices.size()) throw std::invalid_argument("one table index a symbol is needed");
  nvcodec::SegmentModel<std::uint16_t> model{tables, indices.data(), indices.size()};
  std::vector<std::uint8_t> out;
  {
    nb::gil_scoped_release release;
    nvcodec::check_indices(model, nvcodec::kernels_of(""));
    out = nvcodec::encode_chain(values.data(), model);
  }
  return nb::bytes(out.data(), out.size());
}

// A chain on its way, with a copy of its bytes. The tables are kept alive by the binding.
class ChainDecoder {
 public:
  ChainDecoder(const ByteView& data, const nvcodec::TableSet& tables)
      : data_(data.data(), data.data() + data.size()),
        cursor_(nvcodec::open_chain(data_.data(), data_.size())),
        tables_(tables) {}
  ChainDecoder(const ChainDecoder&) = delete;
  ChainDecoder& operator=(const ChainDecoder&) = delete;

  // The cursor moves while the lock is held, so that two threads cannot tear it.
  void decode(Vector<const std::uint16_t> indices, Vector<std::int32_t> values) {
    if (values.size() != indices.size()) throw std::invalid_argument("one table index a symbol is needed");
    nvcodec::SegmentModel<std::uint16_t> model{tables_, indices.data(), indices.size()};
    nvcodec::ChainCursor cursor = cursor_;
    {
      nb::gil_scoped_release release;
      nvcodec::check_indices(model, nvcodec::kernels_of(""));
      nvcodec::decode_chain(cursor, model, values.data());
    }
    cursor_ = cursor;
  }

  void finish() const { nvcodec::finish_chain(cursor_); }

 private:
  const std::vector<std::uint8_t> data_;
  nvcodec::ChainCursor cursor_;
  const nvcodec::TableSet& tables_;
};

void open_chain(ChainDecoder* self, nb::handle data, const nvcodec::TableSet& tables) {
  const ByteView view(data);
  new (self) ChainDecoder(view, tables);
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

NB_MODULE(_native, module) {
  module.doc() = "Native part of nvcodec";
  nb::register_exception_translator(&translate);
  module.def("crc32c", &crc32c, nb::arg("data"), nb::arg("value") = 0,
             "CRC32C of a bytes-like object; `value` is the checksum of the bytes before it.");
  nb::class_<nvcodec::TableSet>(module, "TableSet", "Checked probability tables, safe to share between threads.")
      .def("__init__", &make_tables, nb::arg("cumulative").noconvert(), nb::arg("offsets").noconvert(),
           nb::arg("raw_bits").noconvert());
  bind_segments<std::int16_t, std::uint8_t>(module);
  bind_segments<std::int16_t, std::uint16_t>(module);
  bind_segments<std::int32_t, std::uint8_t>(module);
  bind_segments<std::int32_t, std::uint16_t>(module);
  module.def("simd_names", &nvcodec::simd_names, "Instruction sets that the coder can use here, the fastest last.");
  module.def("encode_chain", &encode_chain, nb::arg("values").noconvert(), nb::arg("indices").noconvert(),
             nb::arg("tables"), "Symbols to the bytes of a chain.");
  nb::class_<ChainDecoder>(module, "ChainDecoder", "A chain that is decoded part by part.")
      .def("__init__", &open_chain, nb::arg("data"), nb::arg("tables"), nb::keep_alive<1, 3>())
      .def("decode", &ChainDecoder::decode, nb::arg("indices").noconvert(), nb::arg("values").noconvert(),
           "The next symbols into `values`, an int32 array as long as `indices`; moves on only if all are there.")
      .def("finish", &ChainDecoder::finish, "Raises DamagedError unless the chain ends here.");
  nvcodec::bind_lane_bench(module);
  nvcodec::bind_motion(module);
  nvcodec::bind_warp(module);
}
