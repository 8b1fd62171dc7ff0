// SPDX-License-Identifier: Apache-2.0
// Opening a checkpoint as a model; embeddings before the layers, logits after them.
#include "regard/model/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>

#include "regard/kernels/matmul.h"
#include "regard/kernels/normalize.h"
#include "regard/model/pass.h"
#include "regard/model/weights.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"

namespace regard {

struct Model::Weights {
  StackWeights stack;
  HeadWeights head;
  std::vector<Tensor> owned;
};

namespace {

// To the nearest bfloat16, ties to even.
float round_to_bf16(float x) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  bits += 0x7FFF + ((bits >> 16) & 1);
  return std::bit_cast<float>(bits & 0xFFFF0000u);
}

// The sum of the embeddings of a text's tokens, normalised: [token, width].
Tensor embed(const ModelSpec& model, const StackSpec& stack, const StackWeights& w,
             const ModelInput& input, std::int64_t first) {
  const auto n = static_cast<std::int64_t>(input.ids.size());
  Tensor hidden({n, model.width}), scratch({model.width});
  float scale = stack.embedding_scale;
  if (stack.embedding_scale_rounded && w.words.dtype == DType::kBF16) scale = round_to_bf16(scale);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t id = input.ids[at], type = input.types.empty() ? 0 : input.types[at];
    if (id < 0 || id >= model.vocabulary)
      throw Error(fmt::format("token {}: expected an id of 0 to {}, found {}", i,
                              model.vocabulary - 1, id));
    if (!input.types.empty() && (type < 0 || type >= stack.types))
      throw Error(
          fmt::format("token {}: expected a token type of 0 to {}, found {} (does this model "
                      "take pairs?)",
                      i, stack.types - 1, type));
    const std::span<float> row(hidden.data() + i * model.width,
                               static_cast<std::size_t>(model.width));
    read_row(w.words, id, row);
    if (scale != 1.0f)
      for (float& x : row) x *= scale;
    const auto plus = [&](const TensorView& table, std::int64_t index) {
      if (table.data == nullptr) return;
      read_row(table, index, scratch.span());
      for (std::size_t k = 0; k < row.size(); ++k) row[k] += scratch.data()[k];
    };
    plus(w.types, type);
    plus(w.positions, first + i + stack.position_offset);
  }
  apply_norm(stack, w.embedding_norm, model.width, &hidden);
  return hidden;
}

void check_input(const ModelSpec& spec, const ModelInput& input, std::int64_t before) {
  const auto n = static_cast<std::int64_t>(input.ids.size());
  if (n == 0) throw Error("model input: expected at least one token, found none");
  if (spec.max_positions > 0 && before + n > spec.max_positions)
    throw Error(
        fmt::format("model input: expected at most {} tokens (the model's positions), found {}",
                    spec.max_positions, before + n));
  if ((!input.types.empty() && input.types.size() != input.ids.size()) ||
      (!input.key_valid.empty() && static_cast<std::int64_t>(input.key_valid.size()) != before + n))
    throw Error("model input: ids, token types and mask must have the same length");
}

}  // namespace

Model Model::open(const std::string& folder) {
  const std::filesystem::path path(folder);
  const std::string config_path =
      ((std::filesystem::is_directory(path) ? path : path.parent_path()) / "config.json").string();
  const JsonDocument config =
      JsonDocument::parse(read_text_file(config_path, 16 << 20), config_path);
  Model model;
  model.spec_ = read_model_spec(config.root());
  model.checkpoint_ = std::make_shared<const Checkpoint>(Checkpoint::open(folder));
  const ModelSpec& spec = model.spec_;
  auto weights = std::make_shared<Weights>();
  weights->stack = load_stack(spec, spec, *model.checkpoint_, &weights->owned);
  weights->head = load_head(spec, spec, weights->stack, *model.checkpoint_, &weights->owned);
  model.weights_ = weights;
  return model;
}

bool Model::has_language_head() const { return weights_->head.present; }

Tensor Model::forward(const ModelInput& input, Observer* observer, const Progress& progress,
                      const CancelToken* cancel) const {
  const std::int64_t before = input.cache == nullptr ? 0 : input.cache->length;
  check_input(spec_, input, before);
  Tensor hidden = embed(spec_, spec_, weights_->stack, input, before);
  if (observer != nullptr) observer->at(Point::kEmbedding, 0, {hidden.data(), hidden.shape()});
  Pass pass{spec_, spec_, weights_->stack, checkpoint_->path()};
  pass.key_valid = input.key_valid.empty() ? nullptr : input.key_valid.data();
  pass.first = before;
  pass.cache = input.cache;
  pass.observer = observer;
  pass.progress = progress;
  pass.cancel = cancel;
  run_layers(pass, &hidden);
  apply_norm(spec_, weights_->stack.final_norm, spec_.width, &hidden);
  return hidden;
}

Tensor Model::language_logits(const float* hidden, std::int64_t rows) const {
  const HeadWeights& w = weights_->head;
  if (!w.present) throw Error(checkpoint_->path() + ": this checkpoint has no language-model head");
  Tensor logits({rows, spec_.vocabulary});
  Tensor x;
  if (w.dense.data.data != nullptr) {
    x = Tensor({rows, w.dense.out()});
    kernels::matmul(hidden, rows, spec_.width, w.dense, x.data(), w.dense.out());
    kernels::activate(spec_.head.activation, x.data(), x.size());
    kernels::layer_norm(x.data(), rows, w.dense.out(), w.norm.gain, w.norm.bias, spec_.norm_epsilon,
                        x.data());
    hidden = x.data();
  }
  kernels::matmul(hidden, rows, w.decoder.in(), w.decoder, logits.data(), spec_.vocabulary);
  const HeadSpec& head = spec_.head;
  if (head.scale != 1.0f || head.cap > 0.0f)
    for (float& logit : logits.span()) {
      logit *= head.scale;
      if (head.cap > 0.0f) logit = head.cap * std::tanh(logit / head.cap);
    }
  return logits;
}

}  // namespace regard
