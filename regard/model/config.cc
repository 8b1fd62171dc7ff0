// SPDX-License-Identifier: Apache-2.0
// Reading values of a config.json, and telling what was not read.
#include "regard/model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/error.h"

namespace regard {
namespace {

// Keys of any transformers configuration that say nothing about the forward pass.
const std::set<std::string_view> kHarmless = {"_name_or_path",
                                              "architectures",
                                              "auto_map",
                                              "model_type",
                                              "torch_dtype",
                                              "dtype",
                                              "transformers_version",
                                              "attention_probs_dropout_prob",
                                              "hidden_dropout_prob",
                                              "attention_dropout",
                                              "hidden_dropout",
                                              "resid_pdrop",
                                              "embd_pdrop",
                                              "attn_pdrop",
                                              "dropout",
                                              "activation_dropout",
                                              "classifier_dropout",
                                              "initializer_range",
                                              "initializer_factor",
                                              "gradient_checkpointing",
                                              "use_cache",
                                              "id2label",
                                              "label2id",
                                              "pad_token_id",
                                              "bos_token_id",
                                              "sep_token_id",
                                              "cls_token_id",
                                              "mask_token_id",
                                              "unk_token_id",
                                              "output_attentions",
                                              "output_hidden_states",
                                              "return_dict",
                                              "problem_type",
                                              "finetuning_task",
                                              "_attn_implementation_autoset",
                                              "attn_implementation",
                                              "_attn_implementation",
                                              "_experts_implementation",
                                              "tokenizer_class",
                                              "pretraining_tp",
                                              "task_specific_params",
                                              "is_encoder_decoder",
                                              "torchscript",
                                              "pruned_heads",
                                              "prefix",
                                              "num_labels",
                                              "tie_encoder_decoder",
                                              "cross_attention_hidden_size",
                                              "unsloth_version",
                                              "unsloth_fixed",
                                              "quantization_config",
                                              "transformers.js_config",
                                              "forced_bos_token_id",
                                              "forced_eos_token_id",
                                              "bad_words_ids",
                                              "max_length",
                                              "min_length",
                                              "num_beams",
                                              "length_penalty",
                                              "early_stopping",
                                              "no_repeat_ngram_size",
                                              "attention_probs_dropout",
                                              "layerdrop",
                                              "summary_type",
                                              "summary_use_proj",
                                              "summary_activation",
                                              "summary_first_dropout",
                                              "summary_proj_to_labels",
                                              "mlp_dropout",
                                              "embedding_dropout",
                                              "router_aux_loss_coef",
                                              "router_jitter_noise",
                                              "output_router_logits",
                                              "layer_norm_elementwise_affine",
                                              "use_flash_attn"};

}  // namespace

bool may_change_scores(std::string_view key) {
  std::string lower(key);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  for (std::string_view word : {"attention", "attn", "rope", "rotary", "mask", "window", "scale",
                                "scaling", "cap", "bias", "position", "norm"})
    if (lower.find(word) != std::string::npos) return true;
  return false;
}

std::optional<Json> Config::find(std::string_view key) {
  read_.emplace(key);
  const std::optional<Json> value = root_.find(key);
  return value && !value->is_null() ? value : std::nullopt;
}

void Config::harmless(std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) read_.emplace(key);
}

std::int64_t Config::size(std::string_view key, std::int64_t limit,
                          std::optional<std::int64_t> fallback) {
  const std::optional<Json> found = find(key);
  if (!found && fallback && *fallback <= limit) return *fallback;
  const Json value = found ? *found : root_.at(key);
  const std::int64_t size = value.integer();
  if (size < 1 || size > limit) throw value.wrong(fmt::format("a size of 1 to {}", limit));
  return size;
}

bool Config::flag(std::string_view key, bool fallback) {
  const std::optional<Json> value = find(key);
  return value ? value->boolean() : fallback;
}

float Config::number(std::string_view key, std::optional<double> fallback) {
  const std::optional<Json> value = find(key);
  if (!value && fallback) return static_cast<float>(*fallback);
  const Json given = value ? *value : root_.at(key);
  const float number = static_cast<float>(given.number());
  if (!std::isfinite(number)) throw given.wrong("a finite number");
  return number;
}

float Config::epsilon(std::string_view key, std::optional<double> fallback) {
  const float value = number(key, fallback);
  if (!(value >= 0.0f && value < 1.0f)) throw root_.at(key).wrong("0 or more, less than 1");
  return value;
}

kernels::Activation Config::activation(std::string_view key, std::string_view fallback) {
  const std::optional<Json> value = find(key);
  const auto named = kernels::activation_named(
      value || fallback.empty() ? (value ? *value : root_.at(key)).string() : fallback);
  if (!named)
    throw root_.at(key).wrong(
        "gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, relu, silu, swish or tanh");
  return *named;
}

std::string Config::text(std::string_view key, std::string_view fallback) {
  const std::optional<Json> value = find(key);
  return std::string(value ? value->string() : fallback);
}

std::vector<std::int64_t> Config::ids(std::string_view key) {
  std::vector<std::int64_t> out;
  const std::optional<Json> value = find(key);
  if (!value) return out;
  if (!value->is_array()) return {value->integer()};
  value->for_each_element([&](std::size_t, Json id) { out.push_back(id.integer()); });
  return out;
}

void Config::demand(std::string_view key, bool value) {
  const std::optional<Json> found = find(key);
  if (found && found->boolean() != value) throw found->wrong(value ? "true" : "false");
}

void Config::demand_number(std::string_view key, double value) {
  const std::optional<Json> found = find(key);
  if (found && found->number() != value) throw found->wrong(fmt::format("{}", value));
}

std::vector<std::string> Config::per_layer(std::string_view key, std::int64_t layers,
                                           const std::vector<std::string_view>& known) {
  std::vector<std::string> out;
  const std::optional<Json> value = find(key);
  if (!value) return out;
  value->for_each_element([&](std::size_t, Json entry) {
    if (std::find(known.begin(), known.end(), entry.string()) == known.end())
      throw entry.wrong(fmt::format("{}", fmt::join(known, " or ")));
    out.emplace_back(entry.string());
  });
  if (static_cast<std::int64_t>(out.size()) != layers)
    throw value->wrong(fmt::format("one entry for each of {} layers", layers));
  return out;
}

std::vector<std::string> Config::unread_notes(std::string_view architecture) const {
  std::vector<std::string> notes;
  root_.for_each_member([&](std::string_view key, Json value) {
    if (read_.contains(key) || kHarmless.contains(key) || value.is_null()) return;
    if (may_change_scores(key))
      throw Error(fmt::format("{} (key \"{}\" of {} may change the attention and is not known)",
                              value.wrong("no such key").what(), key, architecture));
    notes.push_back(fmt::format("config.json: \"{}\" was not read", printable(key)));
  });
  return notes;
}

}  // namespace regard
