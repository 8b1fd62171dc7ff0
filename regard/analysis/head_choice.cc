// SPDX-License-Identifier: Apache-2.0
// Contrast of a link against its column, times the logarithm of the distance:
// docs/mathematics.md, "Choosing a head".
#include "regard/analysis/head_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "regard/analysis/unit_rows.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::int64_t kCells = std::int64_t{1} << 22;  // of one head's map that are looked at
constexpr std::size_t kLinksOfQuery = 3;

struct Scored {
  Link link;
  double contrast = 0;  // weight minus the mean of the column's other rows
  double score = 0;     // contrast * ln(distance)
};

// The rows that are looked at: all while the map has at most kCells cells, else every n-th, and
// `row` in any case.
std::vector<std::int64_t> rows_looked_at(std::int64_t units, std::optional<std::int64_t> row) {
  const std::int64_t step = std::max<std::int64_t>(1, (units * units + kCells - 1) / kCells);
  std::vector<std::int64_t> rows;
  for (std::int64_t one = 0; one < units; one += step) rows.push_back(one);
  if (row && *row % step != 0) rows.insert(std::lower_bound(rows.begin(), rows.end(), *row), *row);
  return rows;
}

// A number for each unit, equal for copies of one word, whatever the case.
std::vector<std::size_t> number_words(const std::vector<Unit>& units) {
  std::map<std::string, std::size_t> words;
  std::vector<std::size_t> numbers;
  for (const Unit& unit : units)
    numbers.push_back(words.try_emplace(fold_case(unit.text), words.size()).first->second);
  return numbers;
}

// Calls visit for every candidate link of one head with a score above 0. words: number_words().
void score_links(const Trace& trace, HeadId head, const std::vector<Unit>& units,
                 const std::vector<std::size_t>& words, const std::vector<std::int64_t>& rows,
                 std::optional<std::int64_t> only, const CancelToken* cancel,
                 const std::function<void(const Scored&)>& visit) {
  if (rows.size() < 2) return;
  const std::size_t width = units.size();
  const std::vector<float> weights = unit_rows(trace.map(head), units, rows, cancel);
  std::vector<double> column(width, 0.0);
  for (std::size_t r = 0; r < rows.size(); ++r)
    for (std::size_t k = 0; k < width; ++k)
      column[k] += static_cast<double>(weights[r * width + k]);
  const double others = static_cast<double>(rows.size() - 1);
  // Under a causal mask the first token is where weight goes that no other token asks for.
  const LayerTrace& layer = trace.layers.at(head.layer);
  const bool sink = layer.weights.data == nullptr && layer.score.causal;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::int64_t q = rows[r];
    if (only && q != *only) continue;
    if (!units[static_cast<std::size_t>(q)].wordlike) continue;
    for (std::size_t k = 0; k < width; ++k) {
      const std::int64_t distance = std::abs(q - static_cast<std::int64_t>(k));
      if (distance < 2 || !units[k].wordlike) continue;
      if (words[static_cast<std::size_t>(q)] == words[k]) continue;
      if (sink && units[k].tokens.front() == 0) continue;
      const float weight = weights[r * width + k];
      const double contrast = weight - (column[k] - weight) / others;
      if (contrast <= 0) continue;
      visit({{q, static_cast<std::int64_t>(k), weight, head},
             contrast,
             contrast * std::log(static_cast<double>(distance))});
    }
  }
}

}  // namespace

HeadChoice choose_head(const Trace& trace, const std::vector<HeadId>& among,
                       const std::vector<Unit>& units, const CancelToken* cancel) {
  if (among.empty()) throw Error("head: expected at least one to choose from, found none");
  const std::vector<std::int64_t> rows =
      rows_looked_at(static_cast<std::int64_t>(units.size()), std::nullopt);
  const std::vector<std::size_t> words = number_words(units);
  Scored best;
  for (const HeadId head : among)
    score_links(trace, head, units, words, rows, std::nullopt, cancel, [&](const Scored& one) {
      if (one.score > best.score) best = one;
    });
  if (best.score == 0)
    return {among.front(),
            {0, 0, 0, among.front()},
            "the first head: no link between words that are apart stands out in any"};
  const Link& link = best.link;
  return {link.head, link,
          fmt::format("chosen for {} -> {}: {:.2f}, {:.2f} above the mean of the other rows, "
                      "{} words apart",
                      units[static_cast<std::size_t>(link.query)].text,
                      units[static_cast<std::size_t>(link.key)].text, link.weight, best.contrast,
                      std::abs(link.query - link.key))};
}

std::vector<Link> strongest_links(const Trace& trace, const std::vector<HeadId>& among,
                                  const std::vector<Unit>& units, std::size_t count,
                                  std::optional<std::int64_t> row, const CancelToken* cancel) {
  const std::vector<std::int64_t> rows =
      rows_looked_at(static_cast<std::int64_t>(units.size()), row);
  const std::vector<std::size_t> words = number_words(units);
  // Per query its best links to different keys, best first.
  std::vector<std::vector<Scored>> best(units.size());
  const auto better = [](const Scored& a, const Scored& b) { return a.score > b.score; };
  for (const HeadId head : among)
    score_links(trace, head, units, words, rows, row, cancel, [&](const Scored& one) {
      std::vector<Scored>& list = best[static_cast<std::size_t>(one.link.query)];
      const auto same = std::find_if(list.begin(), list.end(), [&](const Scored& known) {
        return known.link.key == one.link.key;
      });
      if (same != list.end()) {
        if (one.score <= same->score) return;
        *same = one;
      } else {
        if (list.size() == kLinksOfQuery && one.score <= list.back().score) return;
        if (list.size() == kLinksOfQuery) list.pop_back();
        list.push_back(one);
      }
      std::stable_sort(list.begin(), list.end(), better);
    });
  std::vector<Scored> all;
  for (const std::vector<Scored>& list : best) all.insert(all.end(), list.begin(), list.end());
  std::stable_sort(all.begin(), all.end(), better);
  std::vector<Link> links;
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (const Scored& one : all) {
    if (links.size() == count) break;
    if (seen.insert(std::minmax(one.link.query, one.link.key)).second) links.push_back(one.link);
  }
  return links;
}

}  // namespace regard
