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
  double score = 0;     // contrast * ln(distance); of two texts contrast
};

// The rows that are looked at: all while the map has at most kCells cells, else every n-th, and
// `row` in any case.
std::vector<std::int64_t> rows_looked_at(const Axes& units, std::optional<std::int64_t> row) {
  const auto count = static_cast<std::int64_t>(units.rows.size());
  const auto columns = static_cast<std::int64_t>(units.columns.size());
  const std::int64_t step = std::max<std::int64_t>(1, (count * columns + kCells - 1) / kCells);
  std::vector<std::int64_t> rows;
  for (std::int64_t one = 0; one < count; one += step) rows.push_back(one);
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

// The links of heads between words, and how much each stands out.
class Links {
 public:
  Links(const Trace& trace, const Axes& units, std::optional<std::int64_t> only,
        const CancelToken* cancel)
      : trace_(trace),
        units_(units),
        only_(only),
        cancel_(cancel),
        rows_(rows_looked_at(units, only)) {
    if (one_text()) words_ = number_words(units.rows);
  }

  // Whether rows and columns are the same words, so that they have a distance.
  bool one_text() const { return !trace_.keys_side.has_value(); }

  // Calls visit for every candidate link of one head with a score above 0.
  void score(HeadId head, const std::function<void(const Scored&)>& visit) const {
    if (rows_.size() < 2) return;
    const std::size_t width = units_.columns.size();
    const std::vector<float> weights = unit_rows(trace_.map(head), units_, rows_, cancel_);
    std::vector<double> column(width, 0.0);
    for (std::size_t r = 0; r < rows_.size(); ++r)
      for (std::size_t k = 0; k < width; ++k)
        column[k] += static_cast<double>(weights[r * width + k]);
    const double others = static_cast<double>(rows_.size() - 1);
    // Under a causal mask the first token is where weight goes that no other token asks for.
    const LayerTrace& layer = trace_.layers.at(head.layer);
    const bool sink = layer.weights.data == nullptr && layer.score.causal;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      const std::int64_t q = rows_[r];
      if (only_ && q != *only_) continue;
      if (!units_.rows[static_cast<std::size_t>(q)].wordlike) continue;
      for (std::size_t k = 0; k < width; ++k) {
        if (!units_.columns[k].wordlike) continue;
        const double apart = distance_factor(q, static_cast<std::int64_t>(k));
        if (apart == 0 || (sink && units_.columns[k].tokens.front() == 0)) continue;
        const float weight = weights[r * width + k];
        const double contrast = weight - (column[k] - weight) / others;
        if (contrast <= 0) continue;
        visit({{q, static_cast<std::int64_t>(k), weight, head}, contrast, contrast * apart});
      }
    }
  }

  // The candidate of the largest score; its score is 0 when there is none.
  Scored best(HeadId head) const {
    Scored best;
    score(head, [&](const Scored& one) {
      if (one.score > best.score) best = one;
    });
    return best;
  }

 private:
  // ln(distance) of two words of one text that are apart and no copies, 1 of words of two texts; 0:
  // no candidate.
  double distance_factor(std::int64_t q, std::int64_t k) const {
    if (!one_text()) return 1;
    const std::int64_t distance = std::abs(q - k);
    if (distance < 2 || words_[static_cast<std::size_t>(q)] == words_[static_cast<std::size_t>(k)])
      return 0;
    return std::log(static_cast<double>(distance));
  }

  const Trace& trace_;
  const Axes units_;
  std::optional<std::int64_t> only_;
  const CancelToken* cancel_;
  std::vector<std::int64_t> rows_;
  std::vector<std::size_t> words_;
};

}  // namespace

HeadChoice choose_head(const Trace& trace, const std::vector<HeadId>& among, const Axes& units,
                       const CancelToken* cancel) {
  if (among.empty()) throw Error("head: expected at least one to choose from, found none");
  const Links links(trace, units, std::nullopt, cancel);
  Scored best;
  for (const HeadId head : among) {
    const Scored one = links.best(head);
    if (one.score > best.score) best = one;
  }
  if (best.score == 0)
    return {among.front(),
            {0, 0, 0, among.front()},
            fmt::format("the first head: no link between words{} stands out in any",
                        links.one_text() ? " that are apart" : "")};
  const Link& link = best.link;
  std::string why = fmt::format(
      "chosen for {} -> {}: {:.2f}, {:.2f} above the mean of the other rows",
      units.rows[static_cast<std::size_t>(link.query)].text,
      units.columns[static_cast<std::size_t>(link.key)].text, link.weight, best.contrast);
  if (links.one_text()) why += fmt::format(", {} words apart", std::abs(link.query - link.key));
  return {link.head, link, std::move(why)};
}

std::vector<Link> strongest_links(const Trace& trace, const std::vector<HeadId>& among,
                                  const Axes& units, std::size_t count,
                                  std::optional<std::int64_t> row, const CancelToken* cancel) {
  const Links candidates(trace, units, row, cancel);
  // Per query its best links to different keys, best first.
  std::vector<std::vector<Scored>> best(units.rows.size());
  const auto better = [](const Scored& a, const Scored& b) { return a.score > b.score; };
  for (const HeadId head : among)
    candidates.score(head, [&](const Scored& one) {
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
    std::pair<std::int64_t, std::int64_t> words{one.link.query, one.link.key};
    if (candidates.one_text() && words.first > words.second) std::swap(words.first, words.second);
    if (seen.insert(words).second) links.push_back(one.link);
  }
  return links;
}

std::vector<std::optional<Link>> strongest_link_of_each(const Trace& trace,
                                                        const std::vector<HeadId>& heads,
                                                        const Axes& units,
                                                        const CancelToken* cancel) {
  const Links links(trace, units, std::nullopt, cancel);
  std::vector<std::optional<Link>> best;
  for (const HeadId head : heads) {
    const Scored one = links.best(head);
    best.push_back(one.score > 0 ? std::optional(one.link) : std::nullopt);
  }
  return best;
}

}  // namespace regard
