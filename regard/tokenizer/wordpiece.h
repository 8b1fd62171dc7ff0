// SPDX-License-Identifier: Apache-2.0
// WordPiece: the longest piece first, from the left (Wu et al. 2016, arXiv:1609.08144, as BERT
// applies it), and WordLevel: a word is a piece or unknown.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/piece_model.h"

namespace regard {

struct WordPieceOptions {
  std::int64_t unknown_id = 0;
  std::string prefix = "##";       // of pieces that continue a word
  std::size_t longest_word = 100;  // characters; longer words are unknown
  std::string file;                // named in errors
};

// The unknown piece stands over the whole word when it cannot be spelt.
std::unique_ptr<const PieceModel> make_wordpiece(Vocabulary vocabulary, WordPieceOptions options);

// unknown_id -1: there is none, and an unknown word is an Error that names `file`.
std::unique_ptr<const PieceModel> make_word_level(Vocabulary vocabulary, std::int64_t unknown_id,
                                                  std::string file);

}  // namespace regard
