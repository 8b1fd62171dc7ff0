// SPDX-License-Identifier: Apache-2.0
// Making, opening and writing models that are trained.
#include "regard/training/trainable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "regard/checkpoint/safetensors.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/output_file.h"

namespace regard {
namespace {

// Parameters begin at whole cache lines.
constexpr std::int64_t kAlignment = 16;

// What a backward pass is not written for.
void check_trainable(const ModelSpec& spec) {
  const auto refuse = [&](bool has, const char* what) {
    if (has)
      throw Error(fmt::format("a {} model cannot be trained: gradients are not known through {}",
                              spec.architecture, what));
  };
  refuse(spec.decoder.has_value() || spec.cross, "a second stack");
  refuse(spec.experts.has_value(), "mixtures of experts");
  refuse(spec.relative.has_value() || spec.disentangled.has_value(), "relative positions");
  refuse(spec.qk_norm != QkNorm::kNone || spec.clip_qkv != 0, "norms of queries and keys");
  refuse(!spec.names.sinks.empty(), "sinks");
  refuse(spec.parallel, "blocks side by side");
  refuse(!spec.names.query_bias.empty() || spec.fused != FusedLayout::kThirds,
         "this layout of queries, keys and values");
  refuse(!spec.names.attention_out_norm.empty() || !spec.names.mlp_out_norm.empty(),
         "norms of a block's output");
  refuse(spec.residual_scale != 1 || spec.embedding_scale != 1 || spec.norm_offset != 0 ||
             spec.head.scale != 1 || spec.head.cap != 0,
         "scaled embeddings, residual sums, gains or logits");
  refuse(spec.embedding_width != spec.width || !spec.names.embedding_projection.empty() ||
             !spec.names.output_projection.empty(),
         "projected embeddings");
  refuse(spec.position_padding >= 0, "positions that leave out padding");
  refuse(spec.names.head_decoder.empty(), "a model without language head");
  for (std::size_t l = 0; l < spec.layer.size(); ++l)
    refuse(spec.layer[l].tensors != static_cast<int>(l), "layers that share their weights");
}

class ParameterList {
 public:
  ParameterList(const ModelSpec& spec, const Checkpoint* like) : spec_(spec), like_(like) {
    const TensorNames& names = spec.names;
    prefix_ = names.prefixes.front();
    for (const std::string& prefix : names.prefixes)
      if (has(prefix + names.word_embedding + ".weight")) {
        prefix_ = prefix;
        break;
      }
  }

  std::vector<Parameter> all() {
    const TensorNames& names = spec_.names;
    const std::int64_t width = spec_.width;
    add(prefix_ + names.word_embedding + ".weight", {spec_.vocabulary, width}, Role::kEmbedding);
    if (spec_.positions == Positions::kLearned)
      add(prefix_ + names.position_embedding + ".weight",
          {spec_.max_positions + spec_.position_offset, width}, Role::kEmbedding);
    if (spec_.types > 0)
      add(prefix_ + names.type_embedding + ".weight", {spec_.types, width}, Role::kEmbedding);
    norm(names.embedding_norm, 0, true);
    for (std::size_t l = 0; l < spec_.layer.size(); ++l) layer(static_cast<int>(l));
    norm(names.final_norm, 0, true);
    head();
    return std::move(list_);
  }

 private:
  bool has(const std::string& name) const { return like_ != nullptr && like_->find(name); }

  void add(std::string name, Shape shape, Role role) {
    const std::int64_t size = element_count(shape);
    list_.push_back({std::move(name), std::move(shape), role, at_});
    at_ += (size + kAlignment - 1) / kAlignment * kAlignment;
  }

  void norm(const std::string& name, int l, bool wanted) {
    if (name.empty() || !wanted) return;
    const std::string full = prefix_ + fmt::format(fmt::runtime(name), l);
    add(full + ".weight", {spec_.width}, Role::kGain);
    if (spec_.norm_bias) add(full + ".bias", {spec_.width}, Role::kBias);
  }

  void weight(const std::string& name, int l, std::int64_t out, std::int64_t in, bool bias,
              Role role) {
    if (name.empty()) return;
    const std::string full = prefix_ + fmt::format(fmt::runtime(name), l);
    add(full + ".weight", spec_.transposed ? Shape{in, out} : Shape{out, in}, role);
    if (bias) add(full + ".bias", {out}, Role::kBias);
  }

  void layer(int l) {
    const TensorNames& names = spec_.names;
    const Biases& bias = spec_.biases;
    const std::int64_t width = spec_.width, middle = spec_.mlp_width;
    const std::int64_t inner = spec_.heads * spec_.head_dim, kv = spec_.kv_heads * spec_.head_dim;
    norm(names.attention_norm, l, spec_.layer[static_cast<std::size_t>(l)].attention_norm);
    weight(names.query, l, inner, width, bias.query, Role::kWeight);
    weight(names.key, l, kv, width, bias.key, Role::kWeight);
    weight(names.value, l, kv, width, bias.value, Role::kWeight);
    weight(names.qkv, l, inner + 2 * kv, width, bias.query, Role::kWeight);
    weight(names.attention_out, l, width, inner, bias.out, Role::kResidualWeight);
    norm(names.attention_after_norm, l, true);
    norm(names.mlp_norm, l, true);
    weight(names.gate, l, middle, width, bias.up, Role::kWeight);
    weight(names.up, l, middle, width, bias.up, Role::kWeight);
    weight(names.gate_up, l, 2 * middle, width, bias.up, Role::kWeight);
    weight(names.down, l, width, middle, bias.down, Role::kResidualWeight);
    norm(names.mlp_after_norm, l, true);
  }

  void head() {
    const TensorNames& names = spec_.names;
    const HeadSpec& head = spec_.head;
    const std::int64_t width = spec_.width;
    const auto optional = [&](const std::string& name, bool fresh, Shape shape) {
      if (like_ == nullptr ? fresh : has(name)) add(name, std::move(shape), Role::kBias);
    };
    if (!names.head_dense.empty()) {
      add(names.head_dense + ".weight", {width, width}, Role::kWeight);
      optional(names.head_dense + ".bias", head.dense_bias, {width});
      add(names.head_norm + ".weight", {width}, Role::kGain);
      optional(names.head_norm + ".bias", head.norm_bias, {width});
    }
    const std::string decoder = names.head_decoder + ".weight";
    if (like_ == nullptr ? !head.tied : has(decoder))
      add(decoder, {spec_.vocabulary, width}, Role::kEmbedding);
    if (names.head_biases.empty() || !head.bias_required) return;
    std::string bias = names.head_biases.back();
    for (const std::string& name : names.head_biases)
      if (has(name)) bias = name;
    add(bias, {spec_.vocabulary}, Role::kBias);
  }

  const ModelSpec& spec_;
  const Checkpoint* like_;
  std::string prefix_;
  std::vector<Parameter> list_;
  std::int64_t at_ = 0;
};

std::int64_t padded_size(const Parameter& parameter) {
  return parameter.offset +
         (element_count(parameter.shape) + kAlignment - 1) / kAlignment * kAlignment;
}

TensorView view_of(const Parameter& parameter, const Tensor& values) {
  return {DType::kF32, parameter.shape,
          reinterpret_cast<const std::byte*>(values.data() + parameter.offset)};
}

}  // namespace

std::vector<Parameter> parameters_of(const ModelSpec& spec, const Checkpoint* like) {
  check_trainable(spec);
  return ParameterList(spec, like).all();
}

Trainable::Trainable(std::string config, std::vector<Parameter> parameters)
    : config_(std::move(config)),
      parameters_(std::move(parameters)),
      values_(Tensor::zeros({padded_size(parameters_.back())})),
      gradients_(Tensor::zeros({padded_size(parameters_.back())})) {}

void Trainable::build(const ModelSpec& spec, const std::string& name) {
  std::map<std::string, TensorView> tensors;
  for (const Parameter& parameter : parameters_)
    tensors.emplace(parameter.name, view_of(parameter, values_));
  model_ = std::make_shared<const Model>(Model::of(
      spec, std::make_shared<const Checkpoint>(Checkpoint::of_tensors(name, std::move(tensors)))));
}

Trainable Trainable::create(const std::string& config, const Initialization& start,
                            Random* random) {
  const JsonDocument json = JsonDocument::parse(config, "config.json");
  const ModelSpec spec = read_model_spec(json.root());
  Trainable made(config, parameters_of(spec));
  for (const Parameter& parameter : made.parameters_) {
    const std::span<float> values =
        made.values_.span().subspan(static_cast<std::size_t>(parameter.offset),
                                    static_cast<std::size_t>(element_count(parameter.shape)));
    if (parameter.role == Role::kGain) std::fill(values.begin(), values.end(), 1.0f);
    if (parameter.role == Role::kGain || parameter.role == Role::kBias) continue;
    double deviation = static_cast<double>(start.weight);
    if (parameter.role == Role::kEmbedding) deviation = static_cast<double>(start.embedding);
    if (parameter.role == Role::kResidualWeight)
      deviation =
          static_cast<double>(start.residual) / std::sqrt(2.0 * static_cast<double>(spec.layers));
    for (float& value : values) value = static_cast<float>(deviation * random->normal());
  }
  made.build(spec, "the model in training");
  return made;
}

Trainable Trainable::open(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "config.json").string();
  std::string config = read_text_file(path, 16 << 20);
  const JsonDocument json = JsonDocument::parse(config, path);
  const ModelSpec spec = read_model_spec(json.root());
  const Checkpoint checkpoint = Checkpoint::open(folder);
  Trainable made(std::move(config), parameters_of(spec, &checkpoint));
  for (const Parameter& parameter : made.parameters_)
    convert_to_f32(
        checkpoint.at(parameter.name, parameter.shape),
        made.values_.span().subspan(static_cast<std::size_t>(parameter.offset),
                                    static_cast<std::size_t>(element_count(parameter.shape))));
  made.build(spec, folder);
  return made;
}

const Parameter& Trainable::parameter_at(std::int64_t offset) const {
  const auto after = std::upper_bound(
      parameters_.begin(), parameters_.end(), offset,
      [](std::int64_t at, const Parameter& parameter) { return at < parameter.offset; });
  return *(after - 1);
}

void Trainable::save(const std::string& folder) const {
  const std::filesystem::path place(folder);
  std::vector<SafetensorsEntry> entries;
  for (const Parameter& parameter : parameters_)
    entries.push_back({parameter.name, view_of(parameter, values_)});
  // Those that need no padding after them first.
  std::stable_partition(entries.begin(), entries.end(), [](const SafetensorsEntry& entry) {
    return entry.view.size() % kAlignment == 0;
  });
  write_safetensors((place / "model.safetensors").string(), entries, {{"format", "pt"}});
  OutputFile config((place / "config.json").string());
  config.write(config_);
  config.commit();
}

}  // namespace regard
