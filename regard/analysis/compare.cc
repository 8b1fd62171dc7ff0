// SPDX-License-Identifier: Apache-2.0
// Alignment by a longest common subsequence (Wagner and Fischer 1974); web/src/lib/align.ts is its
// twin.
#include "regard/analysis/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::size_t kMostUnits = 4096;
constexpr const char* kNone = "–";

std::vector<std::string> names_of(const std::vector<Pairing>& pairings, const std::vector<Unit>& a,
                                  const std::vector<Unit>& b) {
  std::vector<std::string> names;
  for (const Pairing& pair : pairings) {
    const std::string first = pair.a < 0 ? kNone : a[static_cast<std::size_t>(pair.a)].text;
    const std::string second = pair.b < 0 ? kNone : b[static_cast<std::size_t>(pair.b)].text;
    names.push_back(pair.same ? first : first + " / " + second);
  }
  return names;
}

const HeadMap& held_map(const View& view) {
  if (view.heads.empty() || view.heads.front().read)
    throw Error("comparison: expected a map that is held", Error::Kind::kUsage);
  return view.heads.front();
}

std::string head_of(const View& view) {
  const HeadMap& map = view.heads.front();
  const std::string kind =
      view.kind == AttentionKind::kSelf ? "" : std::string(name_of(view.kind)) + " ";
  return kind + (map.id ? to_string(*map.id) : fmt::format("mean of {} heads", map.of.size()));
}

}  // namespace

std::vector<Pairing> align(const std::vector<Unit>& a, const std::vector<Unit>& b) {
  if (std::max(a.size(), b.size()) > kMostUnits)
    throw Error(fmt::format("comparison: expected at most {} words of each text, found {} and {}",
                            kMostUnits, a.size(), b.size()),
                Error::Kind::kUsage);
  std::vector<std::string> names[2];
  for (const Unit& unit : a) names[0].push_back(fold_case(unit.text));
  for (const Unit& unit : b) names[1].push_back(fold_case(unit.text));
  const auto equal = [&](std::size_t i, std::size_t j) {
    return names[0][i] == names[1][j] && a[i].special == b[j].special;
  };
  // The length of the longest common subsequence of what begins at i and j.
  const std::size_t wide = b.size() + 1;
  std::vector<std::uint16_t> length((a.size() + 1) * wide, 0);
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      length[i * wide + j] = equal(i, j)
                                 ? static_cast<std::uint16_t>(length[(i + 1) * wide + j + 1] + 1)
                                 : std::max(length[(i + 1) * wide + j], length[i * wide + j + 1]);
  std::vector<Pairing> out;
  std::vector<std::int64_t> only[2];
  const auto flush = [&] {
    for (std::size_t k = 0; k < std::max(only[0].size(), only[1].size()); ++k)
      out.push_back(
          {k < only[0].size() ? only[0][k] : -1, k < only[1].size() ? only[1][k] : -1, false});
    only[0].clear();
    only[1].clear();
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && equal(i, j)) {
      flush();
      out.push_back({static_cast<std::int64_t>(i++), static_cast<std::int64_t>(j++), true});
    } else if (j >= b.size() ||
               (i < a.size() && length[(i + 1) * wide + j] >= length[i * wide + j + 1])) {
      only[0].push_back(static_cast<std::int64_t>(i++));
    } else {
      only[1].push_back(static_cast<std::int64_t>(j++));
    }
  }
  flush();
  return out;
}

Comparison compare(const View& a, const View& b) {
  const HeadMap* maps[2] = {&held_map(a), &held_map(b)};
  const View* views[2] = {&a, &b};
  if (a.level != b.level)
    throw Error(fmt::format("comparison: expected maps of one level, found {} and {}",
                            name_of(a.level), name_of(b.level)),
                Error::Kind::kUsage);
  Comparison out;
  out.level = a.level;
  out.rows = align(a.units, b.units);
  out.columns = align(a.columns().units, b.columns().units);
  out.row_names = names_of(out.rows, a.units, b.units);
  out.column_names = names_of(out.columns, a.columns().units, b.columns().units);
  for (std::size_t side = 0; side < 2; ++side) {
    out.model[side] = views[side]->model;
    out.text[side] = views[side]->text;
    out.head[side] = head_of(*views[side]);
    for (const std::string& note : views[side]->notes)
      if (std::find(out.notes.begin(), out.notes.end(), note) == out.notes.end())
        out.notes.push_back(note);
    for (const Pairing& row : out.rows)
      for (const Pairing& column : out.columns) {
        const std::int64_t i = side == 0 ? row.a : row.b, j = side == 0 ? column.a : column.b;
        out.weights[side].push_back(
            i < 0 || j < 0
                ? std::numeric_limits<float>::quiet_NaN()
                : maps[side]->weights[static_cast<std::size_t>(i * maps[side]->columns + j)]);
      }
  }
  for (std::size_t k = 0; k < out.weights[0].size(); ++k)
    out.difference.push_back(out.weights[1][k] - out.weights[0][k]);
  return out;
}

std::vector<Difference> largest_differences(const Comparison& comparison, std::size_t count) {
  std::vector<std::size_t> cells;
  for (std::size_t k = 0; k < comparison.difference.size(); ++k)
    if (!std::isnan(comparison.difference[k])) cells.push_back(k);
  const auto middle = cells.begin() + static_cast<std::ptrdiff_t>(std::min(count, cells.size()));
  std::partial_sort(cells.begin(), middle, cells.end(), [&](std::size_t x, std::size_t y) {
    const float a = std::abs(comparison.difference[x]), b = std::abs(comparison.difference[y]);
    return a != b ? a > b : x < y;
  });
  std::vector<Difference> largest;
  const auto columns = static_cast<std::int64_t>(comparison.columns.size());
  for (auto at = cells.begin(); at != middle; ++at) {
    const auto k = static_cast<std::int64_t>(*at);
    largest.push_back(
        {k / columns, k % columns, comparison.weights[0][*at], comparison.weights[1][*at]});
  }
  return largest;
}

}  // namespace regard
