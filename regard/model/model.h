// SPDX-License-Identifier: Apache-2.0
// A transformer opened from its checkpoint, and its one forward pass.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "regard/checkpoint/checkpoint.h"
#include "regard/model/kv_cache.h"
#include "regard/model/model_spec.h"
#include "regard/model/observer.h"
#include "regard/platform/threads.h"
#include "regard/tensor/tensor.h"

namespace regard {

struct ModelWeights;

// Thread safety: a plain value.
struct ModelInput {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> types;      // token types, same length; empty: all 0
  std::vector<std::uint8_t> key_valid;  // attention mask, same length; empty: all 1
  std::vector<std::int64_t> target;     // an encoder-decoder model's decoder input; empty: none
  // The attention of an encoder-decoder model that an observer sees. Models of one stack have one
  // only, whatever is asked.
  AttentionKind kind = AttentionKind::kEncoder;
  KvCache* cache = nullptr;  // decoders: what was seen before, to which this is added
  // Several texts one after the other, which do not see each other: the first token of each, from
  // 0 on and ascending. Empty: one text.
  std::vector<std::int64_t> starts;
  // The position of each token in its text, ascending and not negative, for models whose positions
  // are rotary alone. Empty: 0, 1, 2 ...
  std::vector<std::int64_t> positions;
};

// Thread safety: immutable after open; forward passes may run one at a time (they use all cores).
class Model {
 public:
  // A folder with config.json and weights, a file of weights beside its config.json, or a GGUF
  // file. Weights stay in the mapped files. Throws Error for an unknown architecture or key, a
  // missing tensor, a wrong shape or dtype.
  // untrained: with weights drawn at random (Checkpoint::draw_at_random, seed 0).
  static Model open(const std::string& path, bool untrained = false);

  // The same of tensors that are in memory already, as they will be whenever forward() is called.
  // Vectors that are fp32 are read where they lie, like matrices.
  static Model of(ModelSpec spec, std::shared_ptr<const Checkpoint> checkpoint);

  // What a checkpoint's config.json or metadata say, without its tensors.
  static ModelSpec read_spec(const Checkpoint& checkpoint);

  const ModelSpec& spec() const { return spec_; }
  const Checkpoint& checkpoint() const { return *checkpoint_; }
  bool has_language_head() const;

  // Runs the whole model and returns the last hidden state [token, width], after the final
  // normalisation where there is one. Throws Error when the
  // input is empty, longer than max_positions (saying the limit), or an id or type is outside the
  // vocabulary; when a hidden state turns NaN or infinite it says after which layer.
  Tensor forward(const ModelInput& input, Observer* observer = nullptr,
                 const Progress& progress = {}, const CancelToken* cancel = nullptr) const;

  // The decoder of an encoder-decoder model over input.target, which follows what input.cache has
  // seen: its last hidden state [token, width]. memory: the encoder's output. Throws like
  // forward().
  Tensor decode(const ModelInput& input, const Tensor& memory, Observer* observer = nullptr,
                const CancelToken* cancel = nullptr) const;

  // Logits of the language head [row, vocabulary] of hidden states [row, width]. REQUIRES:
  // has_language_head().
  Tensor language_logits(const float* hidden, std::int64_t rows,
                         Observer* observer = nullptr) const;

  // For training: where each weight lies (weights.h).
  const ModelWeights& weights() const { return *weights_; }

 private:
  Model() = default;
  ModelSpec spec_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  std::shared_ptr<const ModelWeights> weights_;
};

}  // namespace regard
