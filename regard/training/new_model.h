// SPDX-License-Identifier: Apache-2.0
// The config.json of a model that is to be trained, in the words of transformers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace regard {

// Thread safety: a plain value. 0: what the architecture's own default makes of it.
struct NewModel {
  std::string architecture = "modernbert";
  std::int64_t width = 128, layers = 2, heads = 4, kv_heads = 0, mlp = 0, positions = 512;
  double rotary_base = 0;
};

// Architectures that new_config knows.
std::vector<std::string> new_architectures();
// Whether the architecture predicts the next token.
bool predicts_next(const std::string& architecture);

// ids of padding and of the end of a text: negative where the tokenizer has none. Throws Error
// (usage) for an unknown architecture or sizes that do not go together.
std::string new_config(const NewModel& model, std::int64_t vocabulary, std::int64_t padding,
                       std::int64_t end);

// The config.json `text` with another vocab_size.
std::string with_vocabulary(const std::string& text, const std::string& file,
                            std::int64_t vocabulary);

}  // namespace regard
