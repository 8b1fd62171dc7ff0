// SPDX-License-Identifier: Apache-2.0
// Finding a model's tensors in its checkpoint.
#include "regard/model/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/kernels/expand.h"
#include "regard/kernels/normalize.h"
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
  if (out.scales != nullptr) out.scales += first * matrix.shape.back() / 32;
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
      for (const std::string& name : {words, stack.names.word_embedding_alias})
        if (!name.empty() && checkpoint.find(prefix + name + ".weight")) {
          prefix_ = prefix;
          words_ = name;
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

  void check_finite(const std::string& full, std::span<const float> values) const {
    for (const float x : values)
      if (!std::isfinite(x))
        throw Error::at(checkpoint_.file_of(full), full, "finite numbers", "a NaN or infinity");
  }

  // A vector of `size` elements, whatever its shape, plus `offset`: where it lies when it can be
  // read there.
  const float* vector(const std::string& full, std::int64_t size, float offset = 0) const {
    const std::optional<TensorView> view = checkpoint_.find(full);
    if (offset != 0 || !view || view->size() != size || view->dtype != DType::kF32 ||
        reinterpret_cast<std::uintptr_t>(view->data) % alignof(float) != 0)
      return vectors({full}, size, offset);
    check_finite(full, view->f32());
    return view->f32().data();
  }

  // `parts` vectors of `size` elements one after the other, as floats, each plus `offset`, copied.
  float* vectors(const std::vector<std::string>& parts, std::int64_t size, float offset) const {
    // Before room for them is taken: a size may be a configuration's fancy.
    for (const std::string& full : parts)
      if (const auto view = checkpoint_.find(full); !view || view->size() != size)
        checkpoint_.at(full, Shape{size});
    Tensor copy(Shape{size * std::ssize(parts)});
    for (std::size_t part = 0; part < parts.size(); ++part) {
      const std::string& full = parts[part];
      std::optional<TensorView> view = checkpoint_.find(full);
      check_type(full, *view);
      const auto out = copy.span().subspan(part * static_cast<std::size_t>(size),
                                           static_cast<std::size_t>(size));
      view->shape = {1, size};
      read_row(*view, 0, out);
      check_finite(full, out);
      for (float& x : out) x += offset;
    }
    owned_->push_back(std::move(copy));
    return owned_->back().data();
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
    Norm norm{vector(full + (old ? ".gamma" : ".weight"), size, stack_.norm_offset), nullptr};
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
    Norm norm{vector(full + ".weight", size, stack_.norm_offset), nullptr};
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
    if (!names.query_bias.empty()) out.qkv.bias = separate_biases(l, inner);
    if (stack_.disentangled && !stack_.disentangled->shares_keys) {
      const Disentangled& parts = *stack_.disentangled;
      if (parts.content_to_position)
        out.position_key = weight(names.position_key, l, inner, width_, parts.key_bias);
      if (parts.position_to_content)
        out.position_query = weight(names.position_query, l, inner, width_, true);
    }
    out.query_norm = head_norm(names.query_norm, l, stack_.heads);
    out.key_norm = head_norm(names.key_norm, l, stack_.kv_heads);
    out.out = weight(names.attention_out, l, width_, inner, bias.out);
    if (!names.sinks.empty()) out.sinks = vector(prefix_ + numbered(names.sinks, l), stack_.heads);
    return out;
  }

  // The biases of queries and values, laid out as a grouped weight's rows, those of keys 0.
  const float* separate_biases(int l, std::int64_t inner) const {
    const float* query = vector(prefix_ + numbered(stack_.names.query_bias, l), inner);
    const float* value = vector(prefix_ + numbered(stack_.names.value_bias, l), inner);
    Tensor all = Tensor::zeros(Shape{3 * inner});
    const std::int64_t dim = stack_.head_dim;
    for (std::int64_t head = 0; head < stack_.heads; ++head) {
      std::copy_n(query + head * dim, dim, all.data() + 3 * head * dim);
      std::copy_n(value + head * dim, dim, all.data() + (3 * head + 2) * dim);
    }
    owned_->push_back(std::move(all));
    return owned_->back().data();
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

  AttentionWeights cross_attention(int l) const {
    const TensorNames& names = stack_.names;
    const Biases& bias = stack_.biases;
    const std::int64_t inner = stack_.heads * stack_.head_dim;
    AttentionWeights out;
    out.query = weight(names.cross_query, l, inner, width_, bias.query);
    out.key = weight(names.cross_key, l, inner, width_, bias.key);
    out.value = weight(names.cross_value, l, inner, width_, bias.value);
    out.out = weight(names.cross_out, l, width_, inner, bias.out);
    return out;
  }

  // The router and every expert, one tensor each or all in one.
  void experts(int l, LayerWeights* layer) const {
    const TensorNames& names = stack_.names;
    const ExpertsSpec& spec = *stack_.experts;
    layer->experts.resize(static_cast<std::size_t>(spec.count));
    const std::string first = prefix_ + numbered(names.expert_down, l, 0) + ".weight";
    const bool separate = !names.expert_down.empty() && checkpoint_.find(first);
    const bool renamed =
        !names.router_fused.empty() &&
        checkpoint_.find(prefix_ + numbered(names.router_fused, l) + ".weight").has_value();
    layer->router = weight(renamed ? names.router_fused : names.router, l, spec.count, width_,
                           spec.router_bias);
    for (std::int64_t e = 0; e < spec.count; ++e) {
      MlpWeights& expert = layer->experts[static_cast<std::size_t>(e)];
      if (separate) {
        expert.gate = weight(names.expert_gate, l, spec.width, width_, false, e);
        expert.up = weight(names.expert_up, l, spec.width, width_, false, e);
        expert.down = weight(names.expert_down, l, width_, spec.width, false, e);
        continue;
      }
      expert.down = slice(names.experts_down, l, e, width_, spec.width);
      if (!names.experts_up.empty()) {
        expert.gate = slice(names.experts_gate, l, e, spec.width, width_);
        expert.up = slice(names.experts_up, l, e, spec.width, width_);
        continue;
      }
      const Weight both = slice(names.experts_gate_up, l, e, 2 * spec.width, width_);
      if (spec.interleaved) {
        expert.up = both;
      } else {
        expert.gate = {rows_of(both.data, 0, spec.width), false, nullptr};
        expert.up = {rows_of(both.data, spec.width, spec.width), false, nullptr};
      }
    }
  }

  const std::string& prefix() const { return prefix_; }
  const std::string& words() const { return words_; }  // the word embedding's name

 private:
  // Expert e's [out, in] of a tensor [expert, out, in], or [expert, in, out] where the table says
  // so and the blocks of its type do not lie along `in`.
  Weight slice(const std::string& name, int l, std::int64_t e, std::int64_t out,
               std::int64_t in) const {
    const ExpertsSpec& spec = *stack_.experts;
    std::string full = prefix_ + numbered(name, l);
    if (!checkpoint_.find(full)) full += ".weight";
    const std::optional<TensorView> found = checkpoint_.find(full);
    const bool turned = spec.in_out && found && is_plain(found->dtype);
    TensorView view =
        checkpoint_.at(full, turned ? Shape{spec.count, in, out} : Shape{spec.count, out, in});
    check_type(full, view);
    const std::int64_t rows = turned ? in : out;
    view =
        rows_of(TensorView{view.dtype, {spec.count * rows, view.shape[2]}, view.data, view.scales},
                e * rows, rows);
    Weight weight{view, turned, nullptr};
    if (spec.biases) {
      const std::string bias =
          prefix_ + numbered(name, l) +
          (checkpoint_.find(prefix_ + numbered(name, l) + ".bias") ? ".bias" : "_bias");
      const float* all = vector(bias, spec.count * out);
      weight.bias = all + e * out;
    }
    return weight;
  }

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
  std::string prefix_, words_;
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
  if (stack.cross) {
    out.cross_norm = load.norm(names.cross_norm, l, model.width);
    out.cross_after_norm = load.norm(names.cross_after_norm, l, model.width);
    out.cross = load.cross_attention(l);
  }
  if (layer.experts)
    load.experts(l, &out);
  else
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
  out.words = load.matrix(load.words(), model.vocabulary, stack.embedding_width);
  if (stack.positions == Positions::kLearned)
    out.positions =
        load.matrix(names.position_embedding, stack.max_positions + stack.position_offset,
                    stack.project_first ? model.width : stack.embedding_width);
  const std::int64_t inner = stack.project_first ? model.width : stack.embedding_width;
  if (stack.types > 0) out.types = load.matrix(names.type_embedding, stack.types, inner);
  out.embedding_norm = load.norm(names.embedding_norm, 0, inner);
  out.embedding_projection = load.weight(names.embedding_projection, 0, model.width,
                                         stack.embedding_width, !stack.project_first);
  out.output_projection =
      load.weight(names.output_projection, 0, stack.embedding_width, model.width, false);
  if (stack.relative)
    out.relative_bias = load.vector(load.prefix() + names.relative_bias + ".weight",
                                    stack.relative->rows * stack.heads);
  if (stack.disentangled) {
    const std::int64_t rows = 2 * stack.disentangled->span;
    float* table =
        load.vectors({load.prefix() + names.relative_embedding + ".weight"}, rows * model.width, 0);
    if (stack.disentangled->normed) {
      const Norm norm = load.norm(names.relative_norm, 0, model.width);
      kernels::layer_norm(table, rows, model.width, norm.gain, norm.bias, stack.norm_epsilon,
                          table);
    }
    out.relative_embedding = table;
  }
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
  std::string decoder = names.head_decoder;
  if (!names.head_decoder_alias.empty() && !checkpoint.find(decoder + ".weight"))
    decoder = names.head_decoder_alias;
  const bool own = checkpoint.find(decoder + ".weight").has_value();
  // A head is there when its decoder is, or is tied, and the layer before it where it has one.
  out.present = !names.head_decoder.empty() && (own || model.head.tied) &&
                (names.head_dense.empty() || checkpoint.find(names.head_dense + ".weight"));
  if (!out.present) return out;
  const std::int64_t width = stack.embedding_width;
  if (!names.head_dense.empty()) {
    const auto bias = [&](const std::string& name) {
      return checkpoint.find(name + ".bias") ? load.vector(name + ".bias", width) : nullptr;
    };
    out.dense = {load.matrix_at(names.head_dense + ".weight", width, model.width), false,
                 bias(names.head_dense)};
    out.norm = {load.vector(names.head_norm + ".weight", width), bias(names.head_norm)};
  }
  out.decoder = {own ? load.matrix_at(decoder + ".weight", model.vocabulary, width) : weights.words,
                 false, nullptr};
  for (const std::string& name : names.head_biases)
    if (checkpoint.find(name)) {
      out.decoder.bias = load.vector(name, model.vocabulary);
      return out;
    }
  if (!names.head_biases.empty() && model.head.bias_required)
    out.decoder.bias = load.vector(names.head_biases.back(), model.vocabulary);  // throws
  return out;
}

}  // namespace regard
