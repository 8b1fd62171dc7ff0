// SPDX-License-Identifier: Apache-2.0
// One token's attention in one head, worked through with the real numbers.
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "regard/trace/trace.h"

namespace regard {

struct Explanation {
  HeadId head;
  std::int64_t query_index = 0;  // token of the rows
  std::int64_t dim = 0;
  ScoreSpec score;
  double lse = 0;
  std::vector<float> query;  // [dim]
  struct Step {
    std::int64_t token = 0;      // of the columns
    std::vector<float> key;      // [dim]
    std::vector<float> product;  // query * key, elementwise, [dim]
    double dot = 0;              // their sum, as the forward pass rounded it
    double scaled = 0;           // after scale and cap
    bool masked = false;
    double weight = 0;            // exp(scaled - lse)
    std::vector<float> value;     // [value_dim]; empty when values were not recorded
    std::vector<float> weighted;  // weight * value
  };
  std::vector<Step> steps;    // by key: one each, or the heaviest ones
  std::vector<float> output;  // sum of weighted over all keys; empty without values
};

// most: at most so many steps, those of the largest weights; 0: all. Throws Error when the head or
// token is not in the trace.
Explanation explain(const Trace& trace, HeadId head, std::int64_t token, std::size_t most = 0);

}  // namespace regard
