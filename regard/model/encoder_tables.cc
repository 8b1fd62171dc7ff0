// SPDX-License-Identifier: Apache-2.0
// Encoders with positions or shapes of their own. Source: transformers 5.23, models distilbert,
// albert, mpnet, modernbert, nomic_bert, deberta, deberta_v2.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

void fill_distilbert(Config* config, ModelSpec* spec) {
  spec->vocabulary = config->size("vocab_size", kMaximalVocabulary);
  spec->width = spec->embedding_width = config->size("dim", kMaximalWidth);
  spec->layers = config->size("n_layers", kMaximalLayers);
  spec->heads = spec->kv_heads = config->size("n_heads", kMaximalWidth);
  if (spec->width % spec->heads != 0)
    throw config->root().at("n_heads").wrong(fmt::format("a divisor of dim {}", spec->width));
  spec->head_dim = spec->width / spec->heads;
  spec->mlp_width = config->size("hidden_dim", kMaximalWidth);
  spec->max_positions = config->size("max_position_embeddings", kMaximalPositions, 512);
  spec->positions = Positions::kLearned;  // sinusoidal ones lie in the checkpoint too
  config->harmless({"sinusoidal_pos_embds", "qa_dropout", "seq_classif_dropout", "tie_weights_"});
  spec->head.tied = config->flag("tie_word_embeddings", true);
  spec->norm_epsilon = 1e-12f;
  spec->activation = spec->head.activation = config->activation("activation", "gelu");
  fill_layers(spec);
  TensorNames& names = spec->names;
  const std::string layer = "transformer.layer.{}.";
  names.prefixes = {"distilbert.", ""};
  names.word_embedding = "embeddings.word_embeddings";
  names.position_embedding = "embeddings.position_embeddings";
  names.embedding_norm = "embeddings.LayerNorm";
  names.query = layer + "attention.q_lin";
  names.key = layer + "attention.k_lin";
  names.value = layer + "attention.v_lin";
  names.attention_out = layer + "attention.out_lin";
  names.attention_after_norm = layer + "sa_layer_norm";
  names.up = layer + "ffn.lin1";
  names.down = layer + "ffn.lin2";
  names.mlp_after_norm = layer + "output_layer_norm";
  names.head_dense = "vocab_transform";
  names.head_norm = "vocab_layer_norm";
  names.head_decoder = "vocab_projector";
  names.head_biases = {"vocab_projector.bias"};
}

void fill_albert(Config* config, ModelSpec* spec) {
  fill_bert_sizes(config, spec, 1e-12);
  spec->activation = spec->head.activation = config->activation("hidden_act", "gelu_new");
  spec->max_positions = config->size("max_position_embeddings", kMaximalPositions, 512);
  spec->types = config->size("type_vocab_size", kMaximalWidth, 2);
  spec->positions = Positions::kLearned;
  spec->embedding_width = config->size("embedding_size", kMaximalWidth, 128);
  spec->project_first = false;
  config->harmless({"classifier_dropout_prob", "down_scale_factor", "gap_size",
                    "net_structure_type", "num_memory_blocks"});
  if (const auto kind = config->find("position_embedding_type"))
    if (kind->string() != "absolute") throw kind->wrong("absolute");
  if (config->size("inner_group_num", kMaximalLayers, 1) != 1)
    throw config->root().at("inner_group_num").wrong("1");
  const std::int64_t groups = config->size("num_hidden_groups", spec->layers, 1);
  fill_layers(spec);
  for (std::int64_t i = 0; i < spec->layers; ++i)
    spec->layer[static_cast<std::size_t>(i)].tensors = static_cast<int>(
        static_cast<double>(i) / (static_cast<double>(spec->layers) / static_cast<double>(groups)));
  TensorNames& names = spec->names;
  const std::string layer = "encoder.albert_layer_groups.{}.albert_layers.0.";
  names.prefixes = {"albert.", ""};
  names.word_embedding = "embeddings.word_embeddings";
  names.position_embedding = "embeddings.position_embeddings";
  names.type_embedding = "embeddings.token_type_embeddings";
  names.embedding_norm = "embeddings.LayerNorm";
  names.embedding_projection = "encoder.embedding_hidden_mapping_in";
  names.query = layer + "attention.query";
  names.key = layer + "attention.key";
  names.value = layer + "attention.value";
  names.attention_out = layer + "attention.dense";
  names.attention_after_norm = layer + "attention.LayerNorm";
  names.up = layer + "ffn";
  names.down = layer + "ffn_output";
  names.mlp_after_norm = layer + "full_layer_layer_norm";
  names.head_dense = "predictions.dense";
  names.head_norm = "predictions.LayerNorm";
  names.head_decoder = "predictions.decoder";
  names.head_biases = {"predictions.decoder.bias", "predictions.bias"};
}

void fill_mpnet(Config* config, ModelSpec* spec) {
  fill_bert_sizes(config, spec, 1e-12);
  spec->activation = config->activation("hidden_act", "gelu");
  spec->positions = Positions::kLearned;
  spec->position_offset = 2;  // its padding id is fixed at 1
  spec->position_padding = 1;
  spec->max_positions = config->size("max_position_embeddings", kMaximalPositions, 512) - 2;
  if (spec->max_positions < 1)
    throw config->root().at("max_position_embeddings").wrong("more than 2");
  // transformers uses 32 of the table's rows, however many there are.
  spec->relative =
      RelativeBias{.buckets = 32,
                   .max_distance = 128,
                   .bidirectional = true,
                   .rows = config->size("relative_attention_num_buckets", kMaximalWidth, 32)};
  if (spec->relative->rows < spec->relative->buckets)
    throw config->root().at("relative_attention_num_buckets").wrong("32 or more");
  fill_layers(spec);
  TensorNames& names = spec->names;
  const std::string layer = "encoder.layer.{}.";
  names.prefixes = {"mpnet.", ""};
  names.word_embedding = "embeddings.word_embeddings";
  names.position_embedding = "embeddings.position_embeddings";
  names.embedding_norm = "embeddings.LayerNorm";
  names.relative_bias = "encoder.relative_attention_bias";
  names.query = layer + "attention.attn.q";
  names.key = layer + "attention.attn.k";
  names.value = layer + "attention.attn.v";
  names.attention_out = layer + "attention.attn.o";
  names.attention_after_norm = layer + "attention.LayerNorm";
  names.up = layer + "intermediate.dense";
  names.down = layer + "output.dense";
  names.mlp_after_norm = layer + "output.LayerNorm";
  names.head_dense = "lm_head.dense";
  names.head_norm = "lm_head.layer_norm";
  names.head_decoder = "lm_head.decoder";
  names.head_biases = {"lm_head.decoder.bias", "lm_head.bias"};
}

void fill_modernbert(Config* config, ModelSpec* spec) {
  fill_sizes(config, spec);
  spec->mlp_width = config->size("intermediate_size", kMaximalWidth);
  spec->trained_positions = config->size("max_position_embeddings", kMaximalPositions, 8192);
  spec->norm_epsilon = config->epsilon("norm_eps", 1e-5);
  spec->norm_bias = config->flag("norm_bias", false);
  spec->activation = config->activation("hidden_activation", "gelu");
  spec->head.activation = config->activation("classifier_activation", "gelu");
  spec->gated = true;
  const bool bias = config->flag("attention_bias", false), mlp = config->flag("mlp_bias", false);
  spec->biases = {bias, bias, bias, bias, mlp, mlp};
  spec->head.dense_bias = config->flag("classifier_bias", false);
  spec->head.norm_bias = spec->norm_bias;
  config->harmless({"classifier_pooling", "decoder_bias", "embedding_dropout",
                    "deterministic_flash_attn", "sparse_prediction", "sparse_pred_ignore_index",
                    "initializer_cutoff_factor", "reference_compile", "repad_logits_with_grad",
                    "position_embedding_type", "tie_word_embeddings", "layer_norm_eps",
                    "use_bidirectional_attention", "sliding_window", "hidden_act"});
  const RotaryDefaults shared{.head_dim = spec->head_dim, .max_positions = spec->trained_positions};
  RotaryDefaults global = shared, local = shared;
  global.theta = 160000;
  global.theta_key = "global_rope_theta";
  local.theta_key = "local_rope_theta";
  spec->rotaries = {read_rotary(config, global, "full_attention"),
                    read_rotary(config, local, "sliding_attention")};
  fill_layers(spec);
  const std::int64_t every = config->size("global_attn_every_n_layers", kMaximalLayers, 3);
  const std::int64_t width = config->size("local_attention", kMaximalPositions, 128);
  const auto types =
      config->per_layer("layer_types", spec->layers, {"full_attention", "sliding_attention"});
  for (std::size_t i = 0; i < spec->layer.size(); ++i) {
    const bool slides =
        types.empty() ? static_cast<std::int64_t>(i) % every != 0 : types[i] == "sliding_attention";
    spec->layer[i].attention_norm = i > 0;
    spec->layer[i].window = slides ? width / 2 + 1 : 0;
    spec->layer[i].rotary = slides ? 1 : 0;
  }
  TensorNames& names = spec->names;
  const std::string layer = "layers.{}.";
  names.prefixes = {"model.", ""};
  names.word_embedding = "embeddings.tok_embeddings";
  names.embedding_norm = "embeddings.norm";
  names.final_norm = "final_norm";
  names.attention_norm = layer + "attn_norm";
  names.mlp_norm = layer + "mlp_norm";
  names.qkv = layer + "attn.Wqkv";
  names.attention_out = layer + "attn.Wo";
  names.gate_up = layer + "mlp.Wi";
  names.down = layer + "mlp.Wo";
  names.head_dense = "head.dense";
  names.head_norm = "head.norm";
  names.head_decoder = "decoder";
  names.head_biases = {"decoder.bias"};
  spec->head.bias_required = config->flag("decoder_bias", true);
}

void fill_nomic_bert(Config* config, ModelSpec* spec) {
  fill_bert_sizes(config, spec, 1e-12,
                  {.vocabulary = 30528, .width = 768, .layers = 12, .heads = 12, .mlp = 3072});
  spec->activation = spec->head.activation = config->activation("hidden_act", "silu");
  spec->types = config->size("type_vocab_size", kMaximalWidth, 2);
  spec->trained_positions = config->size("max_position_embeddings", kMaximalPositions, 2048);
  // Keys of the original code that transformers does not read.
  config->harmless({"rotary_emb_base",
                    "rotary_emb_fraction",
                    "rotary_emb_interleaved",
                    "rotary_emb_scale_base",
                    "rotary_scaling_factor",
                    "n_embd",
                    "n_head",
                    "n_layer",
                    "n_inner",
                    "n_positions",
                    "activation_function",
                    "layer_norm_epsilon",
                    "mlp_fc1_bias",
                    "mlp_fc2_bias",
                    "qkv_proj_bias",
                    "parallel_block",
                    "parallel_block_tied_norm",
                    "prenorm",
                    "use_rms_norm",
                    "use_xentropy",
                    "fused_bias_fc",
                    "fused_dropout_add_ln",
                    "reorder_and_upcast_attn",
                    "scale_attn_by_inverse_layer_idx",
                    "scale_attn_weights",
                    "causal",
                    "max_trained_positions",
                    "pad_vocab_size_multiple"});
  spec->rotaries = {read_rotary(
      config,
      {.head_dim = spec->head_dim, .theta = 1000, .max_positions = spec->trained_positions})};
  fill_layers(spec);
  spec->gated = true;
  spec->biases = {false, false, false, false, false, false};
  TensorNames& names = spec->names;
  const std::string layer = "encoder.layers.{}.";
  names.prefixes = {"", "bert.", "nomic_bert."};
  names.word_embedding = "embeddings.word_embeddings";
  names.type_embedding = "embeddings.token_type_embeddings";
  names.embedding_norm = "emb_ln";
  names.qkv = layer + "attn.Wqkv";
  names.attention_out = layer + "attn.out_proj";
  names.attention_after_norm = layer + "norm1";
  names.gate = layer + "mlp.fc12";
  names.up = layer + "mlp.fc11";
  names.down = layer + "mlp.fc2";
  names.mlp_after_norm = layer + "norm2";
  names.head_dense = "cls.predictions.transform.dense";
  names.head_norm = "cls.predictions.transform.layer_norm";
  names.head_decoder = "cls.predictions.decoder";
  names.head_biases = {"cls.predictions.decoder.bias", "cls.predictions.bias"};
}

// pos_att_type: a list, or words with "|" between them.
void read_parts(Config* config, Disentangled* parts) {
  const auto value = config->find("pos_att_type");
  const auto add = [&](std::string_view word, const Json& from) {
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    if (word == "c2p") {
      parts->content_to_position = true;
    } else if (word == "p2c") {
      parts->position_to_content = true;
    } else if (word != "none" && !word.empty()) {
      throw from.wrong("c2p or p2c");
    }
  };
  if (!value) return;
  if (value->is_array()) {
    value->for_each_element([&](std::size_t, Json word) { add(word.string(), word); });
    return;
  }
  std::string_view rest = value->string();
  while (true) {
    const std::size_t bar = rest.find('|');
    add(rest.substr(0, bar), *value);
    if (bar == std::string_view::npos) return;
    rest.remove_prefix(bar + 1);
  }
}

void fill_deberta_shape(Config* config, ModelSpec* spec, Disentangled* parts) {
  fill_bert_sizes(config, spec, 1e-7);
  spec->activation = spec->head.activation = config->activation("hidden_act", "gelu");
  const std::int64_t positions = config->size("max_position_embeddings", kMaximalPositions, 512);
  if (config->find("type_vocab_size") && config->find("type_vocab_size")->integer() > 0)
    spec->types = config->size("type_vocab_size", kMaximalWidth);
  if (config->flag("position_biased_input", true)) {
    spec->positions = Positions::kLearned;
    spec->max_positions = positions;
  } else {
    spec->trained_positions = positions;
  }
  config->harmless({"pooler_dropout", "pooler_hidden_act", "pooler_hidden_size", "padding_idx",
                    "legacy", "max_relative_positions", "position_buckets", "share_att_key",
                    "norm_rel_ebd"});
  if (config->size("embedding_size", kMaximalWidth, spec->width) != spec->width)
    throw config->root().at("embedding_size").wrong("hidden_size");
  if (config->size("attention_head_size", kMaximalWidth, spec->head_dim) != spec->head_dim)
    throw config->root().at("attention_head_size").wrong("hidden_size / num_attention_heads");
  config->demand("talking_head", false);
  if (const auto kernel = config->find("conv_kernel_size"))
    if (kernel->integer() > 0) throw kernel->wrong("0 (a convolution is not known here)");
  config->harmless({"conv_act", "conv_groups"});
  read_parts(config, parts);
  if (!config->flag("relative_attention", false))
    parts->content_to_position = parts->position_to_content = false;
  std::int64_t longest = 0;
  if (const auto given = config->find("max_relative_positions")) longest = given->integer();
  parts->max_position = longest < 1 ? positions : longest;
  if (parts->max_position > kMaximalWidth)
    throw config->root().at("max_relative_positions").wrong("at most 2^20");
  fill_layers(spec);
  TensorNames& names = spec->names;
  name_bert_tensors(&names);
  name_bert_head(&names);
  names.prefixes = {"deberta.", ""};
  names.relative_embedding = "encoder.rel_embeddings";
}

void set_scale(ModelSpec* spec, std::int64_t parts) {
  for (LayerSpec& layer : spec->layer)
    layer.scale = static_cast<float>(
        1.0 / std::sqrt(static_cast<double>(spec->head_dim) * static_cast<double>(1 + parts)));
}

void fill_deberta(Config* config, ModelSpec* spec) {
  Disentangled parts;
  fill_deberta_shape(config, spec, &parts);
  // The divisor counts the parts that are named, used or not.
  Disentangled named;
  read_parts(config, &named);
  set_scale(spec, named.content_to_position + named.position_to_content);
  parts.span = parts.max_position;
  parts.key_bias = false;
  if (parts.content_to_position || parts.position_to_content) spec->disentangled = parts;
  spec->fused = FusedLayout::kGrouped;
  spec->biases.query = spec->biases.key = spec->biases.value = false;
  TensorNames& names = spec->names;
  const std::string attention = "encoder.layer.{}.attention.self.";
  names.query = names.key = names.value = "";
  names.qkv = attention + "in_proj";
  names.query_bias = attention + "q_bias";
  names.value_bias = attention + "v_bias";
  names.position_key = attention + "pos_proj";
  names.position_query = attention + "pos_q_proj";
}

void fill_deberta_v2(Config* config, ModelSpec* spec) {
  Disentangled parts;
  fill_deberta_shape(config, spec, &parts);
  Disentangled named;
  read_parts(config, &named);
  set_scale(spec, named.content_to_position + named.position_to_content);
  std::int64_t buckets = 0;
  if (const auto given = config->find("position_buckets")) buckets = given->integer();
  if (buckets > kMaximalWidth) throw config->root().at("position_buckets").wrong("at most 2^20");
  parts.bucket_size = std::max<std::int64_t>(0, buckets);
  parts.span = buckets > 0 ? buckets : parts.max_position;
  parts.shares_keys = config->flag("share_att_key", false);
  parts.normed = config->text("norm_rel_ebd", "none").find("layer_norm") != std::string::npos;
  if (parts.content_to_position || parts.position_to_content) spec->disentangled = parts;
  TensorNames& names = spec->names;
  const std::string attention = "encoder.layer.{}.attention.self.";
  names.query = attention + "query_proj";
  names.key = attention + "key_proj";
  names.value = attention + "value_proj";
  names.position_key = attention + "pos_key_proj";
  names.position_query = attention + "pos_query_proj";
  names.relative_norm = "encoder.LayerNorm";
}

}  // namespace

std::span<const Architecture> encoder_architectures() {
  static constexpr std::array kTable = {
      Architecture{"distilbert", fill_distilbert}, Architecture{"albert", fill_albert},
      Architecture{"mpnet", fill_mpnet},           Architecture{"modernbert", fill_modernbert},
      Architecture{"nomic_bert", fill_nomic_bert}, Architecture{"deberta", fill_deberta},
      Architecture{"deberta-v2", fill_deberta_v2},
  };
  return kTable;
}

}  // namespace regard
