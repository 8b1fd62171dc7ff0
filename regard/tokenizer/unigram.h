// SPDX-License-Identifier: Apache-2.0
// The unigram language model (Kudo 2018, arXiv:1804.10959): of all ways to cut a word, the one of
// the highest sum of scores.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "regard/tokenizer/piece_model.h"

namespace regard {

struct UnigramOptions {
  std::int64_t unknown_id = -1;  // -1: a character that is no piece is an Error that names `file`
  bool byte_fallback = false;
  std::string file;
  // SentencePiece's ways, which a .model is read with: sums in single precision, pieces that stand
  // for their text always (user-defined) or never (control, unused, unknown, bytes), and the
  // bounds of the scores taken from ordinary pieces only.
  bool sentencepiece = false;
  std::vector<bool> user_defined, never;  // by id; empty otherwise
};

// scores[id] for each piece of the vocabulary. A piece's span under byte fallback is its byte.
std::unique_ptr<const PieceModel> make_unigram(Vocabulary vocabulary, std::vector<double> scores,
                                               UnigramOptions options);

}  // namespace regard
