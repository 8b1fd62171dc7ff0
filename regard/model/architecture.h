// SPDX-License-Identifier: Apache-2.0
// The tables of architectures: how each one's configuration becomes a ModelSpec, and how its
// tensors are called. To add one, write a `fill` in the file of its family and name it there.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "regard/model/config.h"
#include "regard/model/model_spec.h"

namespace regard {

struct Architecture {
  std::string_view model_type;
  void (*fill)(Config* config, ModelSpec* spec);
};

// One list a family, in the file of that name.
std::span<const Architecture> bert_architectures();
std::span<const Architecture> encoder_architectures();
std::span<const Architecture> llama_architectures();
std::span<const Architecture> gemma_architectures();
std::span<const Architecture> gpt_architectures();
std::span<const Architecture> alibi_architectures();
std::span<const Architecture> seq2seq_architectures();

// What a configuration without these keys means; without a default they are demanded.
struct SizeDefaults {
  std::optional<std::int64_t> vocabulary = std::nullopt, width = std::nullopt,
                              layers = std::nullopt, heads = std::nullopt, mlp = std::nullopt;
};

// hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim and
// vocab_size under these names; `layer` gets its entries, each with scale 1 / sqrt(head_dim).
void fill_sizes(Config* config, ModelSpec* spec, const SizeDefaults& defaults = {});
// Layers that all look alike: scale 1 / sqrt(head_dim), the first rotary table if there is one.
void fill_layers(StackSpec* stack);

// Sizes, epsilon (by default `epsilon`) and refusals that BERT shares with its relatives; and the
// names of its tensors, around and in the layers, and of its masked-language-model head.
void fill_bert_sizes(Config* config, ModelSpec* spec, double epsilon,
                     const SizeDefaults& defaults = {});
void name_bert_tensors(TensorNames* names);
void name_bert_head(TensorNames* names);

}  // namespace regard
