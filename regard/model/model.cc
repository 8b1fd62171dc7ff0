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
#include "regard/model/config.h"
#include "regard/model/gguf_spec.h"
#include "regard/model/pass.h"
#include "regard/model/weights.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"

namespace regard {

namespace {

// To the nearest bfloat16, ties to even.
float round_to_bf16(float x) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  bits += 0x7FFF + ((bits >> 16) & 1);
  return std::bit_cast<float>(bits & 0xFFFF0000u);
}

// Pegasus's and Marian's: sines in the first half, cosines in the second.
void add_sinusoid(std::int64_t position, std::span<float> row) {
  const auto width = static_cast<std::int64_t>(row.size()), half = (width + 1) / 2;
  for (std::int64_t j = 0; j < width; ++j) {
    const std::int64_t pair = j < half ? j : j - half;
    const double angle =
        static_cast<double>(position) /
        std::pow(10000.0, 2.0 * static_cast<double>(pair) / static_cast<double>(width));
    row[static_cast<std::size_t>(j)] +=
        static_cast<float>(j < half ? std::sin(angle) : std::cos(angle));
  }
}

// x [rows, in] through a projection that may be absent.
Tensor projected(const kernels::Weight& weight, Tensor x) {
  if (!present(weight)) return x;
  Tensor out({x.shape()[0], weight.out()});
  product(x.data(), x.shape()[0], weight, out.data());
  return out;
}

// The sum of the embeddings of a text's tokens, normalised: [token, width].
Tensor embed(const ModelSpec& model, const StackSpec& stack, const StackWeights& w,
             const std::vector<std::int64_t>& ids, const std::vector<std::int64_t>& types,
             const std::vector<std::int64_t>& starts, std::int64_t first, Observer* observer) {
  const auto n = static_cast<std::int64_t>(ids.size());
  Tensor hidden({n, stack.embedding_width});
  float scale = stack.embedding_scale;
  if (stack.embedding_scale_rounded && w.words.dtype == DType::kBF16) scale = round_to_bf16(scale);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t id = ids[static_cast<std::size_t>(i)];
    if (id < 0 || id >= model.vocabulary)
      throw Error(fmt::format("token {}: expected an id of 0 to {}, found {}", i,
                              model.vocabulary - 1, id));
    const std::span<float> row(hidden.data() + i * stack.embedding_width,
                               static_cast<std::size_t>(stack.embedding_width));
    read_row(w.words, id, row);
    if (scale != 1.0f)
      for (float& x : row) x *= scale;
  }
  if (stack.project_first) hidden = projected(w.embedding_projection, std::move(hidden));

  const std::int64_t width = hidden.shape()[1];
  Tensor scratch({width});
  std::int64_t position = first;
  auto start = starts.begin();
  for (std::int64_t i = 0; i < n; ++i) {
    if (start != starts.end() && *start == i) {
      position = first;
      ++start;
    }
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t type = types.empty() ? 0 : types[at];
    if (!types.empty() && (type < 0 || type >= stack.types))
      throw Error(
          fmt::format("token {}: expected a token type of 0 to {}, found {} (does this model "
                      "take pairs?)",
                      i, stack.types - 1, type));
    const std::span<float> row(hidden.data() + i * width, static_cast<std::size_t>(width));
    const auto plus = [&](const TensorView& table, std::int64_t index) {
      if (table.data == nullptr) return;
      read_row(table, index, scratch.span());
      for (std::size_t k = 0; k < row.size(); ++k) row[k] += scratch.data()[k];
    };
    plus(w.types, type);
    const bool padding = ids[at] == stack.position_padding;
    const std::int64_t number = padding ? stack.position_padding : position + stack.position_offset;
    if (!padding) ++position;
    plus(w.positions, number);
    if (stack.positions == Positions::kSinusoidal) add_sinusoid(number, row);
  }
  if (observer != nullptr) observer->at(Point::kEmbeddingSum, 0, {hidden.data(), hidden.shape()});
  apply_norm(stack, w.embedding_norm, width, &hidden);
  return stack.project_first ? std::move(hidden)
                             : projected(w.embedding_projection, std::move(hidden));
}

void check_length(const StackSpec& stack, std::int64_t before, std::size_t count) {
  const std::int64_t n = before + static_cast<std::int64_t>(count);
  if (count == 0) throw Error("model input: expected at least one token, found none");
  if (stack.max_positions > 0 && n > stack.max_positions)
    throw Error(
        fmt::format("model input: expected at most {} tokens (the model's positions), found {}",
                    stack.max_positions, n));
}

// Texts must follow one another; each has positions of its own.
void check_starts(const ModelSpec& model, const ModelInput& input) {
  if (input.cache != nullptr || !input.key_valid.empty() || model.decoder || model.disentangled)
    throw Error(
        "model input: several texts at once go with neither a cache, a mask, a decoder nor "
        "disentangled attention");
  const auto n = static_cast<std::int64_t>(input.ids.size());
  std::int64_t before = -1;
  for (std::size_t i = 0; i < input.starts.size(); ++i) {
    const std::int64_t start = input.starts[i];
    if (start <= before || start >= n || (i == 0 && start != 0))
      throw Error(
          fmt::format("model input: text {}: expected a start after {} and before {}, found {}", i,
                      i == 0 ? "nothing, at 0," : fmt::format("{}", before), n, start));
    const std::int64_t next = i + 1 < input.starts.size() ? input.starts[i + 1] : n;
    check_length(model, 0, static_cast<std::size_t>(std::max<std::int64_t>(0, next - start)));
    before = start;
  }
}

void check_positions(const ModelSpec& spec, const ModelInput& input) {
  if (input.positions.empty()) return;
  const bool rotary_alone =
      !spec.rotaries.empty() && !spec.decoder && spec.positions == Positions::kNone &&
      spec.alibi == Alibi::kNone && !spec.relative && !spec.disentangled &&
      std::all_of(spec.layer.begin(), spec.layer.end(),
                  [](const LayerSpec& layer) { return layer.window == 0 && layer.rotary >= 0; });
  if (!rotary_alone || input.cache != nullptr)
    throw Error("model input: positions of tokens go with rotary positions alone, without a cache");
  if (input.positions.size() != input.ids.size())
    throw Error("model input: ids and positions must have the same length");
  for (std::size_t i = 0; i < input.positions.size(); ++i) {
    const bool starts = i == 0 || std::binary_search(input.starts.begin(), input.starts.end(),
                                                     static_cast<std::int64_t>(i));
    if (input.positions[i] < 0 || (!starts && input.positions[i] <= input.positions[i - 1]))
      throw Error(fmt::format("model input: token {}: expected an ascending position, found {}", i,
                              input.positions[i]));
  }
}

void check_input(const ModelInput& input, std::int64_t before) {
  const auto n = static_cast<std::int64_t>(input.ids.size());
  if ((!input.types.empty() && input.types.size() != input.ids.size()) ||
      (!input.key_valid.empty() && static_cast<std::int64_t>(input.key_valid.size()) != before + n))
    throw Error("model input: ids, token types and mask must have the same length");
}

// What transformers' generate() takes from generation_config.json: where it names tokens that end a
// text, they stand for config.json's. A key that would change the text and is not obeyed is noted.
void read_generation_config(const std::filesystem::path& folder, ModelSpec* spec) {
  const std::string path = (folder / "generation_config.json").string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return;
  const JsonDocument document = JsonDocument::parse(read_text_file(path, 16 << 20), path);
  Config config(document.root());
  if (config.has("eos_token_id")) spec->ends = config.ids("eos_token_id");
  std::string others;
  // With the value that changes nothing; none: any value would.
  using Inert = std::optional<double>;
  for (const auto& [key, inert] : {std::pair<std::string_view, Inert>{"bad_words_ids", {}},
                                   {"suppress_tokens", {}},
                                   {"begin_suppress_tokens", {}},
                                   {"sequence_bias", {}},
                                   {"forced_bos_token_id", {}},
                                   {"forced_eos_token_id", {}},
                                   {"exponential_decay_length_penalty", {}},
                                   {"repetition_penalty", 1},
                                   {"encoder_repetition_penalty", 1},
                                   {"no_repeat_ngram_size", 0},
                                   {"encoder_no_repeat_ngram_size", 0},
                                   {"min_length", 0},
                                   {"min_new_tokens", 0},
                                   {"guidance_scale", 1},
                                   {"num_beams", 1},
                                   {"length_penalty", 1}}) {
    const std::optional<Json> value = config.find(key);
    if (value && !(inert && value->number() == *inert))
      others += fmt::format("{}\"{}\"", others.empty() ? "" : ", ", key);
  }
  if (!others.empty())
    spec->notes.push_back("generation_config.json: not obeyed by generate: " + others);
}

}  // namespace

ModelSpec Model::read_spec(const Checkpoint& checkpoint) {
  if (checkpoint.gguf() != nullptr) return read_gguf_spec(checkpoint);
  const std::filesystem::path place(checkpoint.path());
  const std::filesystem::path folder =
      std::filesystem::is_directory(place) ? place : place.parent_path();
  const std::string path = (folder / "config.json").string();
  const JsonDocument config = JsonDocument::parse(read_text_file(path, 16 << 20), path);
  ModelSpec spec = read_model_spec(config.root());
  read_generation_config(folder, &spec);
  return spec;
}

Model Model::open(const std::string& path, bool untrained) {
  auto checkpoint = std::make_shared<Checkpoint>(Checkpoint::open(path));
  if (untrained) checkpoint->draw_at_random(0);
  ModelSpec spec = read_spec(*checkpoint);
  return of(std::move(spec), std::move(checkpoint));
}

Model Model::of(ModelSpec given, std::shared_ptr<const Checkpoint> tensors) {
  Model model;
  model.checkpoint_ = std::move(tensors);
  const Checkpoint& checkpoint = *model.checkpoint_;
  model.spec_ = std::move(given);
  const ModelSpec& spec = model.spec_;
  auto weights = std::make_shared<ModelWeights>();
  weights->stack = load_stack(spec, spec, checkpoint, &weights->owned);
  if (spec.decoder) weights->decoder = load_stack(spec, *spec.decoder, checkpoint, &weights->owned);
  weights->head =
      load_head(spec, spec.decoder ? *spec.decoder : spec,
                spec.decoder ? weights->decoder : weights->stack, checkpoint, &weights->owned);
  model.weights_ = weights;
  return model;
}

bool Model::has_language_head() const { return weights_->head.present; }

Tensor Model::forward(const ModelInput& input, Observer* observer, const Progress& progress,
                      const CancelToken* cancel) const {
  const std::int64_t before = input.cache == nullptr || spec_.decoder ? 0 : input.cache->length;
  if (input.starts.empty() || input.ids.empty())
    check_length(spec_, before, input.ids.size());
  else
    check_starts(spec_, input);
  check_input(input, before);
  check_positions(spec_, input);
  const bool watched = !spec_.decoder || input.kind == AttentionKind::kEncoder;
  Observer* const watcher = watched ? observer : nullptr;
  Tensor hidden =
      embed(spec_, spec_, weights_->stack, input.ids, input.types, input.starts, before, watcher);
  if (watcher != nullptr) watcher->at(Point::kEmbedding, 0, {hidden.data(), hidden.shape()});
  Pass pass{spec_, spec_, weights_->stack, checkpoint_->path()};
  pass.cancel = cancel;
  pass.key_valid = input.key_valid.empty() ? nullptr : input.key_valid.data();
  pass.first = before;
  pass.starts = input.starts;
  pass.positions = input.positions;
  pass.cache = spec_.decoder ? nullptr : input.cache;
  pass.observer = watcher;
  pass.progress = progress;
  run_layers(pass, &hidden);
  apply_norm(spec_, weights_->stack.final_norm, spec_.width, &hidden);
  if (spec_.decoder && !input.target.empty())
    return decode(input, hidden, watched ? nullptr : observer, cancel);
  return hidden;
}

Tensor Model::decode(const ModelInput& input, const Tensor& memory, Observer* observer,
                     const CancelToken* cancel) const {
  if (!spec_.decoder) throw Error(checkpoint_->path() + ": this model has no decoder");
  const StackSpec& stack = *spec_.decoder;
  const std::int64_t before = input.cache == nullptr ? 0 : input.cache->length;
  check_length(stack, before, input.target.size());
  Tensor hidden = embed(spec_, stack, weights_->decoder, input.target, {}, {}, before, observer);
  if (observer != nullptr) observer->at(Point::kEmbedding, 0, {hidden.data(), hidden.shape()});
  Pass pass{spec_, stack, weights_->decoder, checkpoint_->path()};
  pass.first = before;
  pass.cache = input.cache;
  pass.memory = &memory;
  pass.memory_valid = input.key_valid.empty() ? nullptr : input.key_valid.data();
  pass.records_cross = input.kind == AttentionKind::kCross;
  pass.observer = observer;
  pass.cancel = cancel;
  run_layers(pass, &hidden);
  apply_norm(stack, weights_->decoder.final_norm, spec_.width, &hidden);
  return hidden;
}

Tensor Model::language_logits(const float* hidden, std::int64_t rows, Observer* observer) const {
  const HeadWeights& w = weights_->head;
  if (!w.present) throw Error(checkpoint_->path() + ": this checkpoint has no language-model head");
  Tensor logits({rows, spec_.vocabulary});
  Tensor x;
  const kernels::Weight& narrowing = weights_->stack.output_projection;
  if (present(narrowing)) {
    x = Tensor({rows, narrowing.out()});
    product(hidden, rows, narrowing, x.data());
    hidden = x.data();
  }
  if (w.dense.data.data != nullptr) {
    x = Tensor({rows, w.dense.out()});
    kernels::matmul(hidden, rows, spec_.width, w.dense, x.data(), w.dense.out());
    if (observer != nullptr)
      observer->at(Point::kHeadDense, static_cast<int>(spec_.layers), {x.data(), x.shape()});
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
