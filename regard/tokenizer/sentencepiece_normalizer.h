// SPDX-License-Identifier: Apache-2.0
// How SentencePiece itself normalises a text before it cuts it.
#pragma once

#include "regard/tokenizer/normalizer.h"

namespace regard {

void apply_sentencepiece(NormalText& text, const SentencePieceNormalizer& options);

}  // namespace regard
