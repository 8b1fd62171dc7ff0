// SPDX-License-Identifier: Apache-2.0
// The normalisers of the tokenizers library, and SentencePiece's own.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "regard/tokenizer/charsmap.h"
#include "regard/tokenizer/normal_text.h"
#include "regard/tokenizer/pattern_set.h"
#include "regard/tokenizer/regex.h"
#include "regard/tokenizer/text_budget.h"
#include "regard/tokenizer/unicode_normal.h"

namespace regard {

struct BertNormalizer {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};
struct LowercaseNormalizer {};
struct StripAccentsNormalizer {};
struct NmtNormalizer {};
struct ByteLevelNormalizer {};
struct StripNormalizer {
  bool left = true, right = true;
};
struct ReplaceNormalizer {
  Regex pattern;
  std::string content;
};
struct PrependNormalizer {
  std::string text;
};
// SentencePiece's normalizer_spec, of which the ids of a .model are made.
struct SentencePieceNormalizer {
  std::shared_ptr<const CharsMap> map;  // none: characters stay as they are
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  PrefixSet user_defined;  // kept as typed
};

using Normalizer =
    std::variant<BertNormalizer, NormalForm, LowercaseNormalizer, StripAccentsNormalizer,
                 NmtNormalizer, ByteLevelNormalizer, StripNormalizer, ReplaceNormalizer,
                 PrependNormalizer, std::shared_ptr<const CharsMap>, SentencePieceNormalizer>;

// Applies them in their order. Throws Error when the budget does not last; the text's bytes are
// spent in the end.
void normalize(NormalText& text, const std::vector<Normalizer>& normalizers, TextBudget& budget);

// GPT-2's printable stand-in for a byte: U+0120 for a space.
char32_t byte_character(unsigned char byte);
// Each byte becomes its stand-in.
void to_byte_characters(NormalText& text);
// The bytes that a piece of stand-ins spells; false when it holds another character.
bool bytes_of(std::string_view piece, std::string& bytes);

}  // namespace regard
