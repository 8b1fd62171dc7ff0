// SPDX-License-Identifier: Apache-2.0
// The pre-tokenisers of the tokenizers library: how a normalised text falls into the stretches
// that the model cuts into pieces.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "regard/tokenizer/normal_text.h"
#include "regard/tokenizer/regex.h"

namespace regard {

// What happens to the delimiters between stretches.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct BertPreTokenizer {};
struct WhitespacePreTokenizer {};
struct WhitespaceSplitPreTokenizer {};
struct UnicodeScriptsPreTokenizer {};
struct DigitsPreTokenizer {
  bool individual = false;
};
struct PunctuationPreTokenizer {
  SplitBehavior behavior = SplitBehavior::kIsolated;
};
struct DelimiterPreTokenizer {
  char32_t delimiter = U' ';
};
struct FixedLengthPreTokenizer {
  std::size_t length = 5;  // characters, at least 1
};
struct SplitPreTokenizer {
  Regex pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
};
struct MetaspacePreTokenizer {
  enum class Prepend { kFirst, kNever, kAlways };
  std::string replacement = "\u2581";  // one character
  Prepend prepend = Prepend::kAlways;
  bool split = true;
};
struct ByteLevelPreTokenizer {
  bool add_prefix_space = true;
  bool use_regex = true;
};

using PreTokenizer =
    std::variant<BertPreTokenizer, WhitespacePreTokenizer, WhitespaceSplitPreTokenizer,
                 UnicodeScriptsPreTokenizer, DigitsPreTokenizer, PunctuationPreTokenizer,
                 DelimiterPreTokenizer, FixedLengthPreTokenizer, SplitPreTokenizer,
                 MetaspacePreTokenizer, ByteLevelPreTokenizer>;

// Cuts the stretches [0, text.size()) of `text` in order, rewriting the text where a pre-tokeniser
// does so. Returns stretches that are not empty and do not overlap, from left to right. With
// `keep_bytes` a ByteLevel in the last place leaves the bytes as they are, for a model that takes
// bytes instead of GPT-2's stand-ins.
std::vector<Span> pre_tokenize(NormalText& text, const std::vector<PreTokenizer>& pre_tokenizers,
                               bool keep_bytes, TextBudget& budget);

}  // namespace regard
