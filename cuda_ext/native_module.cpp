// Python module nvcodec._native: plain buffers in and out, no torch and no numpy headers.
#include <nanobind/nanobind.h>

#include "crc32c.hpp"

namespace nb = nanobind;

namespace {

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

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "Native part of nvcodec";
  module.def("crc32c", &crc32c, nb::arg("data"), nb::arg("value") = 0,
             "CRC32C of a bytes-like object; `value` is the checksum of the bytes before it.");
}
