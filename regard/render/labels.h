// SPDX-License-Identifier: Apache-2.0
// Labels as a terminal can show them: printable, cut by displayed columns, never inside a
// character that a reader sees as one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "regard/analysis/view.h"
#include "regard/render/colour.h"

namespace regard {

// The text cut where a reader sees characters: a base with its combining marks, an emoji sequence.
std::vector<std::string> clusters(std::string_view text);
// At most `width` columns; what is cut off is marked by an ellipsis. REQUIRES: width > 0.
std::string cut_to(std::string_view text, std::size_t width);
// With blanks to `width` columns, on the left when `right_aligned`.
std::string pad_to(std::string_view text, std::size_t width, bool right_aligned = false);
// Columns of the widest label, at least 1.
std::size_t widest(const std::vector<std::string>& labels);
// True when a character of a script written from right to left is in the text.
bool has_right_to_left(std::string_view text);
// The text fit for one line: blanks for tabs and line breaks, nothing for characters that turn the
// order of what follows (U+202A to U+202E, U+2066 to U+2069), other controls as printable() writes
// them.
std::string one_line(std::string_view text);
// The unit's text in one line; a visible blank when that is empty or blank.
std::string label_of(const Unit& unit);
// label_of each unit of the side, in order.
std::vector<std::string> labels_of(const UnitSide& side);

// The view's first map, once every map has a row and a column a unit. Throws Error otherwise.
const HeadMap& first_map(const View& view);

// "L3H1", or "mean of L0H1, L0H2".
std::string name_of(const HeadMap& map);
// "layer 3, head 1 (L3H1)", or as name_of.
std::string long_name_of(const HeadMap& map);
// ".68", "1.0", "-.8", "1e3": at most three columns, rounded; "###" when that cannot be done.
std::string short_number(float weight);
// The largest weight; 0 for an empty map.
float top_of(const HeadMap& map);
// "Linear scale from 0 to 0.99, the largest weight of the map."; `of` is the last two words.
std::string scale_sentence(double top, Scale scale, std::string_view of, Top per = Top::kMap);
// "minilm, layer 3, head 1 (L3H1), word level", with "cross-attention" or the like behind the name
// of a model that has several; `what` stands between model and level.
std::string title_of(const View& view, const std::string& what);
// The title, the sentence on the scale (when not empty), and why this head is shown.
std::string caption_of(const View& view, const HeadMap& map, const std::string& scale);
// "it -> animal 0.68 L3H1".
std::string link_line(const View& view, const Link& link);

}  // namespace regard
