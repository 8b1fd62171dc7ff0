// SPDX-License-Identifier: Apache-2.0
// The loss of a batch and its gradients: one forward pass onto a tape, then back along it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "regard/kernels/matmul.h"
#include "regard/model/model.h"
#include "regard/training/tape.h"
#include "regard/training/trainable.h"

namespace regard {

// Texts one after the other, and what is to be predicted where.
struct Batch {
  ModelInput input;
  std::vector<std::int64_t> position;  // tokens of the input that predict, ascending
  std::vector<std::int64_t> target;    // the id that each should predict
};

// Thread safety: one caller at a time.
class Gradients {
 public:
  explicit Gradients(Trainable* model);

  // Adds the gradients of weight * loss to the model's and returns the loss: the sum of the
  // cross-entropies of the batch's positions. The same bits for any number of threads. Throws Error
  // naming the layer when a hidden state is no number, and when the loss is none.
  double add(const Batch& batch, float weight);

 private:
  double head(const Batch& batch, const Tensor& last, float weight);
  double head_rows(const float* rows, std::int64_t count, const std::int64_t* target, float weight,
                   float* gradient);
  void layer(std::size_t l, const ModelInput& texts);
  void mlp(std::size_t l, const float* in, float* in_gradient);
  void attention(std::size_t l, const ModelInput& input, const float* in, float* in_gradient);
  void embeddings(const ModelInput& input);
  // The gradient by an input of `weight`, and the weight's own.
  void product(const float* x, const float* dy, std::int64_t rows, const kernels::Weight& weight,
               float* dx);

  Trainable& model_;
  const ModelSpec& spec_;
  Tape tape_;
  std::int64_t tokens_ = 0;
  Tensor gradient_;  // of the hidden states, [token, width], as the pass goes down
  Tensor normed_, middle_, sum_, in_gradient_, mixed_gradient_, flat_gradient_, part_, inner_;
};

// The sum of the cross-entropies alone, without gradients.
double loss_of(const Model& model, const Batch& batch);

}  // namespace regard
