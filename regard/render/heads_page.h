// SPDX-License-Identifier: Apache-2.0
// All heads of a view as a table of layers x heads, for the terminal and for pictures.
#pragma once

#include <cstddef>
#include <vector>

#include "regard/analysis/view.h"

namespace regard {

// The maps point into the view. Thread safety: read-only.
struct HeadsPage {
  std::vector<int> layers, heads;                  // the rows' and columns' names, ascending
  std::vector<std::vector<const HeadMap*>> table;  // [layer, head]; null: not in the view
  float top = 0;                                   // the largest weight of all
  std::size_t count = 0;                           // maps in the table
};
// Throws Error for a view without maps, or with a mean: it has no place.
HeadsPage heads_page(const View& view);

// The map shrunk to at most `edge` rows and columns, each cell the largest weight of the block it
// stands for. REQUIRES: edge > 0.
struct Thumbnail {
  std::size_t rows = 0, columns = 0;
  std::vector<float> weights;  // [rows, columns]
};
Thumbnail thumbnail(const HeadMap& map, std::size_t edge);

}  // namespace regard
