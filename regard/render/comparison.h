// SPDX-License-Identifier: Apache-2.0
// A comparison for a terminal, as a picture as JSON and as CSV.
#pragma once

#include <string>

#include "regard/analysis/compare.h"
#include "regard/render/data.h"
#include "regard/render/picture.h"
#include "regard/render/terminal.h"

namespace regard {

// First, second and difference as grids, one under another, and the largest differences.
std::string terminal_comparison(const Comparison& comparison, const TerminalStyle& style);
// The three side by side; both maps on one scale, the difference from orange (less in the second)
// to blue (more). style.kind and style.row are not read. Throws Error like draw() of a view.
std::string draw(const Comparison& comparison, PictureFormat format, const PictureStyle& style);
// {"format", "models", "texts", "heads", "level", "rows": [{"first", "second", "same", "text"}],
// "columns": .., "first": [[..]], "second", "difference", "notes"}; null where a map has no such
// word.
void write_json(const Comparison& comparison, const Sink& sink);
// "query,key,first,second,difference", a line a cell; empty where a map has no such word.
void write_csv(const Comparison& comparison, const Sink& sink);

}  // namespace regard
