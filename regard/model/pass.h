// SPDX-License-Identifier: Apache-2.0
// The layers of a stack, run over hidden states: the one forward pass of every architecture.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "regard/model/kv_cache.h"
#include "regard/model/model_spec.h"
#include "regard/model/observer.h"
#include "regard/model/weights.h"
#include "regard/platform/threads.h"
#include "regard/tensor/tensor.h"

namespace regard {

// Thread safety: one caller at a time, as all here.
struct Pass {
  const ModelSpec& model;
  const StackSpec& stack;
  const StackWeights& weights;
  std::string file;                         // of the model, for errors
  const std::uint8_t* key_valid = nullptr;  // [keys]; null: all valid
  std::int64_t first = 0;                   // position of the first token
  KvCache* cache = nullptr;
  // Decoders that attend to an encoder: its output [token, width] and which of its tokens count.
  const Tensor* memory = nullptr;
  const std::uint8_t* memory_valid = nullptr;
  bool records_cross = false;  // the observer sees cross-attention instead of self-attention
  Observer* observer = nullptr;
  Progress progress = {};
  const CancelToken* cancel = nullptr;
};

struct RotaryTable {
  Tensor cosine, sine;  // [token, pairs]
};

// Working arrays of a pass.
struct PassRoom {
  Tensor normed, mixed, out, flat;
  std::map<int, RotaryTable> rotaries;
};

// hidden: [token, width], embeddings in, the last layer's output (before the final norm) out.
// Throws Error naming the layer when a hidden state turns NaN or infinite.
void run_layers(const Pass& pass, Tensor* hidden);

// The parts of a layer. x: [token, width], room->out: [token, width], before the residual sum.
void self_attention(const Pass& pass, int layer, const AttentionWeights& w, const Tensor& x,
                    PassRoom* room);
void cross_attention(const Pass& pass, int layer, const AttentionWeights& w, const Tensor& x,
                     PassRoom* room);
// out: [token, width] = the MLP, or the layer's experts, of x.
void feed_forward(const StackSpec& stack, const LayerSpec& layer, const LayerWeights& w,
                  const Tensor& x, Tensor* out);

bool present(const kernels::Weight& weight);
// y [rows, out] = x [rows, in] W^T + b.
void product(const float* x, std::int64_t rows, const kernels::Weight& weight, float* y);
// y = norm(x), x and y [rows, width]; y may be x. REQUIRES: norm.gain.
void normalise(NormKind kind, const float* x, std::int64_t rows, std::int64_t width,
               const Norm& norm, float epsilon, float* y);
// In place over the rows of `x` [.., width]; nothing when there is no such norm.
void apply_norm(const StackSpec& stack, const Norm& norm, std::int64_t width, Tensor* x);

}  // namespace regard
