// SPDX-License-Identifier: Apache-2.0
// Encoder-decoder models. Source: transformers 5.23, models t5, mt5, bart, mbart, pegasus, marian.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

// ---- T5: relative positions, RMS norms, no scale and no biases.

void name_t5_tensors(std::string_view stack, bool decoder, bool gated, TensorNames* names) {
  const std::string block = fmt::format("{}.block.{{}}.layer.", stack);
  names->prefixes = {"", "transformer."};
  names->word_embedding = "shared";
  names->final_norm = fmt::format("{}.final_layer_norm", stack);
  names->relative_bias =
      fmt::format("{}.block.0.layer.0.SelfAttention.relative_attention_bias", stack);
  names->attention_norm = block + "0.layer_norm";
  names->query = block + "0.SelfAttention.q";
  names->key = block + "0.SelfAttention.k";
  names->value = block + "0.SelfAttention.v";
  names->attention_out = block + "0.SelfAttention.o";
  if (decoder) {
    names->cross_norm = block + "1.layer_norm";
    names->cross_query = block + "1.EncDecAttention.q";
    names->cross_key = block + "1.EncDecAttention.k";
    names->cross_value = block + "1.EncDecAttention.v";
    names->cross_out = block + "1.EncDecAttention.o";
  }
  const std::string mlp = block + (decoder ? "2." : "1.");
  names->mlp_norm = mlp + "layer_norm";
  names->up = mlp + (gated ? "DenseReluDense.wi_1" : "DenseReluDense.wi");
  if (gated) names->gate = mlp + "DenseReluDense.wi_0";
  names->down = mlp + "DenseReluDense.wo";
  names->head_decoder = "lm_head";
}

void fill_t5_kind(Config* config, ModelSpec* spec, bool mt5) {
  spec->vocabulary = config->size("vocab_size", kMaximalVocabulary);
  spec->width = spec->embedding_width = config->size("d_model", kMaximalWidth);
  spec->layers = config->size("num_layers", kMaximalLayers);
  spec->heads = spec->kv_heads = config->size("num_heads", kMaximalWidth);
  spec->head_dim = config->size("d_kv", kMaximalWidth);
  spec->mlp_width = config->size("d_ff", kMaximalWidth);
  spec->norm = NormKind::kRms;
  spec->norm_bias = false;
  spec->norm_epsilon = config->epsilon("layer_norm_epsilon", 1e-6);
  spec->biases = {false, false, false, false, false, false};
  const Json projection_place = config->root();
  std::string projection = config->text("feed_forward_proj", mt5 ? "gated-gelu" : "relu");
  spec->gated = projection.starts_with("gated-");
  if (spec->gated) projection = projection.substr(6);
  // transformers obeys these two where they are there.
  config->demand("is_gated_act", spec->gated);
  const std::string named = config->text("dense_act_fn", projection);
  if (projection == "gelu" && spec->gated) projection = "gelu_new";
  if (named != projection && !(named == "gelu" && projection == "gelu_new"))
    throw config->root().at("dense_act_fn").wrong("as feed_forward_proj says");
  const auto activation = kernels::activation_named(projection);
  if (!activation)
    throw projection_place.at("feed_forward_proj").wrong("an activation, gated- or not");
  spec->activation = *activation;
  config->harmless(
      {"dropout_rate", "n_positions", "output_past", "is_decoder", "use_relative_attention_bias"});
  spec->relative =
      RelativeBias{.buckets = config->size("relative_attention_num_buckets", kMaximalWidth, 32),
                   .max_distance = config->size("relative_attention_max_distance", 1 << 20, 128),
                   .bidirectional = true};
  spec->relative->rows = spec->relative->buckets;
  if (spec->relative->buckets < 4 || spec->relative->max_distance <= spec->relative->buckets / 2)
    throw config->root()
        .at("relative_attention_num_buckets")
        .wrong("4 or more, less than twice relative_attention_max_distance");
  fill_layers(spec);
  for (LayerSpec& layer : spec->layer) layer.scale = 1;
  StackSpec decoder = *spec;
  decoder.layers = config->size("num_decoder_layers", kMaximalLayers, spec->layers);
  fill_layers(&decoder);
  for (LayerSpec& layer : decoder.layer) layer.scale = 1;
  decoder.causal = decoder.cross = true;
  decoder.relative->bidirectional = false;
  name_t5_tensors("encoder", false, spec->gated, &spec->names);
  name_t5_tensors("decoder", true, spec->gated, &decoder.names);
  // mT5 is tied whatever its configuration says, and never scales.
  spec->head.tied = config->flag("tie_word_embeddings", true) || mt5;
  if (config->flag("scale_decoder_outputs", spec->head.tied) && !mt5)
    spec->head.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec->width)));
  spec->decoder = std::move(decoder);
  const auto start = config->ids("decoder_start_token_id");
  spec->decoder_start = start.empty() ? 0 : start.front();
}

void fill_t5(Config* config, ModelSpec* spec) { fill_t5_kind(config, spec, false); }
void fill_mt5(Config* config, ModelSpec* spec) { fill_t5_kind(config, spec, true); }

// ---- BART and its kin.

struct BartKind {
  bool before = false;         // norms before each block, else after
  bool embedding_norm = true;  // after the embeddings
  bool final_norm = false;     // after the last layer
  Positions positions = Positions::kLearned;
  std::int64_t offset = 2;
};

void fill_bart_stack(Config* config, const ModelSpec& model, const BartKind& kind,
                     std::string_view which, StackSpec* stack) {
  const auto key = [&](const char* what) { return fmt::format("{}_{}", which, what); };
  const bool decoder = which == "decoder";
  stack->layers = config->size(key("layers"), kMaximalLayers);
  stack->heads = stack->kv_heads = config->size(key("attention_heads"), kMaximalWidth);
  if (model.width % stack->heads != 0)
    throw config->root().at(key("attention_heads")).wrong("a divisor of d_model");
  stack->head_dim = model.width / stack->heads;
  stack->mlp_width = config->size(key("ffn_dim"), kMaximalWidth);
  config->harmless({key("layerdrop")});
  stack->embedding_width = model.width;
  stack->embedding_scale = config->flag("scale_embedding", false)
                               ? static_cast<float>(std::sqrt(static_cast<double>(model.width)))
                               : 1.0f;
  stack->positions = kind.positions;
  stack->position_offset = kind.offset;
  stack->max_positions = config->size("max_position_embeddings", kMaximalPositions, 1024);
  stack->norm_epsilon = 1e-5f;  // PyTorch's own
  stack->activation = config->activation("activation_function", "gelu");
  stack->causal = stack->cross = decoder;
  fill_layers(stack);
  TensorNames& names = stack->names;
  const std::string base = fmt::format("{}.", which), layer = base + "layers.{}.";
  names.prefixes = {"model.", ""};
  names.word_embedding = "shared";
  names.word_embedding_alias = base + "embed_tokens";
  names.position_embedding = base + "embed_positions";
  if (kind.embedding_norm) names.embedding_norm = base + "layernorm_embedding";
  if (kind.final_norm) names.final_norm = base + "layer_norm";
  names.query = layer + "self_attn.q_proj";
  names.key = layer + "self_attn.k_proj";
  names.value = layer + "self_attn.v_proj";
  names.attention_out = layer + "self_attn.out_proj";
  names.up = layer + "fc1";
  names.down = layer + "fc2";
  (kind.before ? names.attention_norm : names.attention_after_norm) =
      layer + "self_attn_layer_norm";
  (kind.before ? names.mlp_norm : names.mlp_after_norm) = layer + "final_layer_norm";
  if (decoder) {
    names.cross_query = layer + "encoder_attn.q_proj";
    names.cross_key = layer + "encoder_attn.k_proj";
    names.cross_value = layer + "encoder_attn.v_proj";
    names.cross_out = layer + "encoder_attn.out_proj";
    (kind.before ? names.cross_norm : names.cross_after_norm) = layer + "encoder_attn_layer_norm";
    names.head_decoder = "lm_head";
    names.head_biases = {"final_logits_bias"};
  }
}

void fill_bart_kind(Config* config, ModelSpec* spec, const BartKind& kind) {
  spec->vocabulary = config->size("vocab_size", kMaximalVocabulary);
  spec->width = config->size("d_model", kMaximalWidth);
  fill_bart_stack(config, *spec, kind, "encoder", spec);
  StackSpec decoder;
  fill_bart_stack(config, *spec, kind, "decoder", &decoder);
  spec->decoder = std::move(decoder);
  spec->head.bias_required = false;
  spec->head.tied = config->flag("tie_word_embeddings", true);
  config->harmless({"num_hidden_layers",
                    "init_std",
                    "classif_dropout",
                    "static_position_embeddings",
                    "normalize_before",
                    "normalize_embedding",
                    "add_bias_logits",
                    "add_final_layer_norm",
                    "extra_pos_embeddings",
                    "force_bos_token_to_be_generated",
                    "share_encoder_decoder_embeddings",
                    "decoder_vocab_size",
                    "num_beams",
                    "save_step",
                    "gradient_checkpointing",
                    "is_decoder",
                    "max_memory",
                    "forced_bos_token_id",
                    "early_stopping",
                    "hidden_size"});
  const auto start = config->ids("decoder_start_token_id");
  spec->decoder_start = start.empty() ? -1 : start.front();
}

void fill_bart(Config* config, ModelSpec* spec) {
  config->demand("normalize_before", false);
  fill_bart_kind(config, spec, {});
}

void fill_mbart(Config* config, ModelSpec* spec) {
  fill_bart_kind(config, spec, {.before = true, .final_norm = true});
}

void fill_pegasus(Config* config, ModelSpec* spec) {
  fill_bart_kind(config, spec,
                 {.before = true,
                  .embedding_norm = false,
                  .final_norm = true,
                  .positions = Positions::kSinusoidal,
                  .offset = 0});
}

void fill_marian(Config* config, ModelSpec* spec) {
  config->demand("share_encoder_decoder_embeddings", true);
  const std::int64_t vocabulary = config->size("vocab_size", kMaximalVocabulary);
  if (config->size("decoder_vocab_size", kMaximalVocabulary, vocabulary) != vocabulary)
    throw config->root().at("decoder_vocab_size").wrong("vocab_size");
  fill_bart_kind(config, spec,
                 {.embedding_norm = false, .positions = Positions::kSinusoidal, .offset = 0});
}

}  // namespace

std::span<const Architecture> seq2seq_architectures() {
  static constexpr std::array kTable = {
      Architecture{"t5", fill_t5},           Architecture{"mt5", fill_mt5},
      Architecture{"bart", fill_bart},       Architecture{"mbart", fill_mbart},
      Architecture{"pegasus", fill_pegasus}, Architecture{"marian", fill_marian},
  };
  return kTable;
}

}  // namespace regard
