// SPDX-License-Identifier: Apache-2.0
// Blocks of a head's map, recomputed from queries, keys and log-sum-exps with the forward pass's
// own score (score-inl.h): 64 queries, the lanes of vectors, by up to 256 keys. For AttentionMap.
#pragma once

#include <cstdint>
#include <string>

#include "regard/attention/score.h"
#include "regard/tensor/tensor.h"

namespace regard {

inline constexpr std::int64_t kBlockKeys = 256;

// Cells of queries [row, row + rows) and keys [key, key + keys): rows <= kQueryBlock, keys <=
// kBlockKeys, within the map.
struct MapBlock {
  std::int64_t row, rows, key, keys;
};

// Room for one block. Thread safety: one thread's.
struct BlockScratch {
  explicit BlockScratch(std::int64_t dim) : qt({dim, kQueryBlock}) {}
  Tensor qt;                                // queries of the block's rows, transposed
  Tensor cells{{kBlockKeys, kQueryBlock}};  // [key][query]
};

// Puts queries [row, row + rows) into scratch.qt; good for every block of these rows.
void load_queries(const HeadView& head, std::int64_t row, std::int64_t rows, BlockScratch* scratch);

// Logits after scale, cap and mask, into scratch.cells. REQUIRES: load_queries() of these rows.
void block_logits(const HeadView& head, const MapBlock& block, BlockScratch* scratch);

// Weights exp(logit - lse), 0 where the mask forbids. Throws Error naming `name`, query and key
// where a weight is NaN or above 1 by more than rounding: then query, key and lse do not belong
// together.
void block_weights(const HeadView& head, const std::string& name, const MapBlock& block,
                   BlockScratch* scratch);

// Cells [keys][kQueryBlock] of `rows` queries as rows of a map: out [rows], `stride` floats apart.
void copy_rows(const float* cells, std::int64_t rows, std::int64_t keys, float* out,
               std::int64_t stride);

// Keys that some query of [row, row + rows) may see; everything outside is 0.
ScoreSpec::Range visible_keys(const HeadView& head, std::int64_t row, std::int64_t rows);

// Of cells [keys][kQueryBlock]: for each of the first `rows` queries the sum, or the largest, over
// the keys. out has room for kQueryBlock. Sums of up to 64 keys are floats, sums of these doubles.
void sum_over_keys(const float* cells, std::int64_t rows, std::int64_t keys, double* out);
void largest_over_keys(const float* cells, std::int64_t rows, std::int64_t keys, float* out);

}  // namespace regard
