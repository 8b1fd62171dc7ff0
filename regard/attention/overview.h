// SPDX-License-Identifier: Apache-2.0
// The pooled overview of one head's map, which the forward pass folded in: sums and maxima of
// blocks of edge x edge weights. It is the lowest level of a pyramid whose higher levels are not
// stored: with at most 512 x 512 blocks any of them is pooled in some two milliseconds
// (bench/map_bench).
#pragma once

#include <cstdint>

namespace regard {

// Non-owning. Thread safety: read-only.
struct OverviewView {
  const float* sum = nullptr;  // [row block, column block]; null: there is no overview
  const float* max = nullptr;  // the same shape
  std::int64_t edge = 0;       // queries and keys of a block; the last ones may have fewer
  std::int64_t queries = 0, keys = 0;

  explicit operator bool() const { return sum != nullptr; }
  std::int64_t row_blocks() const { return (queries + edge - 1) / edge; }
  std::int64_t column_blocks() const { return (keys + edge - 1) / edge; }
};

}  // namespace regard
