// SPDX-License-Identifier: Apache-2.0
// The attention map of one head, every cell of it, without ever holding it: cells, rows, columns
// and tiles at any zoom are recomputed from the record, exactly. The same over a matrix that
// somebody else computed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "regard/attention/overview.h"
#include "regard/attention/score.h"
#include "regard/platform/threads.h"

namespace regard {

enum class Pool { kMean, kMax, kSum };
// Throws Error (usage) naming the three.
Pool pool_named(std::string_view name);

// Half-open ranges of queries (rows) and keys (columns).
struct Region {
  std::int64_t row_begin, row_end, column_begin, column_end;
};

// A key and its weight in some row.
struct WeightedKey {
  std::int64_t key;
  float weight;
};
// The fewest largest weights of a row whose sum reaches `share` (0 to 1] of the row's own sum,
// largest first, equal weights by key. Sums are doubles; a share below 1 counts as reached when
// 1e-6 of the sum is missing, the rounding of float weights. Throws Error (usage) for other shares.
std::vector<WeightedKey> fewest_holding(std::span<const float> row, double share);

// What the rows of a map do, each a mean over the rows that see anything (docs/mathematics.md,
// "Measures of a head"). By position query q stands at key q + columns - rows.
struct MapMeasures {
  std::int64_t rows = 0;  // that see anything
  double entropy = 0;     // of the row divided by its sum, in bits
  double distance = 0;    // |key - query| weighted by the row divided by its sum
  double previous = 0;  // weight of the key before the query's own position; 0 where there is none
  double next = 0;      // of the one after
  double same = 0;      // of the one there
  double first = 0;     // of key 0
  double marked = 0;    // of all marked keys together
};

// The cells of a tile: at most so many along an edge, the last one taking the remainder; or cells
// of so many rows and columns of the map each, the last one smaller.
struct TileSize {
  TileSize(std::int64_t cells) : most(cells) {}  // NOLINT: a number is a size
  TileSize(std::int64_t rows, std::int64_t columns) : height(rows), width(columns) {}
  std::int64_t most = 0;  // 0: as many as there are
  std::int64_t height = 0, width = 0;
};

// Non-owning: record, overview or matrix must outlive it. Everything is computed on all cores.
// Recomputed logits are the forward pass's bits on one instruction set. Functions that recompute
// throw Error naming query and key when a weight comes out NaN or above 1 (a record whose parts do
// not belong together), and Error (usage) when asked for what lies outside.
// Thread safety: const members may be called from any number of threads.
class AttentionMap {
 public:
  // overview: of this head, or none. name: what errors call the map, such as "t.safetensors: L3H1".
  explicit AttentionMap(const HeadView& head, const OverviewView& overview = {},
                        std::string name = "attention map");
  // weights: [rows, columns], dense, row-major.
  AttentionMap(const float* weights, std::int64_t rows, std::int64_t columns);

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  const OverviewView& overview() const { return overview_; }
  // Keys outside of which the mask leaves nothing of rows [begin, end), not empty.
  ScoreSpec::Range seen(std::int64_t begin, std::int64_t end) const;

  // Weight of key `k` for query `q`.
  float cell(std::int64_t q, std::int64_t k) const;
  // Logits after scale, cap and mask (-inf), one or a row [columns]. REQUIRES: made from a record.
  float logit(std::int64_t q, std::int64_t k) const;
  void logits(std::int64_t q, std::span<float> out) const;
  // out: [columns] resp. [rows]. Both cost O(tokens * dim).
  void row(std::int64_t q, std::span<float> out) const;
  void column(std::int64_t k, std::span<float> out) const;
  // Rows [begin, end) into out: [end - begin, columns], dense.
  void read_rows(std::int64_t begin, std::int64_t end, float* out) const;
  // A region into out: [rows, columns] of the region, dense.
  void read(const Region& region, float* out, const CancelToken* cancel = nullptr) const;

  // The `count` largest weights of a row, largest first, equal ones by key; and the fewest that
  // hold `share` of its sum.
  std::vector<WeightedKey> top(std::int64_t q, std::size_t count) const;
  std::vector<WeightedKey> holding(std::int64_t q, double share) const;
  // Sum of each row (column) of the region over its columns (rows).
  std::vector<float> row_sums(const Region& region, const CancelToken* cancel = nullptr) const;
  std::vector<float> column_sums(const Region& region, const CancelToken* cancel = nullptr) const;

  // One pass over the map, a block at a time; nothing of its size is held. marked: [columns], or
  // empty for none. Given weights below 0 count as 0.
  MapMeasures measures(std::span<const std::uint8_t> marked,
                       const CancelToken* cancel = nullptr) const;

  // The region pooled to cells (row-major): cell (i, j) pools rows [i * h, (i + 1) * h) and columns
  // [j * w, (j + 1) * w) of the region, h and w given or extent / most rounded down (at least 1). A
  // region smaller than `most` gives its own extent: no upsampling. Mean divides by the block's
  // cells, masked ones included. Whole blocks of the overview inside a cell are taken from it, the
  // rest is recomputed.
  struct Tile {
    std::int64_t rows, columns;
    std::vector<float> cells;
  };
  // Rows and columns of a tile of a region, not empty.
  static std::pair<std::int64_t, std::int64_t> shape(const Region& region, const TileSize& size);
  Tile tile(const Region& region, const TileSize& size, Pool pool,
            const CancelToken* cancel = nullptr) const;
  // Weights that tile() recomputes for this; 0 where the overview has every cell.
  std::int64_t recomputed(const Region& region, const TileSize& size) const;
  // The same tile of several maps of one extent, such as all heads of a layer; the cores share
  // them.
  static std::vector<Tile> tiles(std::span<const AttentionMap> maps, const Region& region,
                                 const TileSize& size, Pool pool,
                                 const CancelToken* cancel = nullptr);

  // The tile as the overview alone knows it, at once: exact for cells made of whole blocks; else a
  // block's weight is spread evenly over it (mean, sum), or the largest of the blocks that a cell
  // touches (max: an upper bound). REQUIRES: overview().
  Tile estimate(const Region& region, const TileSize& size, Pool pool) const;
  // From coarse to exact: visit(tile, done) first with the estimate and done = 0 (when there is an
  // overview; without one, cells not yet computed are 0), then as cells become exact, evenly spread
  // rows first, until done = 1. Called from the calling thread; the tile is the final one then.
  using Sharper = std::function<void(const Tile& tile, double done)>;
  void sharpen(const Region& region, const TileSize& size, Pool pool, const Sharper& visit,
               const CancelToken* cancel = nullptr) const;

 private:
  friend class TilePooling;
  HeadView head_;
  OverviewView overview_;
  std::string name_;
  const float* weights_ = nullptr;
  std::int64_t rows_, columns_;
};

}  // namespace regard
