#include "motion_context.hpp"

#include <algorithm>
#include <cstdlib>

namespace nvcodec {
namespace {

constexpr int kNear = 4, kFar = 16;  // bounds of the spread, in half quarters of a sample a neighbour

// Up to three neighbours, with what the previous field has in their places.
struct Neighbours {
  std::array<Vector, 3> now;
  std::array<Vector, 3> before;
  int count;
};

int distance(Vector a, Vector b) { return std::abs(a.x - b.x) + std::abs(a.y - b.y); }

std::int16_t median(std::int16_t a, std::int16_t b, std::int16_t c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

Vector median(Vector a, Vector b, Vector c) { return {median(a.x, b.x, c.x), median(a.y, b.y, c.y)}; }

Vector before(const Cells& cells, int row, int column) {
  return cells.previous == nullptr ? Vector{0, 0} : cells.previous[cells.at(row, column)];
}

// Left, above, above right; above left where the third is outside the field or not yet coded.
Neighbours neighbours(const Cells& cells, int row, int column, int size) {
  Neighbours found{};
  const auto take = [&](int i, int j) {
    const auto k = static_cast<std::size_t>(found.count++);
    found.now[k] = cells.vectors[cells.at(i, j)];
    found.before[k] = before(cells, i, j);
  };
  if (column > 0) take(row, column - 1);
  if (row == 0) return found;
  take(row - 1, column);
  const bool last_part = size == 1 && (row & 1) != 0 && (column & 1) != 0;
  if (column + size < cells.columns && !last_part)
    take(row - 1, column + size);
  else if (column > 0)
    take(row - 1, column - 1);
  return found;
}

Vector spatial(const Neighbours& near, Vector old) {
  if (near.count == 0) return old;
  if (near.count == 1) return near.now[0];
  return median(near.now[0], near.now[1], near.count == 2 ? old : near.now[2]);
}

int spread_of(int error, int count) {
  const int share = 2 * error / count;
  return share == 0 ? 0 : share <= kNear ? 1 : share <= kFar ? 2 : 3;
}

void add(Forecast& into, Vector vector) {
  Vector* const end = into.candidates.data() + into.count;
  if (std::find(into.candidates.data(), end, vector) == end) {
    *end = vector;
    ++into.count;
  }
}

}  // namespace

Forecast forecast(const Cells& cells, int row, int column, int size) {
  const Neighbours near = neighbours(cells, row, column, size);
  const Vector old = before(cells, row, column);
  Vector chosen = spatial(near, old);
  int error = 0, old_error = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(near.count); ++k) {
    error += distance(near.now[k], chosen);
    old_error += distance(near.now[k], near.before[k]);
  }
  if (cells.previous != nullptr && near.count > 0 && old_error < error) {
    chosen = old;
    error = old_error;
  }
  Forecast made{{chosen}, 1, near.count == 0 ? 2 : spread_of(error, near.count)};
  for (int k = 0; k < near.count; ++k) add(made, near.now[static_cast<std::size_t>(k)]);
  add(made, old);
  add(made, {0, 0});
  return made;
}

}  // namespace nvcodec
