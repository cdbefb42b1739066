// operator new that can be told to fail, for every thread of the program.
#include <atomic>
#include <cstdlib>
#include <new>

#include "coder_case.hpp"

namespace {

std::atomic<std::size_t> left{0};  // allocations until the one that fails; 0 is never
std::atomic<bool> failed{false};

void* allocate(std::size_t size) {
  std::size_t now = left.load();
  while (now > 0 && !left.compare_exchange_weak(now, now - 1)) {
  }
  if (now == 1) {
    failed = true;
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

}  // namespace

namespace fuzz {

void fail_allocation(std::size_t n) {
  left = n;
  if (n > 0) failed = false;
}

bool allocation_failed() { return failed; }

}  // namespace fuzz

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size > 0 ? size : 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size > 0 ? size : 1); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
