// SPDX-License-Identifier: Apache-2.0
// BertNormalizer of the tokenizers library, with the way back to the bytes of the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/tokenizer.h"

namespace regard {

struct NormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

// A text after normalising. origin[i]: the bytes of the whole text that text[i] came from.
struct NormalText {
  std::string text;
  std::vector<Span> origin;

  // Bytes of the whole text that text[start, end) came from; start < end.
  Span original(std::size_t start, std::size_t end) const {
    return {origin[start].start, origin[end - 1].end};
  }
};

// `piece` starts `offset` bytes into the whole text. No state is kept across pieces: marks are not
// reordered over their borders.
NormalText normalize(std::string_view piece, std::size_t offset, const NormalizerOptions& options);

}  // namespace regard
