// SPDX-License-Identifier: Apache-2.0
// Vocabularies learned from texts: byte-pair encoding (Sennrich et al. 2016) and WordPiece, which
// the tokenizers library trains the same way with "##" before pieces inside a word.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "regard/platform/threads.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {

enum class PieceKind { kWordPiece, kBytePairs };

// Thread safety: a plain value.
struct PieceOptions {
  PieceKind kind = PieceKind::kWordPiece;
  std::int64_t size = 8000;      // pieces, special ones included
  std::int64_t least_count = 0;  // of a pair that is joined
  bool lower_case = true;        // WordPiece: lower case, without accents
  bool wrap = false;             // WordPiece: [CLS] before and [SEP] after a text
};

struct TrainedPieces {
  std::vector<std::string> pieces;                          // by id
  std::vector<std::pair<std::string, std::string>> merges;  // in order
};

// The rule itself: joins the most frequent pair of neighbours (of equals that of the smaller ids)
// until there are `size` pieces or no pair is left. words: with their counts. prefix: before pieces
// inside a word. Results are those of the tokenizers library, which numbers prefixed letters, and
// so settles ties between them, by chance; here they come in the order of the words.
TrainedPieces train_pieces(const std::map<std::string, std::int64_t>& words,
                           const std::vector<std::string>& special,
                           const std::vector<std::string>& alphabet, const std::string& prefix,
                           std::int64_t size, std::int64_t least_count,
                           const CancelToken* cancel = nullptr);

// A tokenizer.json trained on the documents. Throws Error when there are none, or `size` leaves no
// room for the alphabet.
std::string train_tokenizer(const std::vector<std::string>& documents, const PieceOptions& options,
                            const CancelToken* cancel = nullptr);

}  // namespace regard
