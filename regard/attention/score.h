// SPDX-License-Identifier: Apache-2.0
// What a score is: the one place that says how a query and a key become a logit.
//   logit(q, k) = cap(scale * dot(query, key)), then -inf where the mask forbids
//   weight(q, k) = exp(logit(q, k) - lse(q))
// The forward pass, recomputation (AttentionMap), the overview and the double-precision check all
// instantiate score-inl.h. docs/mathematics.md derives the quantities.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace regard {

// Queries that the kernels take together: vector lanes are queries.
inline constexpr std::int64_t kQueryBlock = 64;

struct ScoreSpec {
  float scale = 1.0f;       // multiplies q.k
  float cap = 0.0f;         // soft cap: cap * tanh(x / cap) (Gemma 2); 0: none
  bool causal = false;      // key position <= query position only
  std::int64_t window = 0;  // |query - key| < window only; 0: all
  bool operator==(const ScoreSpec&) const = default;

  // The keys [begin, end) that query `q` of `queries` may see among `keys`. With fewer queries than
  // keys the queries are the last ones (a key-value cache): position of q = q + keys - queries.
  struct Range {
    std::int64_t begin, end;
  };
  Range visible(std::int64_t q, std::int64_t queries, std::int64_t keys) const;
};

// As JSON for the trace file, and back; unknown members are an Error (a newer format).
std::string to_json(const ScoreSpec& spec);
ScoreSpec score_spec_from_json(std::string_view json, const std::string& file,
                               const std::string& place);

// One head's recorded inputs: enough to recompute any of its weights. Non-owning.
struct HeadView {
  const float* query = nullptr;             // [queries, dim]
  const float* key = nullptr;               // [keys, dim]
  const double* lse = nullptr;              // [queries], natural logarithm
  const std::uint8_t* key_valid = nullptr;  // [keys], 0: padding, seen by nobody; null: all valid
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t dim = 0;
  ScoreSpec score;
};

}  // namespace regard
