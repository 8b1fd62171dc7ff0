// SPDX-License-Identifier: Apache-2.0
// Tokens that are found in the text before anything else: special ones typed in it, and words that
// were added to a vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "regard/tokenizer/tokenizer.h"
#include "regard/tokenizer/vocabulary.h"

namespace regard {

struct AddedToken {
  std::string content;
  std::int64_t id = 0;
  bool special = false;
  bool single_word = false;  // only where no letter, digit or mark touches it
  bool lstrip = false;       // takes the white space before it too
  bool rstrip = false;       // and after it
  bool normalized = false;   // is looked for in the normalised text
};

// A stretch of a text: an added token, or (token -1) what lies between.
struct AddedMatch {
  int token;  // index in the list
  Span span;
};

// Finds the leftmost, and there the longest, of several patterns.
// Thread safety: immutable after construction.
class AddedTokenMatcher {
 public:
  // Pattern i stands for token numbers[i] of `tokens`, which says how to match. No pattern is
  // empty; of equal ones the first counts.
  AddedTokenMatcher(const std::vector<std::string>& patterns, const std::vector<int>& numbers);
  AddedTokenMatcher() = default;

  // The whole text in order, without empty stretches.
  std::vector<AddedMatch> split(std::string_view text, const std::vector<AddedToken>& tokens) const;

 private:
  // The longest pattern that text[at...] begins with: its number and bytes. -1: none.
  std::pair<int, std::size_t> find(std::string_view text, std::size_t at) const;

  Vocabulary patterns_;                            // the numbers are their ids
  std::vector<std::vector<std::size_t>> lengths_;  // by first byte: lengths, the longest first
  std::vector<bool> begins_;                       // by the first two bytes, of one byte by all
};

}  // namespace regard
