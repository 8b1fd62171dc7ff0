// SPDX-License-Identifier: Apache-2.0
// Contrast of a link against its column, times the logarithm of the distance:
// docs/mathematics.md, "Choosing a head".
#include "regard/analysis/head_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "regard/analysis/unit_rows.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::int64_t kCells = std::int64_t{1} << 22;  // of one head's map that are looked at
constexpr std::int64_t kRuns = 16;
constexpr std::size_t kLinksOfQuery = 3;

struct Scored {
  Link link;
  double contrast = 0;  // weight minus the mean of the column's other rows
  double score = 0;     // contrast * ln(distance); of two texts contrast
};

// The rows that are looked at: all while the map has at most kCells cells, else one run of rows out
// of every n such runs, and `row` in any case. Rows are computed kQueryBlock neighbours at a time,
// so runs are that long, but shorter where fewer than kRuns would cover the text.
std::vector<std::int64_t> rows_looked_at(const Axes& units, std::optional<std::int64_t> row) {
  const auto count = static_cast<std::int64_t>(units.rows.size());
  const auto columns = static_cast<std::int64_t>(units.columns.size());
  const std::int64_t step = std::max<std::int64_t>(1, (count * columns + kCells - 1) / kCells);
  const std::int64_t run = std::clamp<std::int64_t>(count / step / kRuns, 1, kQueryBlock);
  std::vector<std::int64_t> rows;
  for (std::int64_t one = 0; one < count; ++one)
    if (one / run % step == 0 || one == row) rows.push_back(one);
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
    const std::size_t longest = std::max(units.rows.size(), units.columns.size());
    for (std::size_t distance = 0; distance < longest; ++distance)
      logarithm_.push_back(distance < 2 ? 0.0 : std::log(static_cast<double>(distance)));
    for (std::size_t u = 0; u < units.columns.size(); ++u)
      for (const std::int64_t token : units.columns[u].tokens) {
        const auto before = static_cast<std::size_t>(token) + 1;
        if (reach_.size() <= before) reach_.resize(before + 1, 0);
        reach_[before] = std::max(reach_[before], u + 1);
      }
    for (std::size_t t = 1; t < reach_.size(); ++t) reach_[t] = std::max(reach_[t], reach_[t - 1]);
  }

  // Whether rows and columns are the same words, so that they have a distance.
  bool one_text() const { return !trace_.keys_side.has_value(); }

  // Calls visit for the candidate links of one head whose score is above least(row unit), which may
  // grow; the links of a row from one thread, in order.
  template <class Least, class Visit>
  void score(HeadId head, const Least& least, const Visit& visit) {
    if (rows_.size() < 2) return;
    const std::size_t width = units_.columns.size();
    const AttentionMap map = trace_.map(head);
    weights_ = unit_rows(map, units_, rows_, cancel_, std::move(weights_));
    const Columns columns = sum_columns(head, map);
    const double others = static_cast<double>(rows_.size() - 1);
    parallel_for(
        parts(rows_.size()),
        [&](std::int64_t part) {
          for (std::size_t r = first(part); r < std::min(rows_.size(), first(part + 1)); ++r) {
            const auto q = static_cast<std::size_t>(rows_[r]);
            if ((only_ && rows_[r] != *only_) || !units_.rows[q].wordlike) continue;
            const float* row = weights_.data() + r * width;
            double bar = least(q);
            auto enough = static_cast<float>(bar / farthest() * (1 - kRounding));
            for (std::size_t k = 0; k < columns.end[r]; ++k) {
              if (!(row[k] > enough && row[k] > columns.least[k])) continue;
              const double apart = distance_factor(q, k);
              if (apart == 0) continue;
              const float weight = row[k];
              const double contrast = weight - (columns.sum[k] - weight) / others;
              if (contrast <= 0 || contrast * apart <= bar) continue;
              visit(Scored{{rows_[r], static_cast<std::int64_t>(k), weight, head},
                           contrast,
                           contrast * apart});
              bar = least(q);
              enough = static_cast<float>(bar / farthest() * (1 - kRounding));
            }
          }
        },
        cancel_);
  }

  // The candidate of the largest score; its score is 0 when there is none.
  Scored best(HeadId head) {
    std::vector<Scored> best(units_.rows.size());  // of each row
    score(
        head, [&](std::size_t q) { return best[q].score; },
        [&](const Scored& one) { best[static_cast<std::size_t>(one.link.query)] = one; });
    Scored top;
    for (const Scored& one : best)
      if (one.score > top.score) top = one;
    return top;
  }

 private:
  static constexpr double kRounding = 1e-6;
  static constexpr std::size_t kAtOnce = 64;  // rows or columns of a task
  static std::int64_t parts(std::size_t count) {
    return static_cast<std::int64_t>((count + kAtOnce - 1) / kAtOnce);
  }
  static std::size_t first(std::int64_t part) { return static_cast<std::size_t>(part) * kAtOnce; }

  struct Columns {
    std::vector<double> sum;         // of the rows looked at
    std::vector<float> least;        // no link of a weight up to it has a contrast above 0
    std::vector<std::size_t> end{};  // of each row: the mask leaves nothing beyond it
  };
  Columns sum_columns(HeadId head, const AttentionMap& map) const {
    const std::size_t width = units_.columns.size();
    Columns columns{std::vector<double>(width, 0.0), std::vector<float>(width)};
    for (const std::int64_t row : rows_) {
      const std::vector<std::int64_t>& tokens = units_.rows[static_cast<std::size_t>(row)].tokens;
      const auto seen = static_cast<std::size_t>(map.seen(tokens.front(), tokens.back() + 1).end);
      columns.end.push_back(reach_[std::min(seen, reach_.size() - 1)]);
    }
    // Under a causal mask the first token is where weight goes that no other token asks for.
    const LayerTrace& layer = trace_.layers.at(head.layer);
    const bool sink = layer.weights.data == nullptr && layer.score.causal;
    parallel_for(parts(width), [&](std::int64_t part) {
      const std::size_t stop = std::min(width, first(part + 1));
      for (std::size_t r = 0; r < rows_.size(); ++r)
        for (std::size_t k = first(part); k < std::min(stop, columns.end[r]); ++k)
          columns.sum[k] += static_cast<double>(weights_[r * width + k]);
      for (std::size_t k = first(part); k < stop; ++k) {
        const bool candidate =
            units_.columns[k].wordlike && !(sink && units_.columns[k].tokens.front() == 0);
        const double mean = columns.sum[k] / static_cast<double>(rows_.size());
        columns.least[k] = candidate ? static_cast<float>(mean * (1 - kRounding))
                                     : std::numeric_limits<float>::infinity();
      }
    });
    return columns;
  }

  // The largest factor of a link.
  double farthest() const { return one_text() ? std::max(1.0, logarithm_.back()) : 1.0; }

  // ln(distance) of two words of one text that are apart and no copies, 1 of words of two texts; 0:
  // no candidate.
  double distance_factor(std::size_t q, std::size_t k) const {
    if (!one_text()) return 1;
    if (words_[q] == words_[k]) return 0;
    return logarithm_[q > k ? q - k : k - q];
  }

  const Trace& trace_;
  const Axes units_;
  std::optional<std::int64_t> only_;
  const CancelToken* cancel_;
  std::vector<std::int64_t> rows_;
  std::vector<float> weights_{};  // [rows_, columns] of the head that score() is at
  std::vector<std::size_t> words_;
  std::vector<double> logarithm_;      // of each distance; 0 of neighbours
  std::vector<std::size_t> reach_{0};  // column units that have one of so many first tokens
};

// What `best` says of the head to show; no link: the first of `among`.
HeadChoice choice_of(const std::vector<Scored>& best, const std::vector<HeadId>& among,
                     const Axes& units, bool one_text) {
  if (among.empty()) throw Error("head: expected at least one to choose from, found none");
  if (best.empty())
    return {among.front(),
            {0, 0, 0, among.front()},
            fmt::format("the first head: no link between words{} stands out in any",
                        one_text ? " that are apart" : "")};
  const Link& link = best.front().link;
  std::string why = fmt::format(
      "chosen for {} -> {}: {:.2f}, {:.2f} above the mean of the other rows",
      units.rows[static_cast<std::size_t>(link.query)].text,
      units.columns[static_cast<std::size_t>(link.key)].text, link.weight, best.front().contrast);
  if (one_text) why += fmt::format(", {} words apart", std::abs(link.query - link.key));
  return {link.head, link, std::move(why)};
}

// A row's links to different keys, best first; `one` joins them, no more than kLinksOfQuery.
void join(const Scored& one, std::vector<Scored>* list) {
  const auto same = std::find_if(list->begin(), list->end(), [&](const Scored& known) {
    return known.link.key == one.link.key;
  });
  if (same != list->end()) {
    if (one.score <= same->score) return;
    list->erase(same);
  }
  const auto after = std::find_if(list->begin(), list->end(),
                                  [&](const Scored& known) { return known.score < one.score; });
  list->insert(after, one);
  if (list->size() > kLinksOfQuery) list->pop_back();
}

}  // namespace

HeadChoice choose_head(const Trace& trace, const std::vector<HeadId>& among, const Axes& units,
                       const CancelToken* cancel) {
  HeadChoice choice;
  strongest_links(trace, among, units, 1, std::nullopt, cancel, &choice);
  return choice;
}

std::vector<Link> strongest_links(const Trace& trace, const std::vector<HeadId>& among,
                                  const Axes& units, std::size_t count,
                                  std::optional<std::int64_t> row, const CancelToken* cancel,
                                  HeadChoice* choice) {
  Links candidates(trace, units, row, cancel);
  std::vector<std::vector<Scored>> best(units.rows.size());
  for (const HeadId head : among)
    candidates.score(
        head,
        [&](std::size_t q) { return best[q].size() < kLinksOfQuery ? 0.0 : best[q].back().score; },
        [&](const Scored& one) { join(one, &best[static_cast<std::size_t>(one.link.query)]); });
  std::vector<Scored> all;
  for (const std::vector<Scored>& list : best) all.insert(all.end(), list.begin(), list.end());
  std::stable_sort(all.begin(), all.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score; });
  if (choice != nullptr) *choice = choice_of(all, among, units, candidates.one_text());
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
  Links links(trace, units, std::nullopt, cancel);
  std::vector<std::optional<Link>> best;
  for (const HeadId head : heads) {
    const Scored one = links.best(head);
    best.push_back(one.score > 0 ? std::optional(one.link) : std::nullopt);
  }
  return best;
}

}  // namespace regard
