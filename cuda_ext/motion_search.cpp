#include "motion_search.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "hadamard.hpp"
#include "interpolate.hpp"
#include "motion_image.hpp"
#include "motion_pyramid.hpp"
#include "warp.hpp"

namespace nvcodec {
namespace {

constexpr int kOutside = 20, kBeyond = 4;  // where a block may begin: samples before and behind the picture
constexpr int kMostSteps = 16;
// Sixteenths of a bit, about what the coder takes; by the spread of the neighbours where there are several.
constexpr int kSameBits[kSpreads] = {4, 14, 20, 26}, kElseBits[kSpreads] = {52, 24, 20, 16};
constexpr int kPartSameBits[kSpreads] = {16, 24, 30, 32}, kPartElseBits[kSpreads] = {18, 12, 10, 8};
constexpr int kCopyBits = 20, kStepBits = 12, kOtherBits = 12, kSplitBits = 32;
constexpr int kWorthBits = 20 * 16, kWorthDifference = 128;  // a cheaper block is not tried in parts

struct Found {
  Vector vector{0, 0};
  int cost = std::numeric_limits<int>::max();
};

struct Scene {
  const Image& current;
  const Image& reference;
  const Vector* start;
  const std::vector<Vector>& coarse;
  double weight;  // of a sixteenth of a bit
};

// One square of Side samples; remembers the best vector that was tried.
template <int Side>
class SquareSearch {
 public:
  SquareSearch(const Scene& scene, const Forecast& known, int x, int y)
      : scene_(scene), known_(known), x_(x), y_(y), source_(scene.current.at(x, y)) {}

  void attempt(int x, int y) { cost_of(x, y); }

  // More than best.cost, but not by how much, where the bits alone exceed it.
  int cost_of(int x, int y) {
    if (!reachable(x, y)) return std::numeric_limits<int>::max();
    const Vector vector{static_cast<std::int16_t>(x), static_cast<std::int16_t>(y)};
    int cost = static_cast<int>(scene_.weight * bits(vector));
    if (cost < best.cost) cost += distortion(vector);
    if (cost < best.cost) best = {vector, cost};
    return cost;
  }

  // To the nearest whole sample.
  void attempt_whole(int x, int y) { attempt((x + 2) & ~3, (y + 2) & ~3); }

  // Along the four directions while it helps.
  void refine(int step, int most) {
    for (int k = 0; k < most; ++k) {
      const Vector from = best.vector;
      for (const int side : {-step, step}) {
        attempt(from.x + side, from.y);
        attempt(from.x, from.y + side);
      }
      if (best.vector == from) break;
    }
  }

  // The four directions once, and the diagonal between the better of each two.
  void fraction(int step) {
    const Vector from = best.vector;
    const int across = cost_of(from.x - step, from.y) <= cost_of(from.x + step, from.y) ? -step : step;
    const int down = cost_of(from.x, from.y - step) <= cost_of(from.x, from.y + step) ? -step : step;
    attempt(from.x + across, from.y + down);
  }

  Found best;

 private:
  bool reachable(int x, int y) const {
    const int column = x_ + (x >> 2), row = y_ + (y >> 2);
    return x >= kVectorLow && x <= kVectorHigh && y >= kVectorLow && y <= kVectorHigh && column >= -kOutside &&
           row >= -kOutside && column <= scene_.reference.width() + kBeyond &&
           row <= scene_.reference.height() + kBeyond;
  }

  int bits(Vector vector) const {
    const auto spread = static_cast<std::size_t>(known_.spread);
    if (vector == known_.candidates[0]) return Side == 8 ? kPartSameBits[spread] : kSameBits[spread];
    const int known_else = Side == 8 ? kPartElseBits[spread] : kElseBits[spread];
    for (int k = 1; k < known_.count; ++k)
      if (known_.candidates[static_cast<std::size_t>(k)] == vector) return known_else + kCopyBits + (k - 1) * kStepBits;
    return known_else + kOtherBits +
           difference_bits(vector.x - known_.candidates[0].x, vector.y - known_.candidates[0].y);
  }

  int distortion(Vector vector) const {
    const std::uint8_t* const from = scene_.reference.at(x_ + (vector.x >> 2), y_ + (vector.y >> 2));
    const std::ptrdiff_t stride = scene_.reference.stride();
    const int across = vector.x & 3, down = vector.y & 3;
    if (across == 0 && down == 0) return transformed_difference<Side>(source_, scene_.current.stride(), from, stride);
    std::uint8_t made[Side * Side];
    interpolate<Side>(Block<std::uint8_t, kLumaTaps>{from, stride, made, Side, Side, Side},
                      across ? kLumaFilter[across] : nullptr, down ? kLumaFilter[down] : nullptr);
    return transformed_difference<Side>(source_, scene_.current.stride(), made, Side);
  }

  const Scene& scene_;
  const Forecast& known_;
  int x_, y_;
  const std::uint8_t* source_;
};

// Blocks in rows; each needs the ones before it in its row, above, and above right.
class FieldSearch {
 public:
  FieldSearch(const Scene& scene, Vector* vectors, const Vector* previous, int width, int height)
      : scene_(scene),
        vectors_(vectors),
        cells_{vectors, previous, cells_of(height), cells_of(width)},
        width_(width),
        height_(height) {}

  int rows() const { return cells_.rows / 2; }
  int columns() const { return cells_.columns / 2; }

  void block(int row, int column) {
    const int i = 2 * row, j = 2 * column;
    const Forecast known = forecast(cells_, i, j, 2);
    const Found whole = search_whole(known, row, column);
    fill(i, j, whole.vector);
    const bool divisible = inside(i, j + 1) || inside(i + 1, j);
    if (!divisible || whole.cost < worth_splitting()) return;
    const int cost = search_parts(i, j, whole);
    if (cost >= whole.cost || equal_parts(i, j)) fill(i, j, whole.vector);
  }

 private:
  bool inside(int i, int j) const { return 8 * i < height_ && 8 * j < width_; }
  int worth_splitting() const { return static_cast<int>(scene_.weight * kWorthBits) + kWorthDifference; }

  void fill(int i, int j, Vector vector) {
    for (int k = 0; k < 4; ++k) vectors_[cells_.at(i + k / 2, j + k % 2)] = vector;
  }

  bool equal_parts(int i, int j) const {
    const Vector first = vectors_[cells_.at(i, j)];
    return vectors_[cells_.at(i, j + 1)] == first && vectors_[cells_.at(i + 1, j)] == first &&
           vectors_[cells_.at(i + 1, j + 1)] == first;
  }

  Found search_whole(const Forecast& known, int row, int column) {
    SquareSearch<16> search(scene_, known, 16 * column, 16 * row);
    for (int k = 0; k < known.count; ++k) attempt(search, known.candidates[static_cast<std::size_t>(k)]);
    const Found exact = search.best;
    search.best = {};
    search.attempt_whole(exact.vector.x, exact.vector.y);
    constexpr int kAround[5][2] = {{0, 0}, {0, 1}, {1, 0}, {0, -1}, {-1, 0}};
    for (const auto& [down, across] : kAround) {
      const int i = row + down, j = column + across;
      if (i < 0 || j < 0 || i >= rows() || j >= columns()) continue;
      const Vector coarse = scene_.coarse[static_cast<std::size_t>(i * columns() + j)];
      search.attempt(4 * coarse.x, 4 * coarse.y);
      if (cells_.previous != nullptr) attempt_whole(search, cells_.previous[cells_.at(2 * i, 2 * j)]);
    }
    if (scene_.start != nullptr) attempt_whole(search, scene_.start[cells_.at(2 * row, 2 * column)]);
    if (scene_.start != nullptr) attempt_whole(search, scene_.start[cells_.at(2 * row + 1, 2 * column + 1)]);
    search.refine(4, kMostSteps);
    if (exact.cost <= search.best.cost) search.best = exact;
    search.fraction(2);
    search.fraction(1);
    return search.best;
  }

  template <int Side>
  static void attempt(SquareSearch<Side>& search, Vector vector) {
    search.attempt(vector.x, vector.y);
  }

  template <int Side>
  static void attempt_whole(SquareSearch<Side>& search, Vector vector) {
    search.attempt_whole(vector.x, vector.y);
  }

  // The cost of the block in parts, which are written; stops where it exceeds that of the whole one.
  int search_parts(int i, int j, const Found& whole) {
    int cost = static_cast<int>(scene_.weight * (kSplitBits + kElseBits[1]));
    for (int k = 0; k < 4 && cost < whole.cost; ++k) {
      const int row = i + k / 2, column = j + k % 2;
      if (!inside(row, column)) continue;
      const Found part = search_part(row, column, whole.vector);
      cost += part.cost;
      if (k == 0) fill(i, j, part.vector);
      vectors_[cells_.at(row, column)] = part.vector;
    }
    return cost;
  }

  Found search_part(int row, int column, Vector whole) {
    const Forecast known = forecast(cells_, row, column, 1);
    SquareSearch<8> search(scene_, known, 8 * column, 8 * row);
    for (int k = 0; k < known.count; ++k) attempt(search, known.candidates[static_cast<std::size_t>(k)]);
    attempt(search, whole);
    if (cells_.previous != nullptr) attempt(search, cells_.previous[cells_.at(row, column)]);
    if (scene_.start != nullptr) attempt(search, scene_.start[cells_.at(row, column)]);
    search.refine(4, 2);
    search.fraction(2);
    search.fraction(1);
    return search.best;
  }

  const Scene& scene_;
  Vector* vectors_;
  Cells cells_;
  int width_, height_;
};

// Each thread takes the next row that nobody has; a block waits for the one above right of it.
class Rows {
 public:
  Rows(FieldSearch& search, int threads)
      : search_(search), done_(new std::atomic<int>[static_cast<std::size_t>(search.rows())]), threads_(threads) {
    for (int row = 0; row < search.rows(); ++row)
      done_[static_cast<std::size_t>(row)].store(0, std::memory_order_relaxed);
  }

  void work() {
    for (int row = next_.fetch_add(1); row < search_.rows(); row = next_.fetch_add(1))
      for (int column = 0; column < search_.columns(); ++column) {
        if (row > 0) await(row - 1, std::min(column + 2, search_.columns()));
        search_.block(row, column);
        done_[static_cast<std::size_t>(row)].store(column + 1, std::memory_order_release);
      }
  }

  void run() {
    std::vector<std::thread> others;
    for (int k = 1; k < std::min(threads_, search_.rows()); ++k) try {
        others.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        break;  // the others do its share
      }
    work();
    for (std::thread& other : others) other.join();
  }

 private:
  void await(int row, int columns) const {
    while (done_[static_cast<std::size_t>(row)].load(std::memory_order_acquire) < columns) std::this_thread::yield();
  }

  FieldSearch& search_;
  std::unique_ptr<std::atomic<int>[]> done_;
  std::atomic<int> next_{0};
  int threads_;
};

}  // namespace

void search_motion(const SearchPictures& pictures, const Vector* previous, const SearchSettings& settings,
                   Vector* vectors) {
  const Image current(pictures.current, pictures.width, pictures.height);
  const Image reference(pictures.reference, pictures.width, pictures.height);
  const int rows = cells_of(pictures.height) / 2, columns = cells_of(pictures.width) / 2;
  const std::vector<Vector> coarse = coarse_motion(current, reference, rows, columns, settings.weight);
  const Scene scene{current, reference, settings.start, coarse, settings.weight / 16};
  FieldSearch search(scene, vectors, previous, pictures.width, pictures.height);
  Rows(search, settings.threads).run();
}

}  // namespace nvcodec
