// SPDX-License-Identifier: Apache-2.0
// What a score is: the one place that says how a query and a key become a logit.
//   logit(q, k) = cap(scale * (dot(query, key) + relative(q, k))) + bias(q, k), -inf where masked
//   weight(q, k) = exp(logit(q, k) - lse(q))
// The forward pass, recomputation (AttentionMap), the overview and the double-precision check all
// instantiate score-inl.h. docs/mathematics.md derives the quantities.
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace regard {

// Queries that the kernels take together: vector lanes are queries. Also the edge of a block of
// ScoreTerms::blocks.
inline constexpr std::int64_t kQueryBlock = 64;

// Biases that are linear in a position (Press et al. 2022, "Train Short, Test Long"). All are 0 at
// the query's own position: adding a constant to a row changes its log-sum-exp, not its weights.
enum class Alibi {
  kNone,
  kDistance,  // - slope * |query - key|, unscaled (BLOOM, MPT, JinaBERT)
  kFalcon,    // scale * (f(key) - f(query)), f(p) = bf16(bf16(slope) * bf16(p))
};

// The score of a layer as plain data; arrays that belong to it are in ScoreTerms. With fewer
// queries than keys the queries are the last ones (a key-value cache): query q has the position
// q + keys - queries. Queries unrelated to the keys (cross-attention) must not use positions.
struct ScoreSpec {
  float scale = 1.0f;   // multiplies q.k and the relative parts
  float cap = 0.0f;     // soft cap: cap * tanh(x / cap) (Gemma 2); 0: none
  bool causal = false;  // key <= query only
  std::int64_t window =
      0;  // |query - key| < window only: Mistral's window with causal, ModernBERT's
          // |query - key| <= local / 2 as local / 2 + 1 without; 0: all
  std::int64_t chunk = 0;   // query / chunk == key / chunk only (Llama 4); 0: all
  std::int64_t prefix = 0;  // keys below it are seen as if `causal` were not set (prefix LM)
  Alibi alibi = Alibi::kNone;
  bool operator==(const ScoreSpec&) const = default;

  // The keys [begin, end) that query `q` of `queries` may see among `keys`, before padding and
  // block masks. Neither end falls as q grows.
  struct Range {
    std::int64_t begin, end;
  };
  Range visible(std::int64_t q, std::int64_t queries, std::int64_t keys) const;
};

// As JSON for the trace file, and back; unknown members are an Error (a newer format).
std::string to_json(const ScoreSpec& spec);
ScoreSpec score_spec_from_json(std::string_view json, const std::string& file,
                               const std::string& place);

// The arrays of a layer's score; null: the layer has none. A trace must record every one that a
// layer uses (each comment gives its shape and the LayerTrace array it becomes), else its weights
// cannot be recomputed. Non-owning.
// The index of a distance in an array of 2 * reach + 1: clamp(key - query, -reach, reach) + reach.
struct ScoreTerms {
  const float* slopes = nullptr;  // [head], of Alibi: layers.{l}.alibi_slopes
  const float* sinks = nullptr;   // [head], logits that join the denominator only (gpt-oss):
                                  // layers.{l}.sinks
  // Added after the cap, unscaled (T5, MPNet): layers.{l}.bias. relative.h makes it from buckets.
  const float* bias = nullptr;  // [head, 2 * bias_reach + 1], by distance
  std::int64_t bias_reach = 0;
  // DeBERTa's disentangled parts, joined to q.k before the scale: query . position key and
  // key . position query, for each of `slots` relative positions; the slot of a distance is `slot`.
  const float* query_relative = nullptr;  // [head, query, slots]: layers.{l}.query_relative
  const float* key_relative = nullptr;    // [head, key, slots]: layers.{l}.key_relative
  const std::int32_t* slot = nullptr;     // [2 * slot_reach + 1], each in [0, slots):
                                          // layers.{l}.relative_slot
  std::int64_t slots = 0;
  std::int64_t slot_reach = 0;
  // A block of 64 queries sees nothing of a block of 64 keys where this is 0: layers.{l}.blocks
  const std::uint8_t* blocks = nullptr;  // [query block, key block]

  // The same for one head of a layer: its arrays without the head axis.
  ScoreTerms of_head(std::int64_t head, std::int64_t queries, std::int64_t keys) const;
};

// One head's recorded inputs: enough to recompute any of its weights. Non-owning.
struct HeadView {
  const float* query = nullptr;             // [queries, dim]
  const float* key = nullptr;               // [keys, dim]
  const double* lse = nullptr;              // [queries], natural logarithm, the sink included
  const std::uint8_t* key_valid = nullptr;  // [keys], 0: padding, seen by nobody; null: all valid
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t dim = 0;
  ScoreSpec score;
  ScoreTerms terms;  // of this head
};

// The logit of one cell by the same template in double precision; -inf where masked.
// REQUIRES: 0 <= q < queries, 0 <= k < keys. lse may be null.
double reference_logit(const HeadView& head, std::int64_t q, std::int64_t k);

}  // namespace regard
