// SPDX-License-Identifier: Apache-2.0
// SentencePiece's BPE (Kudo and Richardson 2018, arXiv:1808.06226): of the neighbours that make a
// piece together, those whose piece has the highest score are joined first.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "regard/tokenizer/piece_model.h"

namespace regard {

enum class PieceType : std::uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct SentencePieceBpeOptions {
  std::vector<float> scores;     // by id
  std::vector<PieceType> types;  // by id
  std::int64_t unknown_id = 0;
  bool byte_fallback = false;
};

std::unique_ptr<const PieceModel> make_sentencepiece_bpe(Vocabulary vocabulary,
                                                         SentencePieceBpeOptions options);

}  // namespace regard
