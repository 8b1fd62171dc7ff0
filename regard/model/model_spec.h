// SPDX-License-Identifier: Apache-2.0
// A model as data: everything that the forward pass needs to know. Filled from a config.json or
// from a GGUF file's metadata by one table per architecture (architecture.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "regard/attention/score.h"
#include "regard/kernels/activation.h"
#include "regard/model/rotary_spec.h"
#include "regard/model/tensor_names.h"
#include "regard/platform/json.h"

namespace regard {

enum class NormKind { kLayerNorm, kRms };
enum class Positions { kNone, kLearned, kSinusoidal };
// Rows of a fused query-key-value weight.
enum class FusedLayout {
  kThirds,   // [all queries][all keys][all values]
  kGrouped,  // for each kv head [its queries][its key][its value]
};
// What the gains of the query's and key's normalisation belong to.
enum class QkNorm { kNone, kSharedHead, kEachHead, kWhole };
enum class Router { kSoftmaxAll, kSoftmaxChosen };  // softmax before or after the choice of k

// What may differ from layer to layer.
struct LayerSpec {
  int tensors = 0;          // the layer whose tensors it uses (ALBERT shares them)
  int rotary = -1;          // of StackSpec::rotaries; -1: none
  std::int64_t window = 0;  // |query - key| < window only; 0: all
  float scale = 1;          // multiplies q.k
  bool attention_norm = true;
  bool experts = false;
};

struct ExpertsSpec {
  std::int64_t count = 0, chosen = 0, width = 0;
  Router router = Router::kSoftmaxAll;
  bool renormalise = false;
  bool router_bias = false, biases = false;
  bool in_out = false;       // unquantised weights are [expert, in, out] (gpt-oss)
  bool interleaved = false;  // gate and up take turns, row by row (gpt-oss)
  float alpha = 1.702f;      // of its gated activation
  float clamp = 0;           // gate <= clamp, |up| <= clamp, up + 1 (gpt-oss); 0: none of it
};

// A bias of each bucket of distances (T5, MPNet), added unscaled.
struct RelativeBias {
  std::int64_t buckets = 0, max_distance = 0;
  bool bidirectional = true;
  std::int64_t rows = 0;  // of the table; those beyond the buckets are not used
};

// DeBERTa's scores of content and relative position.
struct Disentangled {
  bool content_to_position = false, position_to_content = false;
  std::int64_t span = 0;         // half the rows of the table of relative positions
  std::int64_t bucket_size = 0;  // 0: distances as they are
  std::int64_t max_position = 0;
  bool shares_keys = false;  // positions go through the content's own projections
  bool key_bias = true;      // of the projection to position keys
  bool normed = false;       // the table is normalised first
};

// Which products have a bias.
struct Biases {
  bool query = true, key = true, value = true, out = true, up = true, down = true;
};

// A stack of layers: an encoder or a decoder.
struct StackSpec {
  std::int64_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0, mlp_width = 0;
  std::int64_t max_positions = 0;      // longest input in tokens; 0: no limit
  std::int64_t trained_positions = 0;  // beyond these a model was not trained; 0: not said
  std::int64_t types = 0;              // token types; 0: none
  bool causal = false;
  bool cross = false;  // attends to an encoder's output too

  Positions positions = Positions::kNone;
  std::int64_t position_offset = 0;    // row of the first token in the table of positions
  std::int64_t position_padding = -1;  // this id takes the row of its number and is not counted
  std::int64_t embedding_width = 0;    // of the word embedding; another than width: projected,
  bool project_first = true;           //   before or after positions, types and the norm
  float embedding_scale = 1;
  bool embedding_scale_rounded = false;  // to the type of the embedding's elements
  std::vector<RotarySpec> rotaries;

  float cap = 0;       // soft cap of logits
  float clip_qkv = 0;  // queries, keys and values are clamped to this; 0: not
  Alibi alibi = Alibi::kNone;
  std::optional<RelativeBias> relative;
  std::optional<Disentangled> disentangled;
  QkNorm qk_norm = QkNorm::kNone;
  NormKind qk_norm_kind = NormKind::kRms;
  FusedLayout fused = FusedLayout::kThirds;
  bool transposed = false;  // weights are [in, out] (GPT-2's Conv1D)
  Biases biases;

  NormKind norm = NormKind::kLayerNorm;
  bool norm_bias = true;
  float norm_offset = 0;  // added to every gain (Gemma: 1)
  float norm_epsilon = 0;
  bool parallel = false;  // attention and MLP both read the layer's input
  float residual_scale = 1;
  kernels::Activation activation = kernels::Activation::kGelu;
  bool gated = false;
  std::optional<ExpertsSpec> experts;

  std::vector<LayerSpec> layer;  // [layers]
  TensorNames names;
};

// What follows the last layer when logits are wanted.
struct HeadSpec {
  kernels::Activation activation = kernels::Activation::kGelu;  // of the dense layer, if named
  bool dense_bias = true, norm_bias = true;  // which a new model's dense layer and its norm have
  bool tied = true;           // the word embedding, when the checkpoint has no decoder of its own
  bool bias_required = true;  // where the table names a bias
  float scale = 1;            // multiplies the logits
  float cap = 0;              // soft cap, after the scale
};

struct ModelSpec : StackSpec {
  std::string architecture;  // config.json's model_type: "bert"
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;  // hidden size
  HeadSpec head;
  std::optional<StackSpec> decoder;  // of an encoder-decoder model, whose encoder is this stack
  std::int64_t decoder_start = -1;   // first token of a decoder's input
  std::vector<std::int64_t> ends;    // tokens that end a generated text
  std::vector<std::string> notes;    // keys that were not read and may matter little
};

// Reads a config.json's root. Throws Error that names the key: an unknown architecture (listing the
// known ones), a missing or absurd size, a value that is not supported, or a key that no table
// knows and whose name touches attention, rope, mask, window, scale, cap, bias, position or norm.
// Other unknown keys become notes.
ModelSpec read_model_spec(const Json& config);

// model_type names that read_model_spec knows, sorted.
std::vector<std::string> known_architectures();

}  // namespace regard
