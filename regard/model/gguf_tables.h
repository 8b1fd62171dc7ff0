// SPDX-License-Identifier: Apache-2.0
// What the metadata and the tensors of a GGUF file are called, architecture by architecture.
#pragma once

#include <string_view>
#include <vector>

#include "regard/checkpoint/checkpoint.h"
#include "regard/model/model_spec.h"

namespace regard {

// A key of the metadata, without the architecture before it, and of config.json.
struct GgufRename {
  std::string_view gguf, config;
};

struct GgufArchitecture {
  std::string_view name, model_type;
  bool neighbours = false;               // rows of Q and K were permuted for neighbouring pairs
  std::vector<GgufRename> renames = {};  // before the usual ones; an empty word: harmless
  std::string_view constants = "";       // members that the metadata do not say
  // The share of a head that turns, where config.json without it means less than all.
  std::string_view partial_key = "";
};

const std::vector<GgufArchitecture>& gguf_architectures();
// The names of most architectures.
const std::vector<GgufRename>& usual_gguf_renames();
// Keys that say nothing about the forward pass, or that have code of their own.
bool is_known_gguf_key(std::string_view key);

// Names and biases of a stack, where its table has a tensor of that use. part: "", or "enc." and
// "dec." where there are two.
void name_gguf_tensors(const Checkpoint& checkpoint, std::string_view part, StackSpec* stack);

// Throws Error naming a tensor that the model does not use: it would change the attention.
void check_gguf_tensors(const Checkpoint& checkpoint, const ModelSpec& spec);

}  // namespace regard
