// Independent pieces of work on a few threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace nvcodec {

inline std::size_t thread_count(std::size_t count, std::size_t threads) {
  return std::max<std::size_t>(1, std::min(count, threads));
}

// Calls work(i, t) for i = 0 .. count - 1; thread t takes t, t + threads, ... in that order and stops at its first
// failure. t is below thread_count().
// Throws what the lowest i that failed has thrown. Fewer threads than asked for are no failure.
template <typename Work>
void for_each_in_parallel(std::size_t count, std::size_t threads, const Work& work) {
  threads = thread_count(count, threads);
  std::vector<std::exception_ptr> failures(threads);
  std::vector<std::size_t> failed(threads, count);
  const auto run = [&](std::size_t first) {
    for (std::size_t i = first; i < count; i += threads) {
      try {
        work(i, first);
      } catch (...) {
        failures[first] = std::current_exception();
        failed[first] = i;
        return;
      }
    }
  };
  std::vector<std::thread> others;
  others.reserve(threads);
  std::size_t started = 1;
  try {
    for (; started < threads; ++started) others.emplace_back(run, started);
  } catch (const std::exception&) {  // the system gives no more, or no memory for one: those that run must be joined
  }
  run(0);
  for (; started < threads; ++started) run(started);
  for (std::thread& other : others) other.join();
  std::size_t lowest = 0;
  for (std::size_t t = 1; t < threads; ++t) lowest = failed[t] < failed[lowest] ? t : lowest;
  if (failures[lowest]) std::rethrow_exception(failures[lowest]);
}

}  // namespace nvcodec
