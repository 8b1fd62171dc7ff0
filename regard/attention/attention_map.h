// SPDX-License-Identifier: Apache-2.0
// The attention map of one head, every cell of it, without ever holding it: cells, rows and tiles
// are recomputed from the record, exactly. The same over a matrix that somebody else computed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "regard/attention/score.h"
#include "regard/platform/threads.h"
#include "regard/tensor/tensor.h"

namespace regard {

enum class Pool { kMean, kMax, kSum };
// Throws Error (usage) naming the three.
Pool pool_named(std::string_view name);

// Half-open ranges of queries (rows) and keys (columns).
struct Region {
  std::int64_t row_begin, row_end, column_begin, column_end;
};

// Non-owning: the record or matrix must outlive it.
// Thread safety: const members may be called from any number of threads.
class AttentionMap {
 public:
  explicit AttentionMap(const HeadView& head);
  // weights: [rows, columns], dense, row-major.
  AttentionMap(const float* weights, std::int64_t rows, std::int64_t columns);

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }

  // Weight of key `k` for query `q`. Throws Error when out of range.
  float cell(std::int64_t q, std::int64_t k) const;
  // The logit after scale and cap, -inf where masked. REQUIRES: made from a record.
  float logit(std::int64_t q, std::int64_t k) const;
  // out: [columns].
  void row(std::int64_t q, std::span<float> out) const;
  // Rows [begin, end) into out: [end - begin, columns], dense.
  void read_rows(std::int64_t begin, std::int64_t end, float* out) const;

  // The region pooled to size x size cells (row-major): cell (i, j) pools rows
  // [i * h, (i + 1) * h) and columns [j * w, (j + 1) * w) of the region, h and w = extent / size
  // rounded down (at least 1), the last cell the remainder. A region smaller than `size` gives
  // its own extent: no upsampling. Mean divides by the block's cells, masked ones included.
  struct Tile {
    std::int64_t rows, columns;
    std::vector<float> cells;
  };
  Tile tile(const Region& region, std::int64_t size, Pool pool,
            const CancelToken* cancel = nullptr) const;

 private:
  HeadView head_;
  const float* weights_ = nullptr;
  std::int64_t rows_, columns_;
};

}  // namespace regard
