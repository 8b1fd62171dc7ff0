// SPDX-License-Identifier: Apache-2.0
// Escape sequences (ECMA-48 SGR) for cells that paint their own background.
#pragma once

#include <string>
#include <string_view>

#include "regard/render/terminal.h"

namespace regard {

// `text` on the colour of position t, in black or white; unchanged without colours or where t is
// no number.
std::string on_weight(std::string_view text, double t, Colours colours);
// One character that shows two cells above each other: a half block, or shades of their mean.
std::string two_cells(double upper, double lower, Colours colours);
// The same with nothing under the cell.
std::string upper_cell(double upper, Colours colours);
// Bold, faint or plain by the SGR number (1, 2); unchanged without colours.
std::string emphasised(std::string_view text, int sgr, Colours colours);
// A label that cannot turn the line around it: right-to-left text is isolated when coloured.
std::string isolated(const std::string& label, Colours colours);
// `share` in [0, 1] of `width` columns, in eighths of a column; plain '#' without colours.
std::string bar(double share, std::size_t width, Colours colours);

}  // namespace regard
