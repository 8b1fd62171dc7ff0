// SPDX-License-Identifier: Apache-2.0
// A vocabulary as a GGUF file holds it (docs/gguf.md of ggml, "Tokenizer"), as plain data, of which
// Tokenizer::from_gguf() makes a tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regard {

class GgufFile;

// Views must stay valid during Tokenizer::from_gguf() only. Thread safety: plain data.
struct GgufVocabulary {
  std::string model;                     // tokenizer.ggml.model: llama, gpt2, bert or t5
  std::string pre;                       // .pre: the name of a pattern; empty when absent
  std::vector<std::string_view> tokens;  // .tokens, by id
  std::vector<float> scores;             // .scores, by id; may be empty for gpt2 and bert
  // .token_type, by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; empty
  // when absent: all are normal.
  std::vector<std::int64_t> types;
  std::vector<std::string_view> merges;  // .merges: "left right"; gpt2 only
  // .bos_token_id, .eos_token_id, .unknown_token_id, .seperator_token_id (so spelt),
  // .cls_token_id
  std::optional<std::int64_t> bos, eos, unknown, separator, cls;
  // .add_bos_token, .add_eos_token, .add_space_prefix
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  std::string precompiled_charsmap;  // .precompiled_charsmap, its bytes; t5 only
};

// The file's tokenizer.ggml.* keys; views are into its map. Throws Error (file, key) where one is
// missing or of a wrong type.
GgufVocabulary read_gguf_vocabulary(const GgufFile& file);

}  // namespace regard
