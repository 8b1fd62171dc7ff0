// SPDX-License-Identifier: Apache-2.0
// Encoders that are BERT but for a few names. Source: transformers 5.23, models bert, roberta,
// xlm_roberta, camembert, electra.
#include <array>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
void fill_bert_sizes(Config* config, ModelSpec* spec, double epsilon,
                     const SizeDefaults& defaults) {
  fill_sizes(config, spec, defaults);
  spec->mlp_width = config->size("intermediate_size", kMaximalWidth, defaults.mlp);
  spec->norm_epsilon = config->epsilon("layer_norm_eps", epsilon);
  spec->head.tied = config->flag("tie_word_embeddings", true);
  config->demand("is_decoder", false);
  config->demand("add_cross_attention", false);
  config->harmless({"chunk_size_feed_forward"});
}

void name_bert_tensors(TensorNames* names) {
  const std::string layer = "encoder.layer.{}.";
  names->word_embedding = "embeddings.word_embeddings";
  names->position_embedding = "embeddings.position_embeddings";
  names->type_embedding = "embeddings.token_type_embeddings";
  names->embedding_norm = "embeddings.LayerNorm";
  names->query = layer + "attention.self.query";
  names->key = layer + "attention.self.key";
  names->value = layer + "attention.self.value";
  names->attention_out = layer + "attention.output.dense";
  names->attention_after_norm = layer + "attention.output.LayerNorm";
  names->up = layer + "intermediate.dense";
  names->down = layer + "output.dense";
  names->mlp_after_norm = layer + "output.LayerNorm";
}

void name_bert_head(TensorNames* names) {
  names->head_dense = "cls.predictions.transform.dense";
  names->head_norm = "cls.predictions.transform.LayerNorm";
  names->head_decoder = "cls.predictions.decoder";
  names->head_biases = {"cls.predictions.decoder.bias", "cls.predictions.bias"};
}

namespace {

// Sizes, activation and epsilon, and what BERT's relatives all refuse.
void fill_bert_shape(Config* config, ModelSpec* spec) {
  fill_bert_sizes(config, spec, 1e-12);
  spec->max_positions = config->size("max_position_embeddings", kMaximalPositions, 512);
  spec->types = config->size("type_vocab_size", kMaximalWidth, 2);
  spec->positions = Positions::kLearned;
  spec->activation = spec->head.activation = config->activation("hidden_act", "gelu");
  if (const auto kind = config->find("position_embedding_type"))
    if (kind->string() != "absolute") throw kind->wrong("absolute");
  config->harmless({"directionality", "pooler_fc_size", "pooler_num_attention_heads",
                    "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type"});
  fill_layers(spec);
}

void fill_bert(Config* config, ModelSpec* spec) {
  fill_bert_shape(config, spec);
  name_bert_tensors(&spec->names);
  name_bert_head(&spec->names);
  spec->names.prefixes = {"bert.", ""};
}

// Positions count the tokens that are no padding, from the padding id on.
void fill_roberta(Config* config, ModelSpec* spec) {
  fill_bert_shape(config, spec);
  name_bert_tensors(&spec->names);
  const auto padding = config->find("pad_token_id");
  spec->position_padding = padding ? padding->integer() : 1;
  if (spec->position_padding < 0 || spec->position_padding + 1 >= spec->max_positions)
    throw config->root().at("pad_token_id").wrong("a position before max_position_embeddings");
  spec->position_offset = spec->position_padding + 1;
  spec->max_positions -= spec->position_offset;
  spec->head.activation = kernels::Activation::kGelu;
  TensorNames& names = spec->names;
  names.prefixes = {"roberta.", ""};
  names.head_dense = "lm_head.dense";
  names.head_norm = "lm_head.layer_norm";
  names.head_decoder = "lm_head.decoder";
  names.head_biases = {"lm_head.decoder.bias", "lm_head.bias"};
}

void fill_electra(Config* config, ModelSpec* spec) {
  fill_bert_shape(config, spec);
  name_bert_tensors(&spec->names);
  spec->embedding_width = config->size("embedding_size", kMaximalWidth, 128);
  spec->project_first = false;
  spec->head.activation = kernels::Activation::kGelu;
  TensorNames& names = spec->names;
  names.prefixes = {"electra.", ""};
  if (spec->embedding_width != spec->width) names.embedding_projection = "embeddings_project";
  names.head_dense = "generator_predictions.dense";
  names.head_norm = "generator_predictions.LayerNorm";
  names.head_decoder = "generator_lm_head";
  names.head_biases = {"generator_lm_head.bias"};
}

}  // namespace

std::span<const Architecture> bert_architectures() {
  static constexpr std::array kTable = {
      Architecture{"bert", fill_bert},           Architecture{"roberta", fill_roberta},
      Architecture{"xlm-roberta", fill_roberta}, Architecture{"camembert", fill_roberta},
      Architecture{"electra", fill_electra},
  };
  return kTable;
}

}  // namespace regard
