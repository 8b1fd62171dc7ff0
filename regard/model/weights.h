// SPDX-License-Identifier: Apache-2.0
// A stack's tensors, taken from a checkpoint under the names that its table gives them. Matrices
// stay in the file's map, and so do vectors (biases, gains) that are fp32 as they are wanted;
// others are copied.
#pragma once

#include <string>
#include <vector>

#include "regard/checkpoint/checkpoint.h"
#include "regard/kernels/matmul.h"
#include "regard/model/model_spec.h"
#include "regard/tensor/tensor.h"

namespace regard {

// Gain null: there is no such norm.
struct Norm {
  const float* gain = nullptr;
  const float* bias = nullptr;
};

// Weights without data are absent.
struct AttentionWeights {
  kernels::Weight query, key, value, qkv, out;
  Norm query_norm, key_norm;
  kernels::Weight position_key, position_query;  // DeBERTa
  const float* sinks = nullptr;                  // [head]
};

struct MlpWeights {
  kernels::Weight gate, up, down;
};

struct LayerWeights {
  Norm attention_norm, attention_out_norm, attention_after_norm;
  Norm cross_norm, cross_after_norm;
  Norm mlp_norm, mlp_out_norm, mlp_after_norm;
  AttentionWeights self, cross;
  MlpWeights mlp;
  kernels::Weight router;
  std::vector<MlpWeights> experts;
};

struct StackWeights {
  TensorView words, positions, types;
  Norm embedding_norm, final_norm;
  kernels::Weight embedding_projection, output_projection;
  const float* relative_bias = nullptr;       // [bucket, head]
  const float* relative_embedding = nullptr;  // [2 span, width], normalised where it is
  std::vector<LayerWeights> layers;
};

struct HeadWeights {
  bool present = false;
  kernels::Weight dense, decoder;
  Norm norm;
};

// Everything that a model's forward pass reads. `owned` keeps what was copied.
struct ModelWeights {
  StackWeights stack, decoder;
  HeadWeights head;
  std::vector<Tensor> owned;
};

// Row `index` of a matrix as floats. out: [width].
void read_row(const TensorView& table, std::int64_t index, std::span<float> out);

// Throw Error naming the tensor that is missing, misshapen or of a type that is no weight.
// `owned` keeps the copied vectors and must live as long as the result.
StackWeights load_stack(const ModelSpec& model, const StackSpec& stack,
                        const Checkpoint& checkpoint, std::vector<Tensor>* owned);
HeadWeights load_head(const ModelSpec& model, const StackSpec& stack, const StackWeights& weights,
                      const Checkpoint& checkpoint, std::vector<Tensor>* owned);

}  // namespace regard
