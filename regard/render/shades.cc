// SPDX-License-Identifier: Apache-2.0
// Shades of weights by their size or by their rank in the row.
#include "regard/render/shades.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace regard {
namespace {

void shade_by_rank(std::span<float> row) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < row.size(); ++i)
    if (!std::isnan(row[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return row[a] < row[b]; });
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    float& cell = row[order[rank]];
    cell = cell > 0 ? static_cast<float>(rank + 1) / static_cast<float>(order.size()) : 0;
  }
}

}  // namespace

HeadMap shaded(const HeadMap& map, double top, Scale scale, Top per) {
  HeadMap out = map;
  const auto width = static_cast<std::size_t>(map.columns);
  for (std::size_t begin = 0; begin + width <= out.weights.size() && width > 0; begin += width) {
    const std::span<float> row(out.weights.data() + begin, width);
    if (scale == Scale::kRank) {
      shade_by_rank(row);
      continue;
    }
    double most = top;
    if (per == Top::kRow) {
      most = 0;
      for (const float weight : row) most = std::max(most, static_cast<double>(weight));
    }
    for (float& cell : row) cell = static_cast<float>(scaled(cell, most, scale));
  }
  return out;
}

HeadMap row_of(const HeadMap& map, std::int64_t row) {
  const float* begin = map.weights.data() + row * map.columns;
  return {map.id, map.of, map.why, 1, map.columns, {begin, begin + map.columns}};
}

}  // namespace regard
