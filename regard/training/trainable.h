// SPDX-License-Identifier: Apache-2.0
// A model whose parameters can change: all of them in one array, with their gradients in another
// of the same layout, so that a weight's gradient is found by its address.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "regard/model/model.h"
#include "regard/tensor/tensor.h"
#include "regard/training/random.h"

namespace regard {

// What a parameter is for; what it starts as follows from it.
enum class Role { kEmbedding, kWeight, kResidualWeight, kGain, kBias };

struct Parameter {
  std::string name;  // as transformers calls it
  Shape shape;
  Role role = Role::kWeight;
  std::int64_t offset = 0;  // in the arrays
};

// Standard deviations of a new model's normally distributed weights; gains start as 1, biases 0.
struct Initialization {
  float embedding = 0.02f;
  float weight = 0.02f;
  float residual = 0.02f;  // what is added to the hidden states: divided by sqrt(2 layers)
};

// The parameters of a model with a language head, in the order of the forward pass, under the names
// that `like` has where it is given. Throws Error for an architecture whose gradients are not
// known: it names what is missing.
std::vector<Parameter> parameters_of(const ModelSpec& spec, const Checkpoint* like = nullptr);

// Thread safety: one caller at a time.
class Trainable {
 public:
  // config: a config.json. Throws Error like read_model_spec and parameters_of.
  static Trainable create(const std::string& config, const Initialization& start, Random* random);
  // A folder as save() or transformers wrote it.
  static Trainable open(const std::string& folder);

  const Model& model() const { return *model_; }
  const std::string& config() const { return config_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::span<float> values() { return values_.span(); }
  std::span<float> gradients() { return gradients_.span(); }
  // Where the gradient of the parameter at `value`, an address in values(), is summed; null: null.
  float* gradient_of(const float* value) {
    return value == nullptr ? nullptr : gradients_.data() + (value - values_.data());
  }
  // The parameter at an offset of values() or gradients().
  const Parameter& parameter_at(std::int64_t offset) const;

  // Writes config.json and model.safetensors. The folder exists.
  void save(const std::string& folder) const;

 private:
  Trainable(std::string config, std::vector<Parameter> parameters);
  void build(const ModelSpec& spec, const std::string& name);
  std::string config_;
  std::vector<Parameter> parameters_;
  Tensor values_, gradients_;
  std::shared_ptr<const Model> model_;
};

}  // namespace regard
