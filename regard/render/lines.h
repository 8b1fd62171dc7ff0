// SPDX-License-Identifier: Apache-2.0
// Lines that every view in the terminal has: the wrapped caption, what was found, the notes.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "regard/render/heads_page.h"
#include "regard/render/terminal.h"

namespace regard {

// The style's columns, at least 20; 0: no limit.
std::size_t columns_of(const TerminalStyle& style);
// The line without blanks at its end.
void add_line(std::string* out, std::string line);
// Broken at blanks to at most `columns`, lines after the first indented; 0: not broken.
void add_wrapped(std::string* out, const std::string& text, std::size_t columns);
// A cell of a grid: its number, and its place on the colour map.
struct GridCell {
  std::string text;
  double shade;
};
using CellOf = std::function<GridCell(std::size_t row, std::size_t column)>;
// The grid with its labels. Numbers are left out where they do not fit.
void add_grid(std::string* out, const std::vector<std::string>& rows,
              const std::vector<std::string>& columns, const CellOf& cell_of,
              const TerminalStyle& style);
// What stands above a view: the caption, and the notes, which may say that it is not to be trusted.
void add_caption(std::string* out, const View& view, const std::string& caption,
                 const TerminalStyle& style);
// A line of small maps of shades side by side, each as half blocks, `side` columns wide and a blank
// apart; `label` stands before the first line. All have the same number of rows.
void add_thumbnails(std::string* out, const std::vector<Thumbnail>& maps, std::size_t rows,
                    std::size_t side, const std::string& label, const TerminalStyle& style);
// The links, one a line under a heading.
void add_links(std::string* out, const View& view, const TerminalStyle& style);

}  // namespace regard
