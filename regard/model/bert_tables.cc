// SPDX-License-Identifier: Apache-2.0
// Encoders that are BERT but for a few names. Source: transformers 5.23, models/bert.
#include <array>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

// Sizes, activation and epsilon, and what BERT's relatives all refuse.
void fill_bert_shape(Config* config, ModelSpec* spec) {
  fill_sizes(config, spec);
  spec->mlp_width = config->size("intermediate_size", kMaximalWidth);
  spec->max_positions = config->size("max_position_embeddings", kMaximalPositions);
  spec->types = config->size("type_vocab_size", kMaximalWidth);
  spec->positions = Positions::kLearned;
  spec->norm_epsilon = config->epsilon("layer_norm_eps");
  spec->activation = spec->head.activation = config->activation("hidden_act");
  if (const auto kind = config->find("position_embedding_type"))
    if (kind->string() != "absolute") throw kind->wrong("absolute");
  config->demand("is_decoder", false);
  config->demand("add_cross_attention", false);
  config->harmless({"chunk_size_feed_forward", "directionality", "pooler_fc_size",
                    "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head",
                    "pooler_type", "tie_word_embeddings"});
  fill_layers(spec);
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

void fill_bert(Config* config, ModelSpec* spec) {
  fill_bert_shape(config, spec);
  name_bert_tensors(&spec->names);
  TensorNames& names = spec->names;
  names.prefixes = {"", "bert."};
  names.head_dense = "cls.predictions.transform.dense";
  names.head_norm = "cls.predictions.transform.LayerNorm";
  names.head_decoder = "cls.predictions.decoder";
  names.head_biases = {"cls.predictions.decoder.bias", "cls.predictions.bias"};
}

}  // namespace

std::span<const Architecture> bert_architectures() {
  static constexpr std::array<Architecture, 1> kTable = {{{"bert", fill_bert}}};
  return kTable;
}

}  // namespace regard
