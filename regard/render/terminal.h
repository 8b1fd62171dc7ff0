// SPDX-License-Identifier: Apache-2.0
// Views as text for a terminal, or plain for a pipe.
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <string>

#include "regard/analysis/explain.h"
#include "regard/analysis/view.h"
#include "regard/render/colour.h"

namespace regard {

enum class Colours { kNone, k16, k256, kTrue };

struct TerminalStyle {
  int columns = 80;  // 0: no limit
  Colours colours = Colours::kNone;
  Scale scale = Scale::kLinear;
  Top top = Top::kMap;
};

// The first map of the view as a grid with labels, its caption (model, head and why), then one
// line a link ("it -> animal 0.68 L3H1") and the notes. `row` limits to one unit's row as bars.
std::string terminal_grid(const View& view, const TerminalStyle& style);
std::string terminal_row(const View& view, std::int64_t row, const TerminalStyle& style);
// Layers x heads, each head a small picture made of half blocks or shades.
std::string terminal_heads(const View& view, const TerminalStyle& style);
std::string terminal_explanation(const Trace& trace, const Explanation& explanation,
                                 const TerminalStyle& style);

}  // namespace regard
