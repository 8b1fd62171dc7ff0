// SPDX-License-Identifier: Apache-2.0
// Words and sentences of a text by Unicode's rules (UAX #29, through ICU).
#pragma once

#include <string_view>
#include <vector>

#include "regard/tokenizer/tokenizer.h"

namespace regard {

// Words in the order of the text: the segments between UAX #29 word boundaries, white space left
// out. "didn't" is one; each punctuation mark stands apart. Together they cover every byte that is
// not white space or a control character. `text` is valid UTF-8.
std::vector<Span> words(std::string_view text);

// Sentences (UAX #29), trimmed of white space around; empty ones left out.
std::vector<Span> sentences(std::string_view text);

// True when the word has a letter, a digit or an ideograph: it is no bare punctuation or symbol.
bool is_wordlike(std::string_view word);

}  // namespace regard
