// SPDX-License-Identifier: Apache-2.0
// Gradients of attention, from what the forward pass keeps: queries, keys, values, outputs and
// log-sum-exps. Weights are recomputed block by block, never N x N at once (Dao et al. 2022,
// "FlashAttention", algorithm 4).
#pragma once

#include <cstdint>

#include "regard/attention/forward.h"
#include "regard/attention/score.h"
#include "regard/platform/threads.h"

namespace regard {

// What attention_forward() wrote, and the gradient of the loss by its output.
struct AttentionResult {
  const float* out = nullptr;           // [query, head, value_dim]
  const double* lse = nullptr;          // [head, query]
  const float* out_gradient = nullptr;  // [query, head, value_dim]
};

// Gradients of the loss, each laid out as the array it belongs to; overwritten. Null: not wanted
// (query, key and value always are).
struct AttentionGradient {
  float* query = nullptr;           // as AttentionInput::query, with its query_layout
  float* key = nullptr;             // as key, with key_layout; summed over the heads of a group
  float* value = nullptr;           // as value, with value_layout
  float* bias = nullptr;            // [head, 2 * bias_reach + 1]
  float* sinks = nullptr;           // [head]
  float* query_relative = nullptr;  // [head, query, slots]
  float* key_relative = nullptr;    // [head, key, slots]
};

// Every option of ScoreSpec and ScoreTerms; ALiBi's slopes are constants. Sums are taken in one
// order whatever the number of threads: heads that share keys are one task. Memory beside the
// gradients: O(keys * (dim + value_dim)) a thread.
// REQUIRES: rows of queries, keys and values dense (layouts may space heads only), kF32.
void attention_backward(const AttentionInput& in, const AttentionResult& result,
                        const AttentionGradient& gradient, const CancelToken* cancel = nullptr);

}  // namespace regard
