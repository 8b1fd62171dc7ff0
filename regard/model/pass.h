// SPDX-License-Identifier: Apache-2.0
// The layers of a stack, run over hidden states: the one forward pass of every architecture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "regard/model/model_spec.h"
#include "regard/model/observer.h"
#include "regard/model/weights.h"
#include "regard/platform/threads.h"
#include "regard/tensor/tensor.h"

namespace regard {

// Keys and values of the tokens that a decoder has seen, per layer [kv head, token, dim].
// Thread safety: one caller at a time.
struct KvCache {
  std::vector<Tensor> key, value;
  std::int64_t length = 0;
};

struct Pass {
  const ModelSpec& model;
  const StackSpec& stack;
  const StackWeights& weights;
  std::string file;                         // of the model, for errors
  const std::uint8_t* key_valid = nullptr;  // [keys]; null: all valid
  std::int64_t first = 0;                   // position of the first token
  KvCache* cache = nullptr;
  Observer* observer = nullptr;
  Progress progress = {};
  const CancelToken* cancel = nullptr;
};

// hidden: [token, width], embeddings in, the last layer's output (before the final norm) out.
// Throws Error naming the layer when a hidden state turns NaN or infinite.
void run_layers(const Pass& pass, Tensor* hidden);

// In place over the rows of `x` [rows, width]; nothing when there is no such norm.
void apply_norm(const StackSpec& stack, const Norm& norm, std::int64_t width, Tensor* x);

}  // namespace regard
