// SPDX-License-Identifier: Apache-2.0
// Continuing a text, and translating: greedy, sampled (nucleus sampling: Holtzman et al. 2020) and
// beam search. Keys and values of what was seen are kept, so a new token costs one row.
#pragma once

#include <cstdint>
#include <vector>

#include "regard/model/model.h"
#include "regard/platform/threads.h"

namespace regard {

// Thread safety: a plain value.
struct GenerationOptions {
  std::int64_t tokens = 32;  // at most so many new ones
  float temperature = 0;     // 0: the likeliest token always
  float top_p = 1;           // sample from the likeliest tokens that together have this mass
  std::uint64_t seed = 0;    // the same seed gives the same text
  std::int64_t beams = 1;    // more: beam search, without sampling
  bool stop_at_end = true;   // at the model's end-of-text tokens, which are kept
};

// The new tokens. input: the ids so far; of an encoder-decoder model also the target so far, which
// begins with the decoder's first token where it is empty. Throws Error when the model has no
// language head or is an encoder only, an option is out of range, or learned positions end before
// the first new token; they end a longer text silently.
std::vector<std::int64_t> generate(const Model& model, const ModelInput& input,
                                   const GenerationOptions& options, const Progress& progress = {},
                                   const CancelToken* cancel = nullptr);

// A token from logits [vocabulary]; `uniform` in [0, 1). Temperature 0: the largest, the first of
// equals.
std::int64_t choose_token(const float* logits, std::int64_t vocabulary, float temperature,
                          float top_p, double uniform);

}  // namespace regard
