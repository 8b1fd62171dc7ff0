// SPDX-License-Identifier: Apache-2.0
// One table per architecture: which configuration keys it reads, which it knows to be harmless,
// how its tensors are called. Source: transformers 5.23, configuration_bert.py, modeling_bert.py.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "regard/model/model_spec.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

struct Architecture {
  std::string_view model_type;
  std::set<std::string_view> read;      // keys that `fill` uses
  std::set<std::string_view> harmless;  // keys that do not change a forward pass
  std::function<void(const Json& config, ModelSpec* spec)> fill;
};

// Keys of any transformers configuration that say nothing about the forward pass.
const std::set<std::string_view> kCommonHarmless = {"_name_or_path",
                                                    "architectures",
                                                    "model_type",
                                                    "torch_dtype",
                                                    "dtype",
                                                    "transformers_version",
                                                    "attention_probs_dropout_prob",
                                                    "hidden_dropout_prob",
                                                    "classifier_dropout",
                                                    "initializer_range",
                                                    "gradient_checkpointing",
                                                    "use_cache",
                                                    "id2label",
                                                    "label2id",
                                                    "pad_token_id",
                                                    "bos_token_id",
                                                    "eos_token_id",
                                                    "sep_token_id",
                                                    "cls_token_id",
                                                    "output_attentions",
                                                    "output_hidden_states",
                                                    "return_dict",
                                                    "problem_type",
                                                    "finetuning_task",
                                                    "_attn_implementation_autoset",
                                                    "attn_implementation",
                                                    "_attn_implementation",
                                                    "tokenizer_class",
                                                    "directionality",
                                                    "pooler_fc_size",
                                                    "pooler_num_attention_heads",
                                                    "pooler_num_fc_layers",
                                                    "pooler_size_per_head",
                                                    "pooler_type",
                                                    "tie_word_embeddings"};

// A positive size of at most `limit`.
std::int64_t size_at(const Json& config, std::string_view key, std::int64_t limit) {
  const Json value = config.at(key);
  const std::int64_t size = value.integer();
  if (size < 1 || size > limit) throw value.wrong(fmt::format("a size of 1 to {}", limit));
  return size;
}

constexpr std::int64_t kMaximalVocabulary = 1 << 24;
constexpr std::int64_t kMaximalWidth = 1 << 20;
constexpr std::int64_t kMaximalLayers = 4096;
constexpr std::int64_t kMaximalPositions = std::int64_t{1} << 32;

void fill_bert(const Json& config, ModelSpec* spec) {
  spec->vocabulary = size_at(config, "vocab_size", kMaximalVocabulary);
  spec->width = size_at(config, "hidden_size", kMaximalWidth);
  spec->layers = size_at(config, "num_hidden_layers", kMaximalLayers);
  spec->heads = spec->kv_heads = size_at(config, "num_attention_heads", kMaximalWidth);
  if (spec->width % spec->heads != 0)
    throw config.at("num_attention_heads")
        .wrong(fmt::format("a divisor of hidden_size {}", spec->width));
  spec->head_dim = spec->width / spec->heads;
  spec->mlp_width = size_at(config, "intermediate_size", kMaximalWidth);
  spec->max_positions = size_at(config, "max_position_embeddings", kMaximalPositions);
  spec->types = size_at(config, "type_vocab_size", kMaximalWidth);
  const Json epsilon = config.at("layer_norm_eps");
  spec->norm_epsilon = static_cast<float>(epsilon.number());
  if (!(spec->norm_epsilon >= 0.0f && spec->norm_epsilon < 1.0f))
    throw epsilon.wrong("0 <= layer_norm_eps < 1");
  const Json act = config.at("hidden_act");
  const auto activation = kernels::activation_named(act.string());
  if (!activation) throw act.wrong("gelu, gelu_new, gelu_pytorch_tanh, relu, silu or tanh");
  spec->activation = *activation;
  spec->scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec->head_dim)));
  if (const auto kind = config.find("position_embedding_type"))
    if (kind->string() != "absolute") throw kind->wrong("absolute");
  if (const auto decoder = config.find("is_decoder"))
    if (decoder->boolean()) throw decoder->wrong("false (BERT as an encoder)");
  if (const auto cross = config.find("add_cross_attention"))
    if (cross->boolean()) throw cross->wrong("false");
  if (const auto chunk = config.find("chunk_size_feed_forward"))
    if (chunk->integer() < 0) throw chunk->wrong("0 or more");

  const std::string layer = "encoder.layer.{}.";
  TensorNames& names = spec->names;
  names.prefixes = {"", "bert."};
  names.word_embedding = "embeddings.word_embeddings.weight";
  names.position_embedding = "embeddings.position_embeddings.weight";
  names.type_embedding = "embeddings.token_type_embeddings.weight";
  names.embedding_norm = "embeddings.LayerNorm";
  names.query = layer + "attention.self.query";
  names.key = layer + "attention.self.key";
  names.value = layer + "attention.self.value";
  names.attention_out = layer + "attention.output.dense";
  names.attention_norm = layer + "attention.output.LayerNorm";
  names.up = layer + "intermediate.dense";
  names.down = layer + "output.dense";
  names.mlp_norm = layer + "output.LayerNorm";
  names.head_dense = "cls.predictions.transform.dense";
  names.head_norm = "cls.predictions.transform.LayerNorm";
  names.head_decoder = "cls.predictions.decoder.weight";
  names.head_biases = {"cls.predictions.decoder.bias", "cls.predictions.bias"};
}

const std::array<Architecture, 1>& architectures() {
  static const std::array<Architecture, 1> table = {{
      {"bert",
       {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
        "hidden_act", "position_embedding_type", "is_decoder", "add_cross_attention",
        "chunk_size_feed_forward"},
       {},
       fill_bert},
  }};
  return table;
}

// True when a key's name speaks of something that could change a score.
bool touches_scores(std::string_view key) {
  std::string lower(key);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  for (std::string_view word : {"attention", "attn", "rope", "rotary", "mask", "window", "scale",
                                "scaling", "cap", "bias", "position", "norm"})
    if (lower.find(word) != std::string::npos) return true;
  return false;
}

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Architecture& entry : architectures()) names.emplace_back(entry.model_type);
  std::sort(names.begin(), names.end());
  return names;
}

ModelSpec read_model_spec(const Json& config) {
  const Json type = config.at("model_type");
  const auto& table = architectures();
  const auto entry = std::find_if(table.begin(), table.end(), [&](const Architecture& a) {
    return a.model_type == type.string();
  });
  if (entry == table.end())
    throw type.wrong(
        fmt::format("one of the architectures {}", fmt::join(known_architectures(), ", ")));

  ModelSpec spec;
  spec.architecture = entry->model_type;
  config.for_each_member([&](std::string_view key, Json value) {
    if (entry->read.contains(key) || entry->harmless.contains(key) || kCommonHarmless.contains(key))
      return;
    if (value.is_null()) return;
    if (touches_scores(key))
      throw Error(fmt::format("{} (key \"{}\" of {} may change the attention and is not known)",
                              value.wrong("no such key").what(), key, entry->model_type));
    spec.notes.push_back(fmt::format("config.json: \"{}\" was not read", printable(key)));
  });
  entry->fill(config, &spec);
  return spec;
}

}  // namespace regard
