#include "motion_code.hpp"

#include <algorithm>
#include <cstdlib>

#include "chain.hpp"
#include "rans.hpp"
#include "symbols.hpp"
#include "warp.hpp"

namespace nvcodec {
namespace {

constexpr std::uint16_t kDifferenceTables = 64;
constexpr int kFirstScale = 13;  // table of a mean of one sixteenth
constexpr int kMeanLow = 4;      // sixteenths
constexpr int kWidest = kVectorHigh - kVectorLow;
constexpr int kCopies = kMaxCandidates - 1;

// Contexts of flags: how many there are of each, one kind after the other.
enum Flag : int {
  kSame = 0,
  kSplit = kSame + 3 * kSpreads,
  kCopy = kSplit + 3,
  kPartSame = kCopy + kCopies,
  kPartCopy = kPartSame + kSpreads,
  kFlags = kPartCopy + kCopies
};

// What flags and differences are expected to be before the first of them, measured on films.
constexpr std::array<int, kFlags> kFirstChances = {3650, 2550, 2270, 2200, 2760, 1700, 1450, 1240, 2100, 1000,
                                                   620,  470,  800,  2150, 3050, 1750, 655,  324,  164,  53,
                                                   2170, 1500, 1160, 1000, 1290, 830,  520,  280,  240};
constexpr std::array<std::array<int, kSpreads>, 2> kFirstAcross = {{{120, 66, 140, 340}, {120, 66, 130, 340}}};
constexpr std::array<std::array<int, kSpreads>, 2> kFirstDown = {{{160, 40, 100, 340}, {100, 55, 100, 340}}};

// The chance of a one in 4096ths, learnt from the flags so far: fast at first.
struct Chance {
  int one = 0, seen = 0;

  std::uint16_t table() const { return static_cast<std::uint16_t>(one >> 6); }
  void learn(bool flag) {
    const int shift = seen < 4 ? 3 : seen < 10 ? 4 : seen < 40 ? 5 : 6;
    one += flag ? (4096 - one) >> shift : -(one >> shift);
    seen = std::min(seen + 1, 40);
  }
};

// The mean magnitude of a difference in sixteenths, learnt from those so far.
struct Magnitude {
  int mean = 0;

  std::uint16_t table() const {
    const int whole = static_cast<int>(floor_log2(static_cast<std::uint32_t>(mean)));
    return static_cast<std::uint16_t>(kDifferenceTables + kFirstScale + 8 * whole + (((mean << 3) >> whole) & 7));
  }
  void learn(int difference) { mean = std::max(kMeanLow, mean + (16 * std::abs(difference) - mean) / 8); }
};

// Both coders take what they are told and say what was coded.
class Writer {
 public:
  int code(std::uint16_t table, int value) {
    values_.push_back(value);
    tables_.push_back(table);
    return value;
  }
  std::vector<std::uint8_t> finish(const TableSet& tables) const {
    return encode_chain(values_.data(), {tables, tables_.data(), tables_.size()});
  }

 private:
  std::vector<std::int32_t> values_;
  std::vector<std::uint16_t> tables_;
};

class Reader {
 public:
  Reader(const std::uint8_t* data, std::size_t size, const TableSet& tables)
      : tables_(tables), at_(open_chain(data, size)) {}
  int code(std::uint16_t table, int) {
    std::int32_t value = 0;
    decode_chain(at_, {tables_, &table, 1}, &value);
    return value;
  }
  void finish() const { finish_chain(at_); }

 private:
  const TableSet& tables_;
  ChainCursor at_;
};

// Without a decoder to follow, the field that every flag "same" makes.
class Repeater {
 public:
  int code(std::uint16_t, int) { return -1; }
};

// Walks over the blocks of a field. Where it encodes, the vectors are there already and are written as they are.
template <typename Coder>
class FieldCoder {
 public:
  FieldCoder(Coder& coder, Vector* vectors, const Vector* previous, int width, int height)
      : coder_(coder),
        vectors_(vectors),
        cells_{vectors, previous, cells_of(height), cells_of(width)},
        width_(width),
        height_(height) {
    const std::size_t blocks = cells_.at(cells_.rows, 0) / 4;
    other_.assign(blocks, 0);
    split_.assign(blocks, 0);
    for (std::size_t k = 0; k < kFirstChances.size(); ++k) chances_[k].one = kFirstChances[k];
    for (std::size_t part = 0; part < 2; ++part)
      for (std::size_t k = 0; k < kSpreads; ++k) {
        across_[part][k].mean = kFirstAcross[part][k];
        down_[part][k].mean = kFirstDown[part][k];
      }
  }

  void run() {
    for (int row = 0; row < cells_.rows; row += 2)
      for (int column = 0; column < cells_.columns; column += 2) block(row, column);
  }

 private:
  bool flag(int context, bool value) {
    Chance& chance = chances_[static_cast<std::size_t>(context)];
    const int coded = coder_.code(chance.table(), value ? -1 : 0);
    if (coded != 0 && coded != -1) throw_damaged("a flag of a motion field is neither 0 nor 1");
    chance.learn(coded != 0);
    return coded != 0;
  }

  int difference(Magnitude& magnitude, int value) {
    const int coded = coder_.code(magnitude.table(), value);
    if (coded < -kWidest || coded > kWidest) throw_damaged("a vector of a motion field is out of range");
    magnitude.learn(coded);
    return coded;
  }

  static std::int16_t sum(std::int16_t predictor, int difference) {
    const int value = predictor + difference;
    if (value < kVectorLow || value > kVectorHigh) throw_damaged("a vector of a motion field is out of range");
    return static_cast<std::int16_t>(value);
  }

  static int step_of(int difference) {
    const int size = std::abs(difference);
    return size == 0 ? 0 : size < 4 ? 1 : size < 16 ? 2 : 3;
  }

  // A vector that is not candidate 0: another one, or a difference from the first.
  Vector other(const Forecast& known, int copy, std::size_t part, Vector wanted) {
    for (int k = 1; k < known.count; ++k) {
      const Vector candidate = known.candidates[static_cast<std::size_t>(k)];
      if (flag(copy + k - 1, wanted == candidate)) return candidate;
    }
    const Vector from = known.candidates[0];
    const int x = difference(across_[part][static_cast<std::size_t>(known.spread)], wanted.x - from.x);
    const int y = difference(down_[part][static_cast<std::size_t>(step_of(x))], wanted.y - from.y);
    return {sum(from.x, x), sum(from.y, y)};
  }

  // How many of the blocks to the left and above are marked.
  int around(const std::vector<std::uint8_t>& marks, int row, int column) const {
    const std::size_t here = index(row, column), across = static_cast<std::size_t>(cells_.columns / 2);
    return (column > 0 ? marks[here - 1] : 0) + (row > 0 ? marks[here - across] : 0);
  }

  std::size_t index(int row, int column) const { return cells_.at(row / 2, column) / 2; }

  bool inside(int row, int column) const { return 8 * row < height_ && 8 * column < width_; }

  void fill(int row, int column, Vector vector) {
    for (int k = 0; k < 4; ++k) vectors_[cells_.at(row + k / 2, column + k % 2)] = vector;
  }

  bool parts_differ(int row, int column) const {
    const Vector first = vectors_[cells_.at(row, column)];
    for (int k = 1; k < 4; ++k)
      if (vectors_[cells_.at(row + k / 2, column + k % 2)] != first) return true;
    return false;
  }

  void block(int row, int column) {
    const Forecast known = forecast(cells_, row, column, 2);
    const Vector wanted = vectors_[cells_.at(row, column)];
    const bool split = parts_differ(row, column);
    const int context = kSame + kSpreads * around(other_, row, column) + known.spread;
    if (flag(context, !split && wanted == known.candidates[0])) return fill(row, column, known.candidates[0]);
    other_[index(row, column)] = 1;
    const bool divisible = inside(row, column + 1) || inside(row + 1, column);
    if (divisible && flag(kSplit + around(split_, row, column), split)) return parts(row, column);
    fill(row, column, other(known, kCopy, 0, wanted));
  }

  void parts(int row, int column) {
    split_[index(row, column)] = 1;
    std::array<Vector, 4> wanted{};
    for (int k = 0; k < 4; ++k) wanted[static_cast<std::size_t>(k)] = vectors_[cells_.at(row + k / 2, column + k % 2)];
    for (int k = 0; k < 4; ++k) {
      const int i = row + k / 2, j = column + k % 2;
      if (!inside(i, j)) continue;
      const Vector coded = part(i, j, wanted[static_cast<std::size_t>(k)]);
      if (k == 0) fill(row, column, coded);  // parts outside the picture keep it
      vectors_[cells_.at(i, j)] = coded;
    }
    if (!parts_differ(row, column)) throw_damaged("a split block of a motion field has equal parts");
  }

  Vector part(int row, int column, Vector wanted) {
    const Forecast known = forecast(cells_, row, column, 1);
    if (flag(kPartSame + known.spread, wanted == known.candidates[0])) return known.candidates[0];
    return other(known, kPartCopy, 1, wanted);
  }

  Coder& coder_;
  Vector* vectors_;
  Cells cells_;
  int width_, height_;
  std::vector<std::uint8_t> other_, split_;  // of each block: not as predicted, split
  std::array<Chance, kFlags> chances_{};
  std::array<std::array<Magnitude, kSpreads>, 2> across_{}, down_{};  // of blocks, of parts
};

}  // namespace

std::vector<std::uint8_t> encode_motion(const Cells& cells, int width, int height, const TableSet& tables) {
  std::vector<Vector> vectors(cells.vectors, cells.vectors + cells.at(cells.rows, 0)), repeated(vectors.size());
  Repeater repeater;
  FieldCoder<Repeater>(repeater, repeated.data(), cells.previous, width, height).run();
  if (vectors == repeated) return {};
  Writer writer;
  FieldCoder<Writer>(writer, vectors.data(), cells.previous, width, height).run();
  return writer.finish(tables);
}

void decode_motion(const std::uint8_t* data, std::size_t size, const Vector* previous, int width, int height,
                   const TableSet& tables, Vector* vectors) {
  if (size == 0) {
    Repeater repeater;
    return FieldCoder<Repeater>(repeater, vectors, previous, width, height).run();
  }
  Reader reader(data, size, tables);
  FieldCoder<Reader>(reader, vectors, previous, width, height).run();
  reader.finish();
}

}  // namespace nvcodec
