// SPDX-License-Identifier: Apache-2.0
// Regions of a map, dense or pooled to tiles: from the overview where whole blocks of it lie in a
// cell, recomputed elsewhere. docs/mathematics.md, "Tile".
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "regard/attention/attention_map.h"
#include "regard/attention/recompute.h"
#include "regard/platform/error.h"

namespace regard {

// A region cut into a grid of cells, and the cells into tasks: bands of rows by groups of columns.
// Thread safety: const members may be called from any number of threads, each task once.
class TilePooling {
 public:
  // Cells of h x w rows and columns, `rows` x `columns` of them, the last ones ending with the
  // region; out: [rows, columns].
  struct Grid {
    std::int64_t rows, columns, h, w;
  };
  TilePooling(const AttentionMap& map, const Region& region, const Grid& grid, Pool pool,
              float* out)
      : map_(map),
        region_(region),
        pool_(pool),
        rows_(grid.rows),
        columns_(grid.columns),
        h_(grid.h),
        w_(grid.w),
        out_(out) {
    dense_ = height() == rows_ && width() == columns_;
    const std::int64_t edge = map.overview_.edge;
    blocks_ =
        map.overview_ && h_ >= std::min(edge, map.rows_) && w_ >= std::min(edge, map.columns_);
    known_ = blocks_ && made_of_blocks();
    // Blocks of queries are full, and narrow regions take many of them at once.
    const std::int64_t rows_a_task = kQueryBlock * (width() < kQueryBlock ? 16 : 1);
    band_ = std::max<std::int64_t>(1, known_ ? kCellsOfTask / columns_ : rows_a_task / h_);
    group_ = known_ ? columns_ : std::max<std::int64_t>(1, kKeysOfTask / w_);
  }

  std::int64_t tasks() const { return bands() * groups(); }
  // Whether every cell is whole blocks of the overview.
  bool known() const { return known_; }

  // Weights that are computed, not taken from the overview.
  std::int64_t recomputed() const {
    if (known_) return 0;
    if (!blocks_) return height() * width();
    std::int64_t rows = 0, columns = 0;  // in whole blocks inside a cell
    for (std::int64_t i = 0; i < rows_; ++i)
      rows +=
          std::max<std::int64_t>(0, down(row_at(i + 1), map_.rows_) - up(row_at(i), map_.rows_));
    for (std::int64_t j = 0; j < columns_; ++j)
      columns += std::max<std::int64_t>(
          0, down(column_at(j + 1), map_.columns_) - up(column_at(j), map_.columns_));
    return height() * width() - rows * columns;
  }

  // Tasks of one band follow one another.
  void run(std::int64_t task) const {
    Part part;
    part.i0 = task / groups() * band_;
    part.i1 = std::min(rows_, part.i0 + band_);
    part.j0 = task % groups() * group_;
    part.j1 = std::min(columns_, part.j0 + group_);
    if (dense_) return copy(part);
    if (known_) return add_blocks(part.i0, part.i1);
    part.cells.assign(static_cast<std::size_t>((part.i1 - part.i0) * (part.j1 - part.j0)), 0.0);
    if (map_.weights_ != nullptr) {
      add_given(&part);
    } else {
      BlockScratch scratch(map_.head_.dim);
      if (blocks_) {
        for (std::int64_t i = part.i0; i < part.i1; ++i) add_with_blocks(i, &part, &scratch);
      } else {
        add(row_at(part.i0), row_at(part.i1), column_at(part.j0), column_at(part.j1), &part,
            &scratch);
      }
    }
    finish(part);
  }

  // What the overview alone says: AttentionMap::estimate.
  void estimate() const {
    if (known_) {
      parallel_for(tasks(), [&](std::int64_t task) { run(task); });
      return;
    }
    const OverviewView& overview = map_.overview_;
    const std::int64_t edge = overview.edge;
    parallel_for(rows_, [&](std::int64_t i) {
      const std::int64_t q0 = row_at(i), q1 = row_at(i + 1);
      for (std::int64_t j = 0; j < columns_; ++j) {
        const std::int64_t k0 = column_at(j), k1 = column_at(j + 1);
        double sum = 0;
        double top = 0;
        for (std::int64_t a = q0 / edge; a * edge < q1; ++a)
          for (std::int64_t b = k0 / edge; b * edge < k1; ++b) {
            const double value = block(a, b);
            top = std::max(top, value);
            sum += value * share(a, q0, q1, overview.queries) * share(b, k0, k1, overview.keys);
          }
        store(i, j, pool_ == Pool::kMax ? top : sum);
      }
    });
  }

 private:
  static constexpr std::int64_t kKeysOfTask = 1024;
  static constexpr std::int64_t kCellsOfTask = 32768;  // of a tile that the overview has

  // The cells [i0, i1) x [j0, j1) of a task.
  struct Part {
    std::int64_t i0, i1, j0, j1;
    std::vector<double> cells;  // [i1 - i0, j1 - j0]
    double& at(std::int64_t i, std::int64_t j) {
      return cells[static_cast<std::size_t>((i - i0) * (j1 - j0) + j - j0)];
    }
  };

  bool made_of_blocks() const {
    for (std::int64_t i = 0; i <= rows_; ++i)
      if (down(row_at(i), map_.rows_) != row_at(i)) return false;
    for (std::int64_t j = 0; j <= columns_; ++j)
      if (down(column_at(j), map_.columns_) != column_at(j)) return false;
    return true;
  }
  std::int64_t height() const { return region_.row_end - region_.row_begin; }
  std::int64_t width() const { return region_.column_end - region_.column_begin; }
  std::int64_t bands() const { return (rows_ + band_ - 1) / band_; }
  std::int64_t groups() const { return (columns_ + group_ - 1) / group_; }
  std::int64_t row_at(std::int64_t i) const {
    return i == rows_ ? region_.row_end : region_.row_begin + i * h_;
  }
  std::int64_t column_at(std::int64_t j) const {
    return j == columns_ ? region_.column_end : region_.column_begin + j * w_;
  }
  std::int64_t row_of(std::int64_t q) const {
    return std::min((q - region_.row_begin) / h_, rows_ - 1);
  }
  std::int64_t column_of(std::int64_t k) const {
    return std::min((k - region_.column_begin) / w_, columns_ - 1);
  }
  // Block edges at or below (above) a position; the map's end is one.
  std::int64_t down(std::int64_t at, std::int64_t end) const {
    return at == end ? end : at / map_.overview_.edge * map_.overview_.edge;
  }
  std::int64_t up(std::int64_t at, std::int64_t end) const {
    const std::int64_t edge = map_.overview_.edge;
    return std::min(end, (at + edge - 1) / edge * edge);
  }
  // What the overview says of a block: its largest weight or its sum.
  double block(std::int64_t row, std::int64_t column) const {
    const OverviewView& overview = map_.overview_;
    const std::int64_t at = row * overview.column_blocks() + column;
    const auto value =
        static_cast<double>(pool_ == Pool::kMax ? overview.max[at] : overview.sum[at]);
    if (value >= 0 && value < std::numeric_limits<double>::infinity()) return value;
    throw Error::at(map_.name_, fmt::format("overview block {}, {}", row, column),
                    "a sum or maximum of weights", fmt::format("{}", value));
  }
  // The share of block `index` of [0, count) that lies in [begin, end).
  double share(std::int64_t index, std::int64_t begin, std::int64_t end, std::int64_t count) const {
    const std::int64_t first = index * map_.overview_.edge;
    const std::int64_t last = std::min(count, first + map_.overview_.edge);
    return static_cast<double>(std::min(end, last) - std::max(begin, first)) /
           static_cast<double>(last - first);
  }

  void pool_into(double* cell, double value) const {
    *cell = pool_ == Pool::kMax ? std::max(*cell, value) : *cell + value;
  }
  void store(std::int64_t i, std::int64_t j, double value) const {
    if (pool_ == Pool::kMean)
      value /= static_cast<double>((row_at(i + 1) - row_at(i)) * (column_at(j + 1) - column_at(j)));
    out_[i * columns_ + j] = static_cast<float>(value);
  }
  void finish(Part& part) const {
    for (std::int64_t i = part.i0; i < part.i1; ++i)
      for (std::int64_t j = part.j0; j < part.j1; ++j) store(i, j, part.at(i, j));
  }

  // Cells that are single weights.
  void copy(const Part& part) const {
    const std::int64_t k0 = column_at(part.j0), k1 = column_at(part.j1);
    if (map_.weights_ != nullptr) {
      for (std::int64_t i = part.i0; i < part.i1; ++i) {
        const float* row = map_.weights_ + row_at(i) * map_.columns_;
        std::copy(row + k0, row + k1, out_ + i * columns_ + part.j0);
      }
      return;
    }
    BlockScratch scratch(map_.head_.dim);
    for (std::int64_t q = row_at(part.i0); q < row_at(part.i1); q += kQueryBlock) {
      const std::int64_t rows = std::min(kQueryBlock, row_at(part.i1) - q);
      const ScoreSpec::Range seen = visible_keys(map_.head_, q, rows);
      float* out = out_ + (q - region_.row_begin) * columns_ - region_.column_begin;
      const std::int64_t first = std::clamp(seen.begin, k0, k1);
      const std::int64_t last = std::clamp(seen.end, first, k1);
      for (std::int64_t r = 0; r < rows; ++r) {
        std::fill(out + r * columns_ + k0, out + r * columns_ + first, 0.0f);
        std::fill(out + r * columns_ + last, out + r * columns_ + k1, 0.0f);
      }
      if (first < last) load_queries(map_.head_, q, rows, &scratch);
      for (std::int64_t k = first; k < last; k += kBlockKeys) {
        const std::int64_t keys = std::min(kBlockKeys, last - k);
        block_weights(map_.head_, map_.name_, {q, rows, k, keys}, &scratch);
        copy_rows(scratch.cells.data(), rows, keys, out + k, columns_);
      }
    }
  }

  void add_given(Part* part) const {
    for (std::int64_t q = row_at(part->i0); q < row_at(part->i1); ++q)
      for (std::int64_t j = part->j0; j < part->j1; ++j)
        for (std::int64_t k = column_at(j); k < column_at(j + 1); ++k)
          pool_into(&part->at(row_of(q), j),
                    static_cast<double>(map_.weights_[q * map_.columns_ + k]));
  }

  // Recomputes queries [q0, q1) x keys [k0, k1) into the cells that they belong to.
  void add(std::int64_t q0, std::int64_t q1, std::int64_t k0, std::int64_t k1, Part* part,
           BlockScratch* scratch) const {
    if (k0 >= k1) return;  // most cells of a map seen whole have no strips
    alignas(64) float tops[kQueryBlock];
    double values[kQueryBlock];
    for (std::int64_t q = q0; q < q1; q += kQueryBlock) {
      const std::int64_t rows = std::min(kQueryBlock, q1 - q);
      const ScoreSpec::Range seen = visible_keys(map_.head_, q, rows);
      const std::int64_t first = std::clamp(seen.begin, k0, k1);
      const std::int64_t last = std::clamp(seen.end, first, k1);
      if (first < last) load_queries(map_.head_, q, rows, scratch);
      for (std::int64_t k = first; k < last; k += kBlockKeys) {
        const std::int64_t end = std::min(last, k + kBlockKeys);
        block_weights(map_.head_, map_.name_, {q, rows, k, end - k}, scratch);
        for (std::int64_t piece = k; piece < end;) {
          const std::int64_t j = column_of(piece);
          const std::int64_t stop = std::min(end, column_at(j + 1));
          const float* cells = scratch->cells.data() + (piece - k) * kQueryBlock;
          if (pool_ == Pool::kMax) {
            largest_over_keys(cells, rows, stop - piece, tops);
            std::copy(tops, tops + rows, values);
          } else {
            sum_over_keys(cells, rows, stop - piece, values);
          }
          for (std::int64_t r = 0; r < rows; ++r) pool_into(&part->at(row_of(q + r), j), values[r]);
          piece = stop;
        }
      }
    }
  }

  // Rows [i0, i1) of a grid whose cells are whole blocks.
  void add_blocks(std::int64_t i0, std::int64_t i1) const {
    const std::int64_t edge = map_.overview_.edge;
    for (std::int64_t i = i0; i < i1; ++i)
      for (std::int64_t j = 0; j < columns_; ++j) {
        double cell = 0;
        for (std::int64_t a = row_at(i) / edge; a * edge < row_at(i + 1); ++a)
          for (std::int64_t b = column_at(j) / edge; b * edge < column_at(j + 1); ++b)
            pool_into(&cell, block(a, b));
        store(i, j, cell);
      }
  }

  // Row i of the grid: whole blocks from the overview, strips around them recomputed.
  void add_with_blocks(std::int64_t i, Part* part, BlockScratch* scratch) const {
    const OverviewView& overview = map_.overview_;
    const std::int64_t q0 = row_at(i), q1 = row_at(i + 1);
    const std::int64_t k0 = column_at(part->j0), k1 = column_at(part->j1);
    const std::int64_t first = std::min(q1, up(q0, map_.rows_));
    const std::int64_t last = std::max(first, down(q1, map_.rows_));
    add(q0, first, k0, k1, part, scratch);
    add(last, q1, k0, k1, part, scratch);
    if (first == last) return;
    std::int64_t done = k0;  // keys before it are in, for queries [first, last)
    for (std::int64_t j = part->j0; j < part->j1; ++j) {
      const std::int64_t begin = up(column_at(j), map_.columns_);
      const std::int64_t end = down(column_at(j + 1), map_.columns_);
      if (begin >= end) continue;
      add(first, last, done, begin, part, scratch);
      done = end;
      double& cell = part->at(i, j);
      for (std::int64_t a = first / overview.edge; a * overview.edge < last; ++a)
        for (std::int64_t b = begin / overview.edge; b * overview.edge < end; ++b)
          pool_into(&cell, block(a, b));
    }
    add(first, last, done, k1, part, scratch);
  }

  const AttentionMap& map_;
  Region region_;
  Pool pool_;
  std::int64_t rows_, columns_, h_, w_;
  std::int64_t band_, group_;  // rows and columns of a task
  bool dense_;                 // cells are single weights
  bool blocks_;                // cells are large enough to hold whole blocks of the overview
  bool known_;                 // and are made of nothing else
  float* out_;
};

namespace {

void check_region(const AttentionMap& map, const Region& region) {
  if (region.row_begin < 0 || region.row_end > map.rows() || region.row_begin >= region.row_end ||
      region.column_begin < 0 || region.column_end > map.columns() ||
      region.column_begin >= region.column_end)
    throw Error(fmt::format("region: expected rows within 0:{} and columns within 0:{}, not empty, "
                            "found {}:{} and {}:{}",
                            map.rows(), map.columns(), region.row_begin, region.row_end,
                            region.column_begin, region.column_end),
                Error::Kind::kUsage);
}

TilePooling::Grid grid_of(const Region& region, const TileSize& size) {
  constexpr std::int64_t kMost = 32768;
  const std::int64_t height = region.row_end - region.row_begin;
  const std::int64_t width = region.column_end - region.column_begin;
  if (size.most != 0) {
    if (size.most < 1 || size.most > kMost)
      throw Error(fmt::format("tile: expected a size of 1 to {}, found {}", kMost, size.most),
                  Error::Kind::kUsage);
    const std::int64_t rows = std::min(size.most, height), columns = std::min(size.most, width);
    return {rows, columns, height / rows, width / columns};
  }
  if (size.height < 1 || size.width < 1)
    throw Error(fmt::format("tile: expected a size or cells of at least 1 x 1, found {} x {}",
                            size.height, size.width),
                Error::Kind::kUsage);
  const std::int64_t h = std::min(size.height, height), w = std::min(size.width, width);
  const TilePooling::Grid grid{(height - 1) / h + 1, (width - 1) / w + 1, h, w};
  if (grid.rows > kMost * kMost / grid.columns)
    throw Error(fmt::format("tile: expected at most {} cells, found {} x {}", kMost * kMost,
                            grid.rows, grid.columns),
                Error::Kind::kUsage);
  return grid;
}

TilePooling::Grid grid_of(const AttentionMap& map, const Region& region, const TileSize& size) {
  check_region(map, region);
  return grid_of(region, size);
}

AttentionMap::Tile empty_tile(const TilePooling::Grid& grid) {
  return {grid.rows, grid.columns,
          std::vector<float>(static_cast<std::size_t>(grid.rows * grid.columns))};
}

void run_all(const TilePooling& pooling, const CancelToken* cancel) {
  parallel_for(pooling.tasks(), [&](std::int64_t task) { pooling.run(task); }, cancel);
}

}  // namespace

void AttentionMap::read(const Region& region, float* out, const CancelToken* cancel) const {
  check_region(*this, region);
  const std::int64_t rows = region.row_end - region.row_begin;
  const std::int64_t columns = region.column_end - region.column_begin;
  run_all(TilePooling(*this, region, {rows, columns, 1, 1}, Pool::kSum, out), cancel);
}

std::vector<float> AttentionMap::row_sums(const Region& region, const CancelToken* cancel) const {
  check_region(*this, region);
  const std::int64_t rows = region.row_end - region.row_begin;
  const std::int64_t columns = region.column_end - region.column_begin;
  std::vector<float> sums(static_cast<std::size_t>(rows));
  run_all(TilePooling(*this, region, {rows, 1, 1, columns}, Pool::kSum, sums.data()), cancel);
  return sums;
}

std::vector<float> AttentionMap::column_sums(const Region& region,
                                             const CancelToken* cancel) const {
  check_region(*this, region);
  const std::int64_t rows = region.row_end - region.row_begin;
  const std::int64_t columns = region.column_end - region.column_begin;
  std::vector<float> sums(static_cast<std::size_t>(columns));
  run_all(TilePooling(*this, region, {1, columns, rows, 1}, Pool::kSum, sums.data()), cancel);
  return sums;
}

std::pair<std::int64_t, std::int64_t> AttentionMap::shape(const Region& region,
                                                          const TileSize& size) {
  const TilePooling::Grid grid = grid_of(region, size);
  return {grid.rows, grid.columns};
}

std::int64_t AttentionMap::recomputed(const Region& region, const TileSize& size) const {
  return TilePooling(*this, region, grid_of(*this, region, size), Pool::kMax, nullptr).recomputed();
}

AttentionMap::Tile AttentionMap::tile(const Region& region, const TileSize& size, Pool pool,
                                      const CancelToken* cancel) const {
  return std::move(tiles({this, 1}, region, size, pool, cancel).front());
}

std::vector<AttentionMap::Tile> AttentionMap::tiles(std::span<const AttentionMap> maps,
                                                    const Region& region, const TileSize& size,
                                                    Pool pool, const CancelToken* cancel) {
  std::vector<Tile> tiles;
  std::vector<TilePooling> poolings;
  std::vector<std::int64_t> first = {0};  // task at which each map begins
  for (const AttentionMap& map : maps) {
    const TilePooling::Grid grid = grid_of(map, region, size);
    Tile& tile = tiles.emplace_back(empty_tile(grid));
    poolings.emplace_back(map, region, grid, pool, tile.cells.data());
    first.push_back(first.back() + poolings.back().tasks());
  }
  parallel_for(
      first.back(),
      [&](std::int64_t task) {
        const auto map = std::upper_bound(first.begin(), first.end(), task) - first.begin() - 1;
        const auto i = static_cast<std::size_t>(map);
        poolings[i].run(task - first[i]);
      },
      cancel);
  return tiles;
}

AttentionMap::Tile AttentionMap::estimate(const Region& region, const TileSize& size,
                                          Pool pool) const {
  const TilePooling::Grid grid = grid_of(*this, region, size);
  Tile tile = empty_tile(grid);
  if (!overview_) throw Error(name_ + ": expected an overview, found none");
  TilePooling(*this, region, grid, pool, tile.cells.data()).estimate();
  return tile;
}

void AttentionMap::sharpen(const Region& region, const TileSize& size, Pool pool,
                           const Sharper& visit, const CancelToken* cancel) const {
  constexpr std::int64_t kRounds = 8;
  const TilePooling::Grid grid = grid_of(*this, region, size);
  Tile tile = empty_tile(grid);
  const TilePooling pooling(*this, region, grid, pool, tile.cells.data());
  const std::int64_t tasks = pooling.tasks();
  std::int64_t rounds = std::min(kRounds, tasks);
  if (pooling.known()) {
    rounds = 1;
  } else if (overview_) {
    pooling.estimate();
    visit(tile, 0.0);
  }
  for (std::int64_t round = 0; round < rounds; ++round) {
    parallel_for((tasks - round + rounds - 1) / rounds,
                 [&](std::int64_t i) { pooling.run(round + i * rounds); }, cancel);
    visit(tile, static_cast<double>(round + 1) / static_cast<double>(rounds));
  }
}

}  // namespace regard
