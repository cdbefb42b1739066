#include "motion_pyramid.hpp"

#include <limits>

#include "symbols.hpp"

namespace nvcodec {
namespace {

constexpr int kSide = 8, kReach = 6, kLeastSide = 24, kMostLevels = 6, kMostSteps = 16;
constexpr int kOutside = 12;  // samples that a block may begin before the picture

struct Level {
  Image current, reference;
  int rows, columns;
  std::vector<Vector> vectors;
};

struct Best {
  Vector vector{0, 0};
  int cost = std::numeric_limits<int>::max();
};

// One block of a level.
class BlockSearch {
 public:
  BlockSearch(const Level& level, int row, int column, Vector predictor, double weight)
      : level_(level), x_(column * kSide), y_(row * kSide), predictor_(predictor), weight_(weight) {}

  void attempt(int dx, int dy) {
    const int x = std::clamp(x_ + dx, -kOutside, level_.reference.width() + kOutside - kSide) - x_;
    const int y = std::clamp(y_ + dy, -kOutside, level_.reference.height() + kOutside - kSide) - y_;
    const int bits = difference_bits(4 * (x - predictor_.x), 4 * (y - predictor_.y));
    const int cost = static_cast<int>(weight_ * bits) +
                     difference_of<kSide>(level_.current.at(x_, y_), level_.current.stride(),
                                          level_.reference.at(x_ + x, y_ + y), level_.reference.stride());
    if (cost < best_.cost) best_ = {{static_cast<std::int16_t>(x), static_cast<std::int16_t>(y)}, cost};
  }

  void everywhere() {
    for (int dy = -kReach; dy <= kReach; ++dy)
      for (int dx = -kReach; dx <= kReach; ++dx) attempt(dx, dy);
  }

  void downhill() {
    for (int step = 0; step < kMostSteps; ++step) {
      const Vector from = best_.vector;
      attempt(from.x - 1, from.y);
      attempt(from.x + 1, from.y);
      attempt(from.x, from.y - 1);
      attempt(from.x, from.y + 1);
      if (best_.vector == from) return;
    }
  }

  Vector found() const { return best_.vector; }

 private:
  const Level& level_;
  int x_, y_;
  Vector predictor_;
  double weight_;
  Best best_;
};

// The doubled vectors of the block above in the pyramid and of those around it.
void attempt_coarser(BlockSearch& search, const Level& coarser, int row, int column, int scale) {
  constexpr int kAround[5][2] = {{0, 0}, {0, 1}, {1, 0}, {0, -1}, {-1, 0}};
  for (const auto& [down, across] : kAround) {
    const int i = row / scale + down, j = column / scale + across;
    if (i < 0 || j < 0 || i >= coarser.rows || j >= coarser.columns) continue;
    const Vector vector = coarser.vectors[static_cast<std::size_t>(i * coarser.columns + j)];
    search.attempt(2 * vector.x, 2 * vector.y);
  }
}

void search_level(Level& level, const Level* coarser, double weight) {
  for (int row = 0; row < level.rows; ++row)
    for (int column = 0; column < level.columns; ++column) {
      const auto here = static_cast<std::size_t>(row * level.columns + column);
      const Vector left = column > 0 ? level.vectors[here - 1] : Vector{0, 0};
      const Vector above = row > 0 ? level.vectors[here - static_cast<std::size_t>(level.columns)] : left;
      BlockSearch search(level, row, column, column > 0 ? left : above, weight);
      search.attempt(0, 0);
      search.attempt(left.x, left.y);
      search.attempt(above.x, above.y);
      if (coarser == nullptr)
        search.everywhere();
      else
        attempt_coarser(search, *coarser, row, column, 2);
      search.downhill();
      level.vectors[here] = search.found();
    }
}

Level make_level(const Image& current, const Image& reference, int rows, int columns) {
  return {current.halved(), reference.halved(), rows, columns,
          std::vector<Vector>(static_cast<std::size_t>(rows * columns))};
}

}  // namespace

int difference_bits(int x, int y) {
  int bits = 0;
  for (const int side : {std::abs(x), std::abs(y)}) {
    const auto size = static_cast<std::uint32_t>(side + 1);
    const std::uint32_t whole = floor_log2(size);
    bits += 40 + 24 * static_cast<int>(whole) + (24 * static_cast<int>(size - (1u << whole)) >> whole);
  }
  return bits;
}

std::vector<Vector> coarse_motion(const Image& current, const Image& reference, int rows, int columns, double weight) {
  std::vector<Level> levels;
  levels.reserve(kMostLevels);
  const Image *now = &current, *before = &reference;
  for (int k = 0; k < kMostLevels && std::min(now->width(), now->height()) >= 2 * kLeastSide; ++k) {
    const int divisor = 1 << k;
    levels.push_back(make_level(*now, *before, (rows + divisor - 1) / divisor, (columns + divisor - 1) / divisor));
    now = &levels.back().current;
    before = &levels.back().reference;
  }
  if (levels.empty()) return std::vector<Vector>(static_cast<std::size_t>(rows * columns));
  for (std::size_t k = levels.size(); k-- > 0;)
    search_level(levels[k], k + 1 < levels.size() ? &levels[k + 1] : nullptr, weight / 64);
  std::vector<Vector> doubled = levels[0].vectors;
  for (Vector& vector : doubled)
    vector = {static_cast<std::int16_t>(2 * vector.x), static_cast<std::int16_t>(2 * vector.y)};
  return doubled;
}

}  // namespace nvcodec
