// SPDX-License-Identifier: Apache-2.0
// The layers of a stack, run over hidden states: the one forward pass of every architecture.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "regard/attention/forward.h"
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
  std::string file;                              // of the model, for errors
  const std::uint8_t* key_valid = nullptr;       // [keys]; null: all valid
  std::int64_t first = 0;                        // position of the first token
  std::span<const std::int64_t> starts = {};     // of several texts; empty: one
  std::span<const std::int64_t> positions = {};  // of the tokens; empty: from `first` on
  KvCache* cache = nullptr;
  // Decoders that attend to an encoder: its output [token, width] and which of its tokens count.
  const Tensor* memory = nullptr;
  const std::uint8_t* memory_valid = nullptr;
  bool records_cross = false;  // the observer sees cross-attention instead of self-attention
  Observer* observer = nullptr;
  Progress progress = {};
  const CancelToken* cancel = nullptr;
};

// The texts of a pass over `tokens` tokens, each with its tokens [begin, end).
struct TextRange {
  std::int64_t begin, end;
};
std::vector<TextRange> texts_of(std::span<const std::int64_t> starts, std::int64_t tokens);

struct RotaryTable {
  Tensor cosine, sine;  // [token, pairs]
};
// first: the position of each text's first token. positions: of each token instead, ascending in
// each text; empty: one after the other.
RotaryTable rotary_table(const RotarySpec& spec, const std::vector<TextRange>& texts,
                         std::int64_t first, std::span<const std::int64_t> positions = {});

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
void feed_forward(const Pass& pass, int layer, const LayerWeights& w, const Tensor& x, Tensor* out);

// The attention of a record, whose arrays it points to; and of tokens [begin, end) of it alone,
// where queries and keys are the same tokens. The part's log-sum-exps are [head, token] of its own.
AttentionInput attention_input(const AttentionRecord& record, const std::uint8_t* key_valid);
AttentionInput part_of(const AttentionInput& all, std::int64_t begin, std::int64_t end);
// Calls body for each text: texts side by side when there are many, else one after the other, so
// that each may use all threads.
void for_each_text(const std::vector<TextRange>& texts,
                   const std::function<void(const TextRange&)>& body);

// out = x + y.
void sum(const float* x, const float* y, std::int64_t count, float* out);
// into += scale * x.
void add(const float* x, std::int64_t count, float scale, float* into);
bool present(const kernels::Weight& weight);
// y [rows, out] = x [rows, in] W^T + b.
void product(const float* x, std::int64_t rows, const kernels::Weight& weight, float* y);
// y = norm(x), x and y [rows, width]; y may be x. REQUIRES: norm.gain.
void normalise(NormKind kind, const float* x, std::int64_t rows, std::int64_t width,
               const Norm& norm, float epsilon, float* y);
// In place over the rows of `x` [.., width]; nothing when there is no such norm.
void apply_norm(const StackSpec& stack, const Norm& norm, std::int64_t width, Tensor* x);

}  // namespace regard
