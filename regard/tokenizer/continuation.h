// SPDX-License-Identifier: Apache-2.0
// The text of tokens that come one after another, and which bytes of it each token brought.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "regard/tokenizer/tokenizer.h"

namespace regard {

struct Continuation {
  std::string text;
  std::vector<Span> spans;  // of each new token, in `text`
};

// What `ids` add to the text of `before`, of which the last few are looked at; special tokens add
// nothing. A token that ends in the middle of a character has that character's bytes together with
// the tokens that complete it. Without anything before, the text is that of decode(ids, true).
Continuation continuation(const Tokenizer& tokenizer, const std::vector<std::int64_t>& before,
                          const std::vector<std::int64_t>& ids);

}  // namespace regard
