// SPDX-License-Identifier: Apache-2.0
// Opening a checkpoint as a model, and the one forward pass.
#include "regard/model/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/attention/forward.h"
#include "regard/kernels/matmul.h"
#include "regard/kernels/normalize.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"

namespace regard {
namespace {

using kernels::Weight;

struct Norm {
  const float* gain = nullptr;
  const float* bias = nullptr;
};

struct Layer {
  Weight query, key, value, attention_out, up, down;
  Norm attention_norm, mlp_norm;
};

}  // namespace

struct Model::Weights {
  TensorView words, positions, types;
  Norm embedding_norm;
  std::vector<Layer> layers;
  bool has_head = false;
  Weight head_dense, head_decoder;
  Norm head_norm;
  std::vector<Tensor> vectors;  // biases and norms, as fp32
};

namespace {

// Takes tensors from a checkpoint by the spec's names.
class Loader {
 public:
  Loader(const ModelSpec& spec, const Checkpoint& checkpoint, std::vector<Tensor>* vectors)
      : spec_(spec), checkpoint_(checkpoint), vectors_(vectors) {
    for (const std::string& prefix : spec.names.prefixes)
      if (checkpoint.find(prefix + spec.names.word_embedding)) {
        prefix_ = prefix;
        return;
      }
    throw Error::at(checkpoint.path(), "tensors",
                    spec.names.word_embedding + " of a " + spec.architecture + " model",
                    "no such tensor");
  }

  TensorView matrix(const std::string& name, std::int64_t rows, std::int64_t columns) const {
    const TensorView view = checkpoint_.at(prefix_ + name, Shape{rows, columns});
    check_float(prefix_ + name, view);
    return view;
  }

  const float* vector(const std::string& full_name, std::int64_t size) const {
    const TensorView view = checkpoint_.at(full_name, Shape{size});
    check_float(full_name, view);
    Tensor copy(Shape{size});
    convert_to_f32(view, copy.span());
    for (float x : copy.span())
      if (!std::isfinite(x))
        throw Error::at(checkpoint_.file_of(full_name), full_name, "finite numbers",
                        "a NaN or infinity");
    vectors_->push_back(std::move(copy));
    return vectors_->back().data();
  }

  Weight weight(const std::string& name, int layer, std::int64_t out, std::int64_t in) const {
    const std::string full = with_layer(name, layer);
    return {matrix(full + ".weight", out, in), false, vector(prefix_ + full + ".bias", out)};
  }

  // Old checkpoints call gain and bias gamma and beta.
  Norm norm(const std::string& name, int layer) const {
    const std::string full = prefix_ + with_layer(name, layer);
    const bool old = !checkpoint_.find(full + ".weight") && checkpoint_.find(full + ".gamma");
    return {vector(full + (old ? ".gamma" : ".weight"), spec_.width),
            vector(full + (old ? ".beta" : ".bias"), spec_.width)};
  }

 private:
  static std::string with_layer(const std::string& name, int layer) {
    return fmt::format(fmt::runtime(name), layer);
  }
  void check_float(const std::string& name, const TensorView& view) const {
    if (view.dtype != DType::kF32 && view.dtype != DType::kF16 && view.dtype != DType::kBF16)
      throw Error::at(checkpoint_.file_of(name), name, "F32, F16 or BF16", name_of(view.dtype));
  }

  const ModelSpec& spec_;
  const Checkpoint& checkpoint_;
  std::vector<Tensor>* vectors_;
  std::string prefix_;
};

// out += the row `index` of an embedding table, or = when `first`.
void add_row(const TensorView& table, std::int64_t index, bool first, std::span<float> out,
             std::span<float> scratch) {
  const std::int64_t width = table.shape[1];
  const TensorView row{table.dtype, Shape{width},
                       table.data + static_cast<std::size_t>(index * width) * size_of(table.dtype)};
  convert_to_f32(row, first ? out : scratch);
  if (!first)
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += scratch[i];
}

MutableView view_of(Tensor* tensor) { return {tensor->data(), tensor->shape()}; }

// x [token, head * dim] to out [head, token, dim].
void split_heads(const Tensor& x, Tensor* out) {
  const std::int64_t heads = out->shape()[0], n = out->shape()[1], dim = out->shape()[2];
  parallel_for(heads, [&](std::int64_t head) {
    for (std::int64_t i = 0; i < n; ++i)
      std::copy_n(x.data() + (i * heads + head) * dim, dim, out->data() + (head * n + i) * dim);
  });
}

void add(const Tensor& x, Tensor* into) {
  for (std::int64_t i = 0; i < x.size(); ++i) into->data()[i] += x.data()[i];
}

// NaN and infinity both make x * 0 differ from 0, so one sum tells.
bool all_finite(const Tensor& x) {
  float probe = 0.0f;
  for (float value : x.span()) probe += value * 0.0f;
  return probe == 0.0f;
}

}  // namespace

Model Model::open(const std::string& folder) {
  const std::string config_path = folder + "/config.json";
  const JsonDocument config =
      JsonDocument::parse(read_text_file(config_path, 16 << 20), config_path);
  Model model;
  model.spec_ = read_model_spec(config.root());
  model.checkpoint_ = std::make_shared<const Checkpoint>(Checkpoint::open(folder));
  const ModelSpec& spec = model.spec_;
  const TensorNames& names = spec.names;
  auto weights = std::make_shared<Weights>();
  const Loader load(spec, *model.checkpoint_, &weights->vectors);

  weights->words = load.matrix(names.word_embedding, spec.vocabulary, spec.width);
  weights->positions = load.matrix(names.position_embedding, spec.max_positions, spec.width);
  weights->types = load.matrix(names.type_embedding, spec.types, spec.width);
  weights->embedding_norm = load.norm(names.embedding_norm, 0);
  const std::int64_t inner = spec.heads * spec.head_dim;
  for (int l = 0; l < spec.layers; ++l) {
    Layer layer;
    layer.query = load.weight(names.query, l, inner, spec.width);
    layer.key = load.weight(names.key, l, inner, spec.width);
    layer.value = load.weight(names.value, l, inner, spec.width);
    layer.attention_out = load.weight(names.attention_out, l, spec.width, inner);
    layer.attention_norm = load.norm(names.attention_norm, l);
    layer.up = load.weight(names.up, l, spec.mlp_width, spec.width);
    layer.down = load.weight(names.down, l, spec.width, spec.mlp_width);
    layer.mlp_norm = load.norm(names.mlp_norm, l);
    weights->layers.push_back(layer);
  }

  // The head's tensors stand beside the base model, never under its prefix.
  const Checkpoint& checkpoint = *model.checkpoint_;
  if (checkpoint.find(names.head_dense + ".weight")) {
    weights->has_head = true;
    weights->head_dense = {
        checkpoint.at(names.head_dense + ".weight", Shape{spec.width, spec.width}), false,
        load.vector(names.head_dense + ".bias", spec.width)};
    weights->head_norm = {load.vector(names.head_norm + ".weight", spec.width),
                          load.vector(names.head_norm + ".bias", spec.width)};
    std::string head_bias = names.head_biases.back();
    for (const std::string& name : names.head_biases)
      if (checkpoint.find(name)) {
        head_bias = name;
        break;
      }
    const bool own = checkpoint.find(names.head_decoder).has_value();
    weights->head_decoder = {
        own ? checkpoint.at(names.head_decoder, Shape{spec.vocabulary, spec.width})
            : weights->words,
        false, load.vector(head_bias, spec.vocabulary)};
  }
  model.weights_ = weights;
  return model;
}

bool Model::has_language_head() const { return weights_->has_head; }

Tensor Model::forward(const ModelInput& input, Observer* observer, const Progress& progress,
                      const CancelToken* cancel) const {
  const std::int64_t n = static_cast<std::int64_t>(input.ids.size());
  if (n == 0) throw Error("model input: expected at least one token, found none");
  if (spec_.max_positions > 0 && n > spec_.max_positions)
    throw Error(
        fmt::format("model input: expected at most {} tokens (the model's positions), found {}",
                    spec_.max_positions, n));
  if ((!input.types.empty() && input.types.size() != input.ids.size()) ||
      (!input.key_valid.empty() && input.key_valid.size() != input.ids.size()))
    throw Error("model input: ids, token types and mask must have the same length");
  const Weights& w = *weights_;
  const std::int64_t width = spec_.width, heads = spec_.heads, dim = spec_.head_dim;

  Tensor hidden({n, width}), scratch({width});
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t id = input.ids[static_cast<std::size_t>(i)];
    const std::int64_t type = input.types.empty() ? 0 : input.types[static_cast<std::size_t>(i)];
    if (id < 0 || id >= spec_.vocabulary)
      throw Error(fmt::format("token {}: expected an id of 0 to {}, found {}", i,
                              spec_.vocabulary - 1, id));
    if (type < 0 || type >= spec_.types)
      throw Error(
          fmt::format("token {}: expected a token type of 0 to {}, found {} (does this model "
                      "take pairs?)",
                      i, spec_.types - 1, type));
    const std::span<float> row(hidden.data() + i * width, static_cast<std::size_t>(width));
    add_row(w.words, id, true, row, scratch.span());
    add_row(w.types, type, false, row, scratch.span());
    add_row(w.positions, i, false, row, scratch.span());
  }
  const auto normalise = [&](Tensor* x, const Norm& norm) {
    kernels::layer_norm(x->data(), x->shape()[0], width, norm.gain, norm.bias, spec_.norm_epsilon,
                        x->data());
  };
  normalise(&hidden, w.embedding_norm);
  const auto show = [&](Point point, int layer, Tensor* x) {
    if (observer != nullptr) observer->at(point, layer, view_of(x));
  };
  show(Point::kEmbedding, 0, &hidden);

  Tensor flat({n, heads * dim}), mixed({n, heads * dim}), out({n, width}), up({n, spec_.mlp_width});
  for (int l = 0; l < spec_.layers; ++l) {
    if (cancel != nullptr) cancel->check();
    const Layer& layer = w.layers[static_cast<std::size_t>(l)];
    auto record = std::make_shared<AttentionRecord>();
    record->layer = l;
    record->score.scale = spec_.scale;
    record->score.causal = spec_.causal;
    const auto project = [&](const Weight& weight, Tensor* into) {
      kernels::matmul(hidden.data(), n, width, weight, flat.data(), heads * dim);
      *into = Tensor({heads, n, dim});
      split_heads(flat, into);
    };
    project(layer.query, &record->query);
    project(layer.key, &record->key);
    project(layer.value, &record->value);
    show(Point::kQuery, l, &record->query);
    show(Point::kKey, l, &record->key);
    show(Point::kValue, l, &record->value);

    record->lse = Buffer<double>({heads, n});
    const bool wanted = observer != nullptr && observer->wants_record(l);
    if (wanted) {
      record->block_edge = overview_edge(n);
      const std::int64_t blocks = (n + record->block_edge - 1) / record->block_edge;
      record->overview_sum = Tensor({heads, blocks, blocks});
      record->overview_max = Tensor({heads, blocks, blocks});
    }
    AttentionInput in;
    in.query = record->query.data();
    in.key = record->key.data();
    in.value = record->value.data();
    in.key_valid = input.key_valid.empty() ? nullptr : input.key_valid.data();
    in.heads = in.kv_heads = heads;
    in.queries = in.keys = n;
    in.dim = in.value_dim = dim;
    in.score = record->score;
    try {
      attention_forward(
          in,
          {mixed.data(), record->lse.data(), wanted ? record->overview_sum.data() : nullptr,
           wanted ? record->overview_max.data() : nullptr},
          cancel);
    } catch (const Error& error) {
      if (error.kind() != Error::Kind::kFailed) throw;
      throw Error(fmt::format("{}: layer {}: {}", checkpoint_->path(), l, error.what()));
    }
    if (wanted) observer->record(record);
    show(Point::kMixed, l, &mixed);

    kernels::matmul(mixed.data(), n, heads * dim, layer.attention_out, out.data(), width);
    show(Point::kAttentionOut, l, &out);
    add(out, &hidden);
    normalise(&hidden, layer.attention_norm);

    kernels::matmul(hidden.data(), n, width, layer.up, up.data(), spec_.mlp_width);
    kernels::activate(spec_.activation, up.data(), up.size());
    kernels::matmul(up.data(), n, spec_.mlp_width, layer.down, out.data(), width);
    show(Point::kMlpOut, l, &out);
    add(out, &hidden);
    normalise(&hidden, layer.mlp_norm);
    if (!all_finite(hidden))
      throw Error(
          fmt::format("{}: layer {}: expected finite hidden states, found a NaN or infinity",
                      checkpoint_->path(), l));
    show(Point::kHidden, l, &hidden);
    if (progress) progress(static_cast<double>(l + 1) / static_cast<double>(spec_.layers));
  }
  return hidden;
}

Tensor Model::language_logits(const float* hidden, std::int64_t rows) const {
  const Weights& w = *weights_;
  if (!w.has_head)
    throw Error(checkpoint_->path() + ": this checkpoint has no language-model head");
  Tensor x({rows, spec_.width}), logits({rows, spec_.vocabulary});
  kernels::matmul(hidden, rows, spec_.width, w.head_dense, x.data(), spec_.width);
  kernels::activate(spec_.activation, x.data(), x.size());
  kernels::layer_norm(x.data(), rows, spec_.width, w.head_norm.gain, w.head_norm.bias,
                      spec_.norm_epsilon, x.data());
  kernels::matmul(x.data(), rows, spec_.width, w.head_decoder, logits.data(), spec_.vocabulary);
  return logits;
}

}  // namespace regard
