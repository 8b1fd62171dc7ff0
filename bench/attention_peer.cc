// SPDX-License-Identifier: Apache-2.0
// The fused attention as a C function, for bench/compare_sdpa.py: it runs in the process of the
// peer that it is compared with.
#include <cmath>
#include <cstdint>
#include <string>

#include "regard/attention/forward.h"
#include "regard/platform/cpu.h"
#include "regard/platform/threads.h"

// Dense query, key, value [head, token, dim], out [token, head, dim], lse [head, token]; the
// record, none when sum is null: sum and largest [head, block, block], query_out and key_out as
// query.
extern "C" __attribute__((visibility("default"))) void regard_attention(
    const float* query, const float* key, const float* value, std::int64_t heads,
    std::int64_t tokens, std::int64_t dim, int causal, int threads, float* out, double* lse,
    float* sum, float* largest, float* query_out, float* key_out) {
  regard::set_thread_count(threads);
  regard::AttentionInput in;
  in.query = query, in.key = key, in.value = value;
  in.heads = in.kv_heads = heads;
  in.queries = in.keys = tokens;
  in.dim = in.value_dim = dim;
  in.score.scale = 1.0f / std::sqrt(static_cast<float>(dim));
  in.score.causal = causal != 0;
  regard::AttentionOutput result{out, lse};
  if (sum != nullptr) {
    result.overview_sum = sum, result.overview_max = largest;
    result.query = query_out, result.key = key_out;
  }
  regard::attention_forward(in, result);
}

extern "C" __attribute__((visibility("default"))) const char* regard_instruction_set() {
  static const auto name = std::string(regard::instruction_set());
  return name.c_str();
}
