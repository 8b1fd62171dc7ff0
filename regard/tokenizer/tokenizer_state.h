// SPDX-License-Identifier: Apache-2.0
// What a Tokenizer is made of, and the readers that fill it. Each throws Error for anything that it
// does not know: the file, the key, what was found and what is supported.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/platform/json.h"
#include "regard/tokenizer/added_tokens.h"
#include "regard/tokenizer/decoder.h"
#include "regard/tokenizer/normalizer.h"
#include "regard/tokenizer/piece_model.h"
#include "regard/tokenizer/post_processor.h"
#include "regard/tokenizer/pre_tokenizer.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {

struct TokenizerParts {
  std::unique_ptr<const PieceModel> model;
  std::vector<Normalizer> normalizers;
  std::vector<PreTokenizer> pre_tokenizers;
  PostProcessor post_processor;
  std::vector<AddedToken> added;
  std::optional<std::vector<Decoder>> decoders;  // none: the pieces with blanks between them
};

TokenizerParts read_tokenizer_json(std::string_view json, const std::string& file);

// The parts of tokenizer.json, each given as the value of its key.
std::unique_ptr<const PieceModel> read_model(const Json& model, const std::string& file);
void read_normalizer(const Json& normalizer, const std::string& file, std::vector<Normalizer>& out);
void read_pre_tokenizer(const Json& pre_tokenizer, const std::string& file,
                        std::vector<PreTokenizer>& out);
MetaspacePreTokenizer read_metaspace(const Json& object);
Regex read_pattern(const Json& pattern, const std::string& file);  // {"String"} or {"Regex"}
std::string read_character(const Json& value);                     // UTF-8 of one
void read_post_processor(const Json& processor, PostProcessor& out);

// From vocab.txt, one piece a line, and tokenizer_config.json when it is there.
TokenizerParts read_vocab_txt(const std::string& folder);
// From vocab.json and merges.txt, and tokenizer_config.json when it is there.
TokenizerParts read_vocab_json(const std::string& folder);

}  // namespace regard
