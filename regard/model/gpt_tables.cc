// SPDX-License-Identifier: Apache-2.0
// Decoders of GPT's kind: LayerNorm, a plain MLP, learned or rotary positions. Source: transformers
// 5.23, models gpt2, gpt_neo, gptj, gpt_neox, opt, phi.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

// The sizes under the names that an architecture gives them.
struct SizeKeys {
  std::string_view width = "hidden_size", layers = "num_hidden_layers",
                   heads = "num_attention_heads", mlp = "intermediate_size",
                   positions = "max_position_embeddings", epsilon = "layer_norm_epsilon",
                   activation = "activation_function";
  std::string_view default_activation = "gelu_new";
};

void fill_shape(Config* config, ModelSpec* spec, const SizeKeys& keys) {
  spec->vocabulary = config->size("vocab_size", kMaximalVocabulary);
  spec->width = spec->embedding_width = config->size(keys.width, kMaximalWidth);
  spec->layers = config->size(keys.layers, kMaximalLayers);
  spec->heads = spec->kv_heads = config->size(keys.heads, kMaximalWidth);
  if (spec->width % spec->heads != 0)
    throw config->root()
        .at(keys.heads)
        .wrong(fmt::format("a divisor of {} {}", keys.width, spec->width));
  spec->head_dim = spec->width / spec->heads;
  spec->mlp_width = config->size(keys.mlp, kMaximalWidth, 4 * spec->width);
  spec->causal = true;
  spec->norm_epsilon = config->epsilon(keys.epsilon, 1e-5);
  spec->activation = config->activation(keys.activation, keys.default_activation);
  fill_layers(spec);
}

constexpr SizeKeys kGpt2Keys = {.width = "n_embd",
                                .layers = "n_layer",
                                .heads = "n_head",
                                .mlp = "n_inner",
                                .positions = "n_positions"};

void learned_positions(Config* config, ModelSpec* spec, std::string_view key, std::int64_t offset) {
  spec->positions = Positions::kLearned;
  spec->position_offset = offset;
  spec->max_positions = config->size(key, kMaximalPositions);
}

void name_gpt2_tensors(TensorNames* names) {
  names->prefixes = {"transformer.", ""};
  names->word_embedding = "wte";
  names->final_norm = "ln_f";
  names->attention_norm = "h.{}.ln_1";
  names->head_decoder = "lm_head";
}

void fill_gpt2(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, kGpt2Keys);
  config->harmless({"n_ctx", "reorder_and_upcast_attn"});
  learned_positions(config, spec, "n_positions", 0);
  config->demand("add_cross_attention", false);
  spec->head.tied = config->flag("tie_word_embeddings", true);
  const bool scaled = config->flag("scale_attn_weights", true);
  const bool by_layer = config->flag("scale_attn_by_inverse_layer_idx", false);
  for (std::size_t i = 0; i < spec->layer.size(); ++i) {
    if (!scaled) spec->layer[i].scale = 1;
    if (by_layer) spec->layer[i].scale /= static_cast<float>(i + 1);
  }
  spec->transposed = true;
  TensorNames& names = spec->names;
  name_gpt2_tensors(&names);
  names.position_embedding = "wpe";
  names.qkv = "h.{}.attn.c_attn";
  names.attention_out = "h.{}.attn.c_proj";
  names.mlp_norm = "h.{}.ln_2";
  names.up = "h.{}.mlp.c_fc";
  names.down = "h.{}.mlp.c_proj";
}

// attention_layers, or attention_types [[["global", "local"], 12]], as a list of kinds.
std::vector<bool> local_layers(Config* config, std::int64_t layers) {
  std::vector<bool> local;
  const auto add = [&](Json kind) {
    if (kind.string() != "global" && kind.string() != "local") throw kind.wrong("global or local");
    local.push_back(kind.string() == "local");
  };
  const auto list = config->find("attention_layers");
  const auto types = config->find("attention_types");
  if (list) {
    list->for_each_element([&](std::size_t, Json kind) { add(kind); });
  } else if (types) {
    types->for_each_element([&](std::size_t, Json pair) {
      std::optional<Json> kinds;
      std::int64_t times = 0;
      pair.for_each_element([&](std::size_t i, Json part) {
        if (i == 0) kinds = part;
        if (i == 1) times = part.integer();
      });
      if (!kinds || times < 0 || times > layers) throw pair.wrong("[kinds, times]");
      for (std::int64_t t = 0; t < times; ++t)
        kinds->for_each_element([&](std::size_t, Json kind) { add(kind); });
    });
  } else {
    for (std::int64_t i = 0; i < layers; ++i) local.push_back(i % 2 == 1);
  }
  if (std::ssize(local) != layers)
    throw(list ? *list : types ? *types : config->root()).wrong("one kind for each layer");
  return local;
}

void fill_gpt_neo(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {.layers = "num_layers", .heads = "num_heads"});
  learned_positions(config, spec, "max_position_embeddings", 0);
  spec->head.tied = config->flag("tie_word_embeddings", true);
  const std::int64_t window = config->size("window_size", kMaximalPositions, 256);
  const std::vector<bool> local = local_layers(config, spec->layers);
  for (std::size_t i = 0; i < spec->layer.size(); ++i) {
    spec->layer[i].scale = 1;
    spec->layer[i].window = local[i] ? window : 0;
  }
  spec->biases.query = spec->biases.key = spec->biases.value = false;
  TensorNames& names = spec->names;
  name_gpt2_tensors(&names);
  names.position_embedding = "wpe";
  names.query = "h.{}.attn.attention.q_proj";
  names.key = "h.{}.attn.attention.k_proj";
  names.value = "h.{}.attn.attention.v_proj";
  names.attention_out = "h.{}.attn.attention.out_proj";
  names.mlp_norm = "h.{}.ln_2";
  names.up = "h.{}.mlp.c_fc";
  names.down = "h.{}.mlp.c_proj";
}

void fill_gptj(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, kGpt2Keys);
  config->harmless({"n_ctx"});
  for (const char* key : {"rotary", "scale_attn_weights"}) config->demand(key, true);
  spec->trained_positions = config->size("n_positions", kMaximalPositions, 2048);
  const bool whole = config->root().find("rotary_dim") && !config->has("rotary_dim");
  const std::int64_t dims = whole ? spec->head_dim : config->size("rotary_dim", kMaximalWidth, 64);
  if (dims > spec->head_dim)
    throw config->root().at("rotary_dim").wrong(fmt::format("at most {}", spec->head_dim));
  spec->rotaries = {read_rotary(
      config, {.head_dim = dims, .max_positions = spec->trained_positions, .neighbours = true})};
  fill_layers(spec);
  spec->parallel = true;
  spec->biases = {false, false, false, false, true, true};
  spec->head.tied = config->flag("tie_word_embeddings", false);
  TensorNames& names = spec->names;
  name_gpt2_tensors(&names);
  names.query = "h.{}.attn.q_proj";
  names.key = "h.{}.attn.k_proj";
  names.value = "h.{}.attn.v_proj";
  names.attention_out = "h.{}.attn.out_proj";
  names.up = "h.{}.mlp.fc_in";
  names.down = "h.{}.mlp.fc_out";
  names.head_biases = {"lm_head.bias"};
}

void fill_gpt_neox(Config* config, ModelSpec* spec) {
  fill_shape(
      config, spec,
      {.epsilon = "layer_norm_eps", .activation = "hidden_act", .default_activation = "gelu"});
  spec->trained_positions = config->size("max_position_embeddings", kMaximalPositions, 2048);
  spec->rotaries = {read_rotary(config, {.head_dim = spec->head_dim,
                                         .partial = 0.25,
                                         .max_positions = spec->trained_positions,
                                         .theta_key = "rotary_emb_base",
                                         .partial_key = "rotary_pct"})};
  fill_layers(spec);
  config->demand("is_decoder", false);
  spec->parallel = config->flag("use_parallel_residual", true);
  const bool bias = config->flag("attention_bias", true);
  spec->biases = {bias, bias, bias, bias, true, true};
  spec->fused = FusedLayout::kGrouped;
  spec->head.tied = config->flag("tie_word_embeddings", false);
  TensorNames& names = spec->names;
  const std::string layer = "layers.{}.";
  names.prefixes = {"gpt_neox.", ""};
  names.word_embedding = "embed_in";
  names.final_norm = "final_layer_norm";
  names.attention_norm = layer + "input_layernorm";
  names.mlp_norm = layer + "post_attention_layernorm";
  names.qkv = layer + "attention.query_key_value";
  names.attention_out = layer + "attention.dense";
  names.up = layer + "mlp.dense_h_to_4h";
  names.down = layer + "mlp.dense_4h_to_h";
  names.head_decoder = "embed_out";
  names.head_decoder_alias = "lm_head";
}

void fill_opt(Config* config, ModelSpec* spec) {
  fill_shape(config, spec,
             {.mlp = "ffn_dim", .epsilon = "unused_norm_epsilon", .default_activation = "relu"});
  spec->norm_epsilon = 1e-5f;  // PyTorch's own
  config->harmless({"init_std", "_remove_final_layer_norm"});
  learned_positions(config, spec, "max_position_embeddings", 2);
  spec->embedding_width = config->size("word_embed_proj_dim", kMaximalWidth, spec->width);
  spec->head.tied = config->flag("tie_word_embeddings", true);
  config->demand("layer_norm_elementwise_affine", true);
  const bool bias = config->flag("enable_bias", true);
  spec->biases = {bias, bias, bias, bias, bias, bias};
  TensorNames& names = spec->names;
  const std::string layer = "layers.{}.";
  names.prefixes = {"model.decoder.", "decoder.", ""};
  names.word_embedding = "embed_tokens";
  names.position_embedding = "embed_positions";
  if (spec->embedding_width != spec->width) {
    names.embedding_projection = "project_in";
    names.output_projection = "project_out";
  }
  names.query = layer + "self_attn.q_proj";
  names.key = layer + "self_attn.k_proj";
  names.value = layer + "self_attn.v_proj";
  names.attention_out = layer + "self_attn.out_proj";
  names.up = layer + "fc1";
  names.down = layer + "fc2";
  names.head_decoder = "lm_head";
  const bool before = config->flag("do_layer_norm_before", true);
  (before ? names.attention_norm : names.attention_after_norm) = layer + "self_attn_layer_norm";
  (before ? names.mlp_norm : names.mlp_after_norm) = layer + "final_layer_norm";
  if (before && !config->flag("_remove_final_layer_norm", false))
    names.final_norm = "final_layer_norm";
}

void fill_phi(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {.epsilon = "layer_norm_eps", .activation = "hidden_act"});
  spec->kv_heads = config->size("num_key_value_heads", kMaximalWidth, spec->heads);
  if (spec->heads % spec->kv_heads != 0)
    throw config->root().at("num_key_value_heads").wrong("a divisor of num_attention_heads");
  spec->trained_positions = config->size("max_position_embeddings", kMaximalPositions, 2048);
  spec->rotaries = {read_rotary(
      config,
      {.head_dim = spec->head_dim, .partial = 0.5, .max_positions = spec->trained_positions})};
  fill_layers(spec);
  spec->parallel = true;
  spec->head.tied = config->flag("tie_word_embeddings", false);
  TensorNames& names = spec->names;
  const std::string layer = "layers.{}.";
  names.prefixes = {"model.", ""};
  names.word_embedding = "embed_tokens";
  names.final_norm = "final_layernorm";
  names.attention_norm = layer + "input_layernorm";
  names.query = layer + "self_attn.q_proj";
  names.key = layer + "self_attn.k_proj";
  names.value = layer + "self_attn.v_proj";
  names.attention_out = layer + "self_attn.dense";
  names.up = layer + "mlp.fc1";
  names.down = layer + "mlp.fc2";
  names.head_decoder = "lm_head";
  names.head_biases = {"lm_head.bias"};
  if (config->flag("qk_layernorm", false)) {
    spec->qk_norm = QkNorm::kSharedHead;
    spec->qk_norm_kind = NormKind::kLayerNorm;
    names.query_norm = layer + "self_attn.q_layernorm";
    names.key_norm = layer + "self_attn.k_layernorm";
  }
}

}  // namespace

std::span<const Architecture> gpt_architectures() {
  static constexpr std::array kTable = {
      Architecture{"gpt2", fill_gpt2}, Architecture{"gpt_neo", fill_gpt_neo},
      Architecture{"gptj", fill_gptj}, Architecture{"gpt_neox", fill_gpt_neox},
      Architecture{"opt", fill_opt},   Architecture{"phi", fill_phi},
  };
  return kTable;
}

}  // namespace regard
