// SPDX-License-Identifier: Apache-2.0
// What the fused kernel is given for one block of queries, and the scratch that a thread keeps.
#pragma once

#include <cstdint>
#include <limits>

#include "regard/attention/score.h"

namespace regard {

inline constexpr std::int64_t kGroup = 64;  // keys of a running maximum and a partial sum; divides
                                            // every overview edge
inline constexpr std::int64_t kKeyBlock = 128;  // keys taken together: logits stay in the cache
// The reference of a row that has seen nothing: finite, so that -inf minus it is -inf.
inline constexpr float kNoReference = -1e38f;

// A column of the overview for a block's queries: weights relative to `reference`.
struct alignas(64) Column {
  float sum[kQueryBlock], reference[kQueryBlock], top[kQueryBlock];
};

// Arrays of the scratch are aligned to 64 bytes. Thread safety: one thread's.
struct Block {
  HeadView head;  // key is dense; query is not used
  const float* query;
  std::int64_t query_stride;
  const float* value;  // [keys, value_dim]
  std::int64_t value_dim;
  std::int64_t row_begin, rows;          // queries, rows <= kQueryBlock
  std::int64_t key_begin, key_end;       // keys that some of them may see
  ScoreSpec::Range ranges[kQueryBlock];  // of each
  std::int64_t edge;                     // of the overview
  float* qt;                             // [dim] x kQueryBlock
  float* mixed;                          // [value_dim] x kQueryBlock
  float* logits;                         // kKeyBlock x kQueryBlock
  float *reference, *share;              // [kQueryBlock]
  double* total;                         // [kQueryBlock], sum of exp(logit - reference)
  Column* columns;                       // of the overview; null: none

  // Whether block mask and padding leave anything of the group of keys around `key`.
  bool sees_group(std::int64_t key) const {
    const std::int64_t group = key / kGroup;
    const std::int64_t groups = (head.keys + kGroup - 1) / kGroup;
    if (head.terms.blocks != nullptr &&
        head.terms.blocks[row_begin / kQueryBlock * groups + group] == 0)
      return false;
    if (head.key_valid == nullptr) return true;
    for (std::int64_t k = group * kGroup; k < head.keys && k < (group + 1) * kGroup; ++k)
      if (head.key_valid[k] != 0) return true;
    return false;
  }
};

}  // namespace regard
