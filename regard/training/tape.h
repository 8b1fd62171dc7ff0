// SPDX-License-Identifier: Apache-2.0
// What the backward pass needs of a forward pass, kept by an observer. What is cheap to make again
// (norms, activations, rotations, weights of attention) is not kept.
#pragma once

#include <memory>
#include <vector>

#include "regard/model/observer.h"
#include "regard/tensor/tensor.h"

namespace regard {

// An array that keeps its memory from pass to pass.
class KeptRows {
 public:
  // Puts the view after what came since clear(); all views have as many columns.
  void append(const MutableView& view);
  void clear() { rows_ = 0; }
  const float* data() const { return values_.data(); }
  float* data() { return values_.data(); }
  std::int64_t rows() const { return rows_; }

 private:
  Tensor values_;
  std::int64_t rows_ = 0, columns_ = 0;
};

// Thread safety: as Observer.
class Tape : public Observer {
 public:
  struct Layer {
    std::shared_ptr<AttentionRecord> attention;
    KeptRows mixed, attention_out, up, gate, mlp_out, hidden;  // as at the points
  };

  // keeps_mlp_out: whether a norm follows the residual sum after the MLP.
  Tape(std::int64_t layers, bool keeps_mlp_out)
      : layers_(static_cast<std::size_t>(layers)), keeps_mlp_out_(keeps_mlp_out) {}

  void clear();
  void at(Point point, int layer, MutableView view) override;
  bool wants_record(int) override { return true; }
  bool wants_overview() override { return false; }
  void record(std::shared_ptr<AttentionRecord> record) override;

  Layer& layer(std::size_t l) { return layers_[l]; }
  // The input of layer l: the embeddings, or the output of the layer before.
  const float* input_of(std::size_t l) const {
    return l == 0 ? embedding.data() : layers_[l - 1].hidden.data();
  }
  KeptRows embedding_sum, embedding, head_dense;

 private:
  std::vector<Layer> layers_;
  bool keeps_mlp_out_;
};

}  // namespace regard
