// SPDX-License-Identifier: Apache-2.0
// Finding a model's tensors in its checkpoint.
#include "regard/model/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/kernels/expand.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

using kernels::Weight;

std::int64_t row_bytes(const TensorView& matrix) {
  const TypeBlock block = block_of(matrix.dtype);
  return matrix.shape.back() / static_cast<std::int64_t>(block.elements) *
         static_cast<std::int64_t>(block.bytes);
}

// Rows [first, first + rows) of a matrix.
TensorView rows_of(const TensorView& matrix, std::int64_t first, std::int64_t rows) {
  TensorView out = matrix;
  out.shape = {rows, matrix.shape.back()};
  out.data += first * row_bytes(matrix);
  return out;
}

// With its "{}"s replaced by the layer and the number within it.
std::string numbered(const std::string& name, int layer, std::int64_t second = 0) {
  return fmt::format(fmt::runtime(name), layer, second);
}

bool has_second_number(const std::string& name) {
  const std::size_t first = name.find("{}");
  return first != std::string::npos && name.find("{}", first + 2) != std::string::npos;
}

class Loader {
 public:
  Loader(const ModelSpec& model, const StackSpec& stack, const Checkpoint& checkpoint,
         std::vector<Tensor>* owned)
      : width_(model.width), stack_(stack), checkpoint_(checkpoint), owned_(owned) {
    const std::string& words = stack.names.word_embedding;
    for (const std::string& prefix : stack.names.prefixes)
      if (checkpoint.find(prefix + words + ".weight")) {
        prefix_ = prefix;
        return;
      }
    throw Error::at(checkpoint.path(), "tensors",
                    words + ".weight of a " + model.architecture + " model", "no such tensor");
  }

  TensorView matrix(const std::string& name, std::int64_t rows, std::int64_t columns) const {
    return matrix_at(prefix_ + name + ".weight", rows, columns);
  }

  TensorView matrix_at(const std::string& full, std::int64_t rows, std::int64_t columns) const {
    const TensorView view = checkpoint_.at(full, Shape{rows, columns});
    check_type(full, view);
    return view;
  }

  // `parts` vectors of `size` elements one after the other, as floats, each plus `offset`. A single
  // one may have any shape of that many elements.
  const float* vectors(const std::vector<std::string>& parts, std::int64_t size,
                       float offset) const {
    Tensor copy(Shape{size * std::ssize(parts)});
    for (std::size_t part = 0; part < parts.size(); ++part) {
      const std::string& full = parts[part];
      std::optional<TensorView> view = checkpoint_.find(full);
      if (!view || view->size() != size) view = checkpoint_.at(full, Shape{size});
      check_type(full, *view);
      const auto out = copy.span().subspan(part * static_cast<std::size_t>(size),
                                           static_cast<std::size_t>(size));
      view->shape = {1, size};
      read_row(*view, 0, out);
      for (float& x : out) {
        if (!std::isfinite(x))
          throw Error::at(checkpoint_.file_of(full), full, "finite numbers", "a NaN or infinity");
        x += offset;
      }
    }
    owned_->push_back(std::move(copy));
    return owned_->back().data();
  }
  const float* vector(const std::string& full, std::int64_t size) const {
    return vectors({full}, size, 0);
  }

  // y = W x + b; nothing where the architecture has no such tensor.
  Weight weight(const std::string& name, int layer, std::int64_t out, std::int64_t in, bool bias,
                std::int64_t second = 0) const {
    if (name.empty()) return {};
    const std::string full = prefix_ + numbered(name, layer, second);
    const bool transposed = stack_.transposed;
    Weight weight{
        transposed ? matrix_at(full + ".weight", in, out) : matrix_at(full + ".weight", out, in),
        transposed, nullptr};
    if (bias) weight.bias = vector(full + ".bias", out);
    return weight;
  }

  // Old checkpoints call gain and bias gamma and beta.
  Norm norm(const std::string& name, int layer, std::int64_t size) const {
    if (name.empty()) return {};
    const std::string full = prefix_ + numbered(name, layer);
    const bool old = !checkpoint_.find(full + ".weight") && checkpoint_.find(full + ".gamma");
    Norm norm{vectors({full + (old ? ".gamma" : ".weight")}, size, stack_.norm_offset), nullptr};
    if (stack_.norm_bias) norm.bias = vector(full + (old ? ".beta" : ".bias"), size);
    return norm;
  }

  // The gains of a query's or key's heads; a bias where the checkpoint has one.
  Norm head_norm(const std::string& name, int layer, std::int64_t heads) const {
    if (stack_.qk_norm == QkNorm::kNone) return {};
    const std::int64_t dim = stack_.head_dim;
    if (has_second_number(name)) {
      std::vector<std::string> parts;
      for (std::int64_t head = 0; head < heads; ++head)
        parts.push_back(prefix_ + numbered(name, layer, head) + ".weight");
      return {vectors(parts, dim, stack_.norm_offset), nullptr};
    }
    const std::int64_t size = stack_.qk_norm == QkNorm::kSharedHead ? dim : heads * dim;
    const std::string full = prefix_ + numbered(name, layer);
    Norm norm{vectors({full + ".weight"}, size, stack_.norm_offset), nullptr};
    if (checkpoint_.find(full + ".bias")) norm.bias = vector(full + ".bias", size);
    return norm;
  }

  AttentionWeights self_attention(int l) const {
    const TensorNames& names = stack_.names;
    const Biases& bias = stack_.biases;
    const std::int64_t inner = stack_.heads * stack_.head_dim;
    const std::int64_t kv = stack_.kv_heads * stack_.head_dim;
    AttentionWeights out;
    out.query = weight(names.query, l, inner, width_, bias.query);
    out.key = weight(names.key, l, kv, width_, bias.key);
    out.value = weight(names.value, l, kv, width_, bias.value);
    out.qkv = weight(names.qkv, l, inner + 2 * kv, width_, bias.query);
    out.query_norm = head_norm(names.query_norm, l, stack_.heads);
    out.key_norm = head_norm(names.key_norm, l, stack_.kv_heads);
    out.out = weight(names.attention_out, l, width_, inner, bias.out);
    if (!names.sinks.empty()) out.sinks = vector(prefix_ + numbered(names.sinks, l), stack_.heads);
    return out;
  }

  MlpWeights mlp(int l) const {
    const TensorNames& names = stack_.names;
    const Biases& bias = stack_.biases;
    MlpWeights out;
    out.gate = weight(names.gate, l, stack_.mlp_width, width_, bias.up);
    out.up = weight(names.up, l, stack_.mlp_width, width_, bias.up);
    if (!names.gate_up.empty()) {
      const Weight both = weight(names.gate_up, l, 2 * stack_.mlp_width, width_, bias.up);
      out.gate = {rows_of(both.data, 0, stack_.mlp_width), false, both.bias};
      out.up = {rows_of(both.data, stack_.mlp_width, stack_.mlp_width), false,
                both.bias == nullptr ? nullptr : both.bias + stack_.mlp_width};
    }
    out.down = weight(names.down, l, width_, stack_.mlp_width, bias.down);
    return out;
  }

  const std::string& prefix() const { return prefix_; }

 private:
  void check_type(const std::string& name, const TensorView& view) const {
    if (!kernels::can_expand(view.dtype))
      throw Error::at(checkpoint_.file_of(name), name,
                      "a type of weights (F32, F16, BF16 or "
                      "one of GGUF's that is known)",
                      name_of(view.dtype));
  }

  std::int64_t width_;
  const StackSpec& stack_;
  const Checkpoint& checkpoint_;
  std::vector<Tensor>* owned_;
  std::string prefix_;
};

LayerWeights load_layer(const Loader& load, const ModelSpec& model, const StackSpec& stack,
                        const LayerSpec& layer) {
  const TensorNames& names = stack.names;
  const int l = layer.tensors;
  LayerWeights out;
  if (layer.attention_norm) out.attention_norm = load.norm(names.attention_norm, l, model.width);
  out.attention_out_norm = load.norm(names.attention_out_norm, l, model.width);
  out.attention_after_norm = load.norm(names.attention_after_norm, l, model.width);
  out.mlp_norm = load.norm(names.mlp_norm, l, model.width);
  out.mlp_out_norm = load.norm(names.mlp_out_norm, l, model.width);
  out.mlp_after_norm = load.norm(names.mlp_after_norm, l, model.width);
  out.self = load.self_attention(l);
  out.mlp = load.mlp(l);
  return out;
}

}  // namespace

void read_row(const TensorView& table, std::int64_t index, std::span<float> out) {
  const std::int64_t bytes = row_bytes(table);
  kernels::expand_rows(table.dtype, table.data + index * bytes, bytes, 1,
                       static_cast<std::int64_t>(out.size()), out.data(),
                       static_cast<std::int64_t>(out.size()));
}

StackWeights load_stack(const ModelSpec& model, const StackSpec& stack,
                        const Checkpoint& checkpoint, std::vector<Tensor>* owned) {
  const Loader load(model, stack, checkpoint, owned);
  const TensorNames& names = stack.names;
  StackWeights out;
  out.words = load.matrix(names.word_embedding, model.vocabulary, stack.embedding_width);
  if (stack.positions == Positions::kLearned)
    out.positions = load.matrix(names.position_embedding,
                                stack.max_positions + stack.position_offset, model.width);
  if (stack.types > 0) out.types = load.matrix(names.type_embedding, stack.types, model.width);
  out.embedding_norm = load.norm(names.embedding_norm, 0, model.width);
  out.final_norm = load.norm(names.final_norm, 0, model.width);
  for (const LayerSpec& layer : stack.layer) {
    if (layer.tensors < std::ssize(out.layers)) continue;  // shared
    out.layers.push_back(load_layer(load, model, stack, layer));
  }
  return out;
}

HeadWeights load_head(const ModelSpec& model, const StackSpec& stack, const StackWeights& weights,
                      const Checkpoint& checkpoint, std::vector<Tensor>* owned) {
  const Loader load(model, stack, checkpoint, owned);
  const TensorNames& names = stack.names;
  HeadWeights out;
  const bool own = checkpoint.find(names.head_decoder + ".weight").has_value();
  // A head of several layers is there when its first is; a single decoder when it is, or is tied.
  out.present = names.head_dense.empty()
                    ? !names.head_decoder.empty() && (own || model.head.tied)
                    : checkpoint.find(names.head_dense + ".weight").has_value();
  if (!out.present) return out;
  const std::int64_t width = stack.embedding_width;
  if (!names.head_dense.empty()) {
    out.dense = {load.matrix_at(names.head_dense + ".weight", width, model.width), false,
                 load.vector(names.head_dense + ".bias", width)};
    out.norm = {load.vector(names.head_norm + ".weight", width),
                load.vector(names.head_norm + ".bias", width)};
  }
  out.decoder = {
      own ? load.matrix_at(names.head_decoder + ".weight", model.vocabulary, width) : weights.words,
      false, nullptr};
  for (const std::string& name : names.head_biases)
    if (checkpoint.find(name)) {
      out.decoder.bias = load.vector(name, model.vocabulary);
      return out;
    }
  if (!names.head_biases.empty())
    out.decoder.bias = load.vector(names.head_biases.back(), model.vocabulary);  // throws
  return out;
}

}  // namespace regard
