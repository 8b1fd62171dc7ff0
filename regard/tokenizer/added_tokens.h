// SPDX-License-Identifier: Apache-2.0
// Tokens that are found in the text before anything else: special ones typed in it, and words that
// were added to a vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/pattern_set.h"
#include "regard/tokenizer/tokenizer.h"

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
  // empty; of equal ones the first counts. `file` is named in errors.
  AddedTokenMatcher(const std::vector<std::string>& patterns, const std::vector<int>& numbers,
                    const std::string& file);
  AddedTokenMatcher() = default;

  // The whole text in order, without empty stretches between tokens.
  std::vector<AddedMatch> split(std::string_view text, const std::vector<AddedToken>& tokens) const;

 private:
  PrefixSet patterns_;
};

}  // namespace regard
