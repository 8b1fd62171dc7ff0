// SPDX-License-Identifier: Apache-2.0
// Decoders with a fused projection of their own layout, most with ALiBi. Source: transformers 5.23,
// models bloom, mpt, falcon.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

void divide_heads(Config* config, ModelSpec* spec, std::string_view key) {
  if (spec->width % spec->heads != 0)
    throw config->root().at(key).wrong(fmt::format("a divisor of the width {}", spec->width));
  spec->kv_heads = spec->heads;
  spec->head_dim = spec->width / spec->heads;
}

// The first of two names that is there.
std::string_view either(Config* config, std::string_view first, std::string_view second) {
  return config->has(first) ? first : second;
}

void fill_bloom(Config* config, ModelSpec* spec) {
  spec->vocabulary = config->size("vocab_size", kMaximalVocabulary);
  spec->width = spec->embedding_width =
      config->size(either(config, "n_embed", "hidden_size"), kMaximalWidth);
  spec->layers = config->size(either(config, "n_layer", "num_hidden_layers"), kMaximalLayers);
  const std::string_view heads = either(config, "n_head", "num_attention_heads");
  spec->heads = config->size(heads, kMaximalWidth);
  divide_heads(config, spec, heads);
  config->harmless({"hidden_size", "slow_but_exact", "seq_length", "offset_alibi", "n_inner",
                    "attention_softmax_in_fp32", "bias_dropout_fusion", "masked_softmax_fusion",
                    "unk_token_id", "skip_bias_add"});
  config->demand("skip_bias_add_qkv", false);
  config->demand("apply_residual_connection_post_layernorm", false);
  spec->mlp_width = 4 * spec->width;
  spec->causal = true;
  spec->alibi = Alibi::kDistance;
  spec->norm_epsilon = config->epsilon("layer_norm_epsilon", 1e-5);
  spec->activation = kernels::Activation::kGeluTanh;
  spec->fused = FusedLayout::kGrouped;
  spec->head.tied = config->flag("tie_word_embeddings", true);
  fill_layers(spec);
  TensorNames& names = spec->names;
  const std::string layer = "h.{}.";
  names.prefixes = {"transformer.", ""};
  names.word_embedding = "word_embeddings";
  names.embedding_norm = "word_embeddings_layernorm";
  names.final_norm = "ln_f";
  names.attention_norm = layer + "input_layernorm";
  names.mlp_norm = layer + "post_attention_layernorm";
  names.qkv = layer + "self_attention.query_key_value";
  names.attention_out = layer + "self_attention.dense";
  names.up = layer + "mlp.dense_h_to_4h";
  names.down = layer + "mlp.dense_4h_to_h";
  names.head_decoder = "lm_head";
}

void fill_mpt(Config* config, ModelSpec* spec) {
  spec->vocabulary = config->size("vocab_size", kMaximalVocabulary);
  spec->width = spec->embedding_width = config->size("d_model", kMaximalWidth);
  spec->layers = config->size("n_layers", kMaximalLayers);
  spec->heads = config->size("n_heads", kMaximalWidth);
  divide_heads(config, spec, "n_heads");
  spec->mlp_width = 4 * spec->width;
  spec->max_positions = config->size("max_seq_len", kMaximalPositions, 2048);
  spec->causal = true;
  spec->alibi = Alibi::kDistance;
  spec->norm_epsilon = config->epsilon("layer_norm_epsilon", 1e-5);
  spec->norm_bias = false;
  spec->biases = {false, false, false, false, false, false};
  spec->head.tied = config->flag("tie_word_embeddings", true);
  config->harmless({"expansion_ratio", "learned_pos_emb", "init_device", "logit_scale", "no_bias",
                    "embedding_fraction", "norm_type", "init_config", "verbose", "emb_pdrop",
                    "resid_pdrop", "use_cache"});
  fill_layers(spec);
  if (const auto attention = config->find("attn_config")) {
    Config inner(*attention);
    inner.harmless({"attn_impl", "attn_pdrop", "attn_type", "prefix_lm", "qk_ln",
                    "attn_uses_sequence_id", "alibi", "alibi_bias_max"});
    // transformers knows these two ways only, whatever the others say.
    if (inner.text("attn_type", "multihead_attention") != "multihead_attention")
      throw attention->at("attn_type").wrong("multihead_attention");
    inner.demand("prefix_lm", false);
    inner.demand("qk_ln", false);
    inner.demand("attn_uses_sequence_id", false);
    inner.demand("alibi", true);
    if (inner.number("alibi_bias_max", 8) != 8) throw attention->at("alibi_bias_max").wrong("8");
    spec->clip_qkv = inner.number("clip_qkv", 0);
    const float scale = inner.number("softmax_scale", 0);
    if (scale != 0)
      for (LayerSpec& layer : spec->layer) layer.scale = scale;
    inner.unread_notes("mpt's attn_config");
  }
  TensorNames& names = spec->names;
  const std::string layer = "blocks.{}.";
  names.prefixes = {"transformer.", ""};
  names.word_embedding = "wte";
  names.final_norm = "norm_f";
  names.attention_norm = layer + "norm_1";
  names.mlp_norm = layer + "norm_2";
  names.qkv = layer + "attn.Wqkv";
  names.attention_out = layer + "attn.out_proj";
  names.up = layer + "ffn.up_proj";
  names.down = layer + "ffn.down_proj";
  names.head_decoder = "lm_head";
}

void fill_falcon(Config* config, ModelSpec* spec) {
  spec->vocabulary = config->size("vocab_size", kMaximalVocabulary);
  spec->width = spec->embedding_width =
      config->size(either(config, "n_embed", "hidden_size"), kMaximalWidth);
  spec->layers = config->size(either(config, "num_hidden_layers", "n_layer"), kMaximalLayers);
  const std::string_view heads = either(config, "num_attention_heads", "n_head");
  spec->heads = config->size(heads, kMaximalWidth);
  divide_heads(config, spec, heads);
  config->harmless({"apply_residual_connection_post_layernorm"});
  const bool grouped = config->flag("new_decoder_architecture", false);
  const bool multi_query = config->flag("multi_query", true);
  const std::int64_t kv =
      config->size(either(config, "num_kv_heads", "n_head_kv"), kMaximalWidth, spec->heads);
  if (grouped) {
    spec->kv_heads = kv;
    if (spec->heads % kv != 0)
      throw config->root().at("num_kv_heads").wrong("a divisor of num_attention_heads");
    spec->fused = FusedLayout::kGrouped;
  } else if (multi_query) {
    spec->kv_heads = 1;
  } else {
    spec->fused = FusedLayout::kGrouped;
  }
  spec->mlp_width = config->size("ffn_hidden_size", kMaximalWidth, 4 * spec->width);
  spec->causal = true;
  spec->norm_epsilon = config->epsilon("layer_norm_epsilon", 1e-5);
  spec->activation = config->activation("activation", "gelu");
  spec->trained_positions = config->size("max_position_embeddings", kMaximalPositions, 2048);
  if (config->flag("alibi", false)) {
    spec->alibi = Alibi::kFalcon;
    config->harmless({"rope_parameters", "rope_theta", "rope_scaling"});
  } else {
    spec->rotaries = {read_rotary(
        config, {.head_dim = spec->head_dim, .max_positions = spec->trained_positions})};
  }
  fill_layers(spec);
  const bool bias = config->flag("bias", false);
  spec->biases = {bias, bias, bias, bias, bias, bias};
  spec->head.tied = config->flag("tie_word_embeddings", true);
  TensorNames& names = spec->names;
  const std::string layer = "h.{}.";
  names.prefixes = {"transformer.", ""};
  names.word_embedding = "word_embeddings";
  names.final_norm = "ln_f";
  names.qkv = layer + "self_attention.query_key_value";
  names.attention_out = layer + "self_attention.dense";
  names.up = layer + "mlp.dense_h_to_4h";
  names.down = layer + "mlp.dense_4h_to_h";
  names.head_decoder = "lm_head";
  spec->parallel = config->flag("parallel_attn", true);
  const std::int64_t norms = config->size("num_ln_in_parallel_attn", 2, grouped ? 2 : 1);
  if (grouped && !spec->parallel)
    throw config->root().at("parallel_attn").wrong("true with new_decoder_architecture");
  const bool two = grouped && norms == 2;
  names.attention_norm = layer + (two ? "ln_attn" : "input_layernorm");
  if (two) names.mlp_norm = layer + "ln_mlp";
  if (!spec->parallel) names.mlp_norm = layer + "post_attention_layernorm";
}

}  // namespace

std::span<const Architecture> alibi_architectures() {
  static constexpr std::array kTable = {
      Architecture{"bloom", fill_bloom},
      Architecture{"mpt", fill_mpt},
      Architecture{"falcon", fill_falcon},
  };
  return kTable;
}

}  // namespace regard
