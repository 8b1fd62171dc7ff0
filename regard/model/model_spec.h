// SPDX-License-Identifier: Apache-2.0
// A model as data: everything the forward pass needs to know, filled from a config.json by one
// table per architecture (architectures.cc), and the names of its tensors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "regard/kernels/activation.h"
#include "regard/platform/json.h"

namespace regard {

enum class Positions { kNone, kLearned };
enum class NormPlacement { kPostNorm };

// Names of the tensors of a layer and around them, "{}" standing for the layer. An empty name
// means that the architecture has no such tensor.
struct TensorNames {
  std::vector<std::string> prefixes;  // tried in turn before each name: "", "bert."
  std::string word_embedding, position_embedding, type_embedding, embedding_norm;
  std::string query, key, value, attention_out, attention_norm;
  std::string up, down, mlp_norm;
  // The masked-language-model head: dense, norm, decoder weight (tied to the word embedding when
  // the checkpoint lacks it) and its bias, under the first name that the checkpoint has.
  std::string head_dense, head_norm, head_decoder;
  std::vector<std::string> head_biases;
};

struct ModelSpec {
  std::string architecture;  // config.json's model_type: "bert"
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;  // hidden size
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t mlp_width = 0;
  std::int64_t max_positions = 0;  // longest input in tokens; 0: no limit
  std::int64_t types = 0;          // token types; 0: none
  float norm_epsilon = 0;
  float scale = 0;  // multiplies q.k
  bool causal = false;
  Positions positions = Positions::kLearned;
  NormPlacement norm_placement = NormPlacement::kPostNorm;
  kernels::Activation activation = kernels::Activation::kGelu;
  TensorNames names;
  std::vector<std::string> notes;  // configuration keys that were not read and may matter little
};

// Reads a config.json's root. Throws Error that names the key: an unknown architecture (listing the
// known ones), a missing or absurd size, a value that is not supported, or a key that is not in the
// architecture's table and whose name touches attention, rope, mask, window, scale, cap, bias,
// position or norm. Other unknown keys become notes.
ModelSpec read_model_spec(const Json& config);

// model_type names that read_model_spec knows, sorted.
std::vector<std::string> known_architectures();

}  // namespace regard
