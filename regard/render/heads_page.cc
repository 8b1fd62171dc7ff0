// SPDX-License-Identifier: Apache-2.0
// Places of heads on a page, and maps shrunk by their maxima.
#include "regard/render/heads_page.h"

#include <algorithm>

#include "regard/platform/error.h"
#include "regard/render/labels.h"

namespace regard {
namespace {

std::vector<int> ascending(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

std::size_t place_in(const std::vector<int>& numbers, int number) {
  return static_cast<std::size_t>(std::lower_bound(numbers.begin(), numbers.end(), number) -
                                  numbers.begin());
}

}  // namespace

HeadsPage heads_page(const View& view) {
  first_map(view);
  HeadsPage page;
  for (const HeadMap& map : view.heads) {
    if (!map.id) throw Error("a page of all heads has no place for a mean of heads");
    page.layers.push_back(map.id->layer);
    page.heads.push_back(map.id->head);
    page.top = std::max(page.top, top_of(map));
  }
  page.layers = ascending(std::move(page.layers));
  page.heads = ascending(std::move(page.heads));
  page.table.assign(page.layers.size(), std::vector<const HeadMap*>(page.heads.size()));
  for (const HeadMap& map : view.heads) {
    page.table[place_in(page.layers, map.id->layer)][place_in(page.heads, map.id->head)] = &map;
  }
  page.count = view.heads.size();
  return page;
}

Thumbnail thumbnail(const HeadMap& map, std::size_t edge) {
  const auto rows = static_cast<std::size_t>(map.rows);
  const auto columns = static_cast<std::size_t>(map.columns);
  Thumbnail out{std::min(rows, edge), std::min(columns, edge), {}};
  if (out.rows == rows && out.columns == columns) {
    out.weights = map.weights;
    return out;
  }
  out.weights.assign(out.rows * out.columns, 0.f);
  for (std::size_t row = 0; row < rows; ++row) {
    float* line = out.weights.data() + row * out.rows / rows * out.columns;
    for (std::size_t column = 0; column < columns; ++column) {
      float& most = line[column * out.columns / columns];
      most = std::max(most, map.weights[row * columns + column]);
    }
  }
  return out;
}

}  // namespace regard
