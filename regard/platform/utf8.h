// SPDX-License-Identifier: Apache-2.0
// UTF-8: decoding, checking and mending.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace regard {

struct CodePoint {
  char32_t value;    // U+FFFD for an ill-formed sequence
  std::size_t size;  // bytes used, at least 1
  bool valid;
};

// The code point at text[at], at < text.size(). An ill-formed sequence is cut by the rule "maximal
// subpart" (Unicode 3.9, table 3-8).
CodePoint decode_utf8(std::string_view text, std::size_t at);

void append_utf8(std::string& out, char32_t value);

// `text` with every ill-formed sequence replaced by U+FFFD; `*replaced` counts them.
std::string mend_utf8(std::string_view text, std::size_t* replaced);

// Columns that a terminal gives the text: 2 for wide East Asian characters and emoji, 0 for
// combining marks and format characters; an emoji sequence counts once.
std::size_t display_width(std::string_view text);

}  // namespace regard
