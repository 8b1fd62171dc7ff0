// SPDX-License-Identifier: Apache-2.0
// What a Tokenizer is made of, and the readers that fill it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/added_tokens.h"
#include "regard/tokenizer/normalizer.h"
#include "regard/tokenizer/post_processor.h"
#include "regard/tokenizer/tokenizer.h"
#include "regard/tokenizer/wordpiece.h"

namespace regard {

struct TokenizerParts {
  WordPiece model;
  NormalizerOptions normalizer;
  PostProcessor post_processor;
  std::vector<AddedToken> added;
};

// Throws Error for anything that it does not know: `file`, the key, what was found and what is
// supported.
TokenizerParts read_tokenizer_json(std::string_view json, const std::string& file);

// From vocab.txt, one piece a line, and tokenizer_config.json when it is there.
TokenizerParts read_vocab_txt(const std::string& folder);

}  // namespace regard
