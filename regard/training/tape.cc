// SPDX-License-Identifier: Apache-2.0
// Keeping activations.
#include "regard/training/tape.h"

#include <algorithm>

#include "regard/platform/threads.h"

namespace regard {

void KeptRows::append(const MutableView& view) {
  const std::int64_t rows = view.shape[0], size = element_count(view.shape);
  if (rows == 0) return;
  columns_ = size / rows;
  const std::int64_t before = rows_ * columns_;
  if (values_.size() < before + size) {
    Tensor larger({before + size});
    std::copy_n(values_.data(), before, larger.data());
    values_ = std::move(larger);
  }
  constexpr std::int64_t kBlock = 65536;
  parallel_for((size + kBlock - 1) / kBlock, [&](std::int64_t task) {
    const std::int64_t first = task * kBlock;
    std::copy_n(view.data + first, std::min(kBlock, size - first), values_.data() + before + first);
  });
  rows_ += rows;
}

void Tape::clear() {
  for (KeptRows* kept : {&embedding_sum, &embedding, &head_dense}) kept->clear();
  for (Layer& layer : layers_) {
    layer.attention.reset();
    for (KeptRows* kept : {&layer.mixed, &layer.attention_out, &layer.up, &layer.gate,
                           &layer.mlp_out, &layer.hidden})
      kept->clear();
  }
}

void Tape::at(Point point, int l, MutableView view) {
  if (point == Point::kEmbeddingSum) return embedding_sum.append(view);
  if (point == Point::kEmbedding) return embedding.append(view);
  if (point == Point::kHeadDense) return head_dense.append(view);
  Layer& layer = layers_[static_cast<std::size_t>(l)];
  if (point == Point::kMixed) layer.mixed.append(view);
  if (point == Point::kAttentionOut) layer.attention_out.append(view);
  if (point == Point::kMlpUp) layer.up.append(view);
  if (point == Point::kMlpGate) layer.gate.append(view);
  if (point == Point::kMlpOut && keeps_mlp_out_) layer.mlp_out.append(view);
  if (point == Point::kHidden) layer.hidden.append(view);
}

void Tape::record(std::shared_ptr<AttentionRecord> record) {
  layers_[static_cast<std::size_t>(record->layer)].attention = std::move(record);
}

}  // namespace regard
