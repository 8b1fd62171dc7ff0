// SPDX-License-Identifier: Apache-2.0
// Attention that keeps what is needed to recompute any weight later: row log-sum-exps and a pooled
// overview, never an N x N buffer. Source of the idea: Dao et al. 2022 (FlashAttention), Rabe &
// Staats 2021.
#pragma once

#include <cstdint>

#include "regard/attention/score.h"
#include "regard/platform/threads.h"
#include "regard/tensor/dtype.h"

namespace regard {

// Edge of an overview block: max(64, n / 512 rounded up to a multiple of 64), so that an overview
// has at most 512 x 512 blocks. n = max(queries, keys).
std::int64_t overview_edge(std::int64_t n);

// Where the heads and rows of an array [head, row, dim] lie, in floats; 0: dense. Heads side by
// side in rows of the model's width are {width, dim}.
struct RowLayout {
  std::int64_t row = 0;
  std::int64_t head = 0;
};

struct AttentionInput {
  const float* query = nullptr;             // [head, query, dim]
  const float* key = nullptr;               // [kv head, key, dim]
  const float* value = nullptr;             // [kv head, key, value_dim]
  const std::uint8_t* key_valid = nullptr;  // [keys] or null
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  // divides heads; kv head = head / (heads / kv_heads)
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t dim = 0;
  std::int64_t value_dim = 0;
  ScoreSpec score;
  ScoreTerms terms = {};  // of all heads
  RowLayout query_layout = {}, key_layout = {}, value_layout = {};
  // kF16, kBF16: keys and values are rounded to this type before anything is computed from them.
  DType key_value_type = DType::kF32;

  // The score's inputs of one head; lse is null. REQUIRES: dense queries and keys, kF32.
  HeadView head(std::int64_t index) const;
};

struct AttentionOutput {
  float* out = nullptr;           // [query, head, value_dim]: ready for the output projection
  double* lse = nullptr;          // [head, query]; -inf for a row that sees nothing
  float* overview_sum = nullptr;  // [head, query block, key block], sum of weights; null: none
  float* overview_max = nullptr;  // the same shape, largest weight; null: none
  // The very numbers that were multiplied, dense (rounded where key_value_type asks); null: none.
  float* query = nullptr;  // [head, query, dim]
  float* key = nullptr;    // [kv head, key, dim]
  float* value = nullptr;  // [kv head, key, value_dim]
};

// Fully masked rows give zeros and the log-sum-exp -inf (with a sink, the sink's logit). Work is
// done only for blocks of 64 keys that some query of a block of 64 may see. Memory beside the
// outputs: some blocks a thread, whatever the number of keys, and a copy of keys and values that
// are not dense. Throws Error naming head and position when queries, keys or values hold a NaN or
// an infinity that reaches a result, or when a logit overflows.
void attention_forward(const AttentionInput& in, const AttentionOutput& out,
                       const CancelToken* cancel = nullptr);

}  // namespace regard
