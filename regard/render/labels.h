// SPDX-License-Identifier: Apache-2.0
// Labels as a terminal can show them: printable, cut by displayed columns, never inside a
// character that a reader sees as one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "regard/analysis/view.h"

namespace regard {

// The text cut where a reader sees characters: a base with its combining marks, an emoji sequence.
std::vector<std::string> clusters(std::string_view text);
// At most `width` columns; what is cut off is marked by an ellipsis. REQUIRES: width > 0.
std::string cut_to(std::string_view text, std::size_t width);
// With blanks to `width` columns, on the left when `right_aligned`.
std::string pad_to(std::string_view text, std::size_t width, bool right_aligned = false);
// True when a character of a script written from right to left is in the text.
bool has_right_to_left(std::string_view text);
// The unit's text, printable.
std::string label_of(const Unit& unit);

// "L3H1", or "mean of L0H1, L0H2".
std::string name_of(const HeadMap& map);
// The largest weight; 0 for an empty map.
float top_of(const HeadMap& map);
// "it -> animal 0.68 L3H1".
std::string link_line(const View& view, const Link& link);

}  // namespace regard
