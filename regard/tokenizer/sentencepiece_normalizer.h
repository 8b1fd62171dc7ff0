// SPDX-License-Identifier: Apache-2.0
// How SentencePiece itself normalises a text before it cuts it.
#pragma once

#include "regard/tokenizer/normalizer.h"

namespace regard {

// Throws Error when the budget does not last.
void apply_sentencepiece(NormalText& text, const SentencePieceNormalizer& options,
                         const TextBudget& budget);

}  // namespace regard
