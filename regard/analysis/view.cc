// SPDX-License-Identifier: Apache-2.0
// Units of a text, maps at their level (Clark et al. 2019, section 4.1) and what is left out.
#include "regard/analysis/view.h"

#include <fmt/format.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "regard/analysis/unit_rows.h"
#include "regard/platform/error.h"
#include "regard/tokenizer/segment.h"

namespace regard {
namespace {

constexpr std::pair<std::string_view, Level> kLevels[] = {
    {"token", Level::kToken}, {"word", Level::kWord}, {"sentence", Level::kSentence}};

// The text that a token's span points into; empty for tokens of no text.
std::string_view text_of(const Trace& trace, int sequence) {
  if (sequence == 0) return trace.text;
  if (sequence == 1 && trace.pair) return *trace.pair;
  return {};
}

Unit unit_of_token(const Trace& trace, std::size_t index) {
  const Token& token = trace.tokens[index];
  Unit unit{token.text,
            token.span,
            token.special ? -1 : token.sequence,
            {static_cast<std::int64_t>(index)},
            token.special,
            false};
  const std::string_view text = text_of(trace, token.sequence);
  const bool has_bytes = token.span.start < token.span.end && token.span.end <= text.size();
  if (!token.special)
    unit.wordlike = is_wordlike(
        has_bytes ? text.substr(token.span.start, token.span.end - token.span.start) : token.text);
  return unit;
}

// One text's segments and the unit that each became; -1: none yet.
struct Segments {
  std::vector<Span> spans;
  std::vector<std::ptrdiff_t> unit;
};

Segments segments_of(std::string_view text, Level level) {
  Segments segments;
  if (!text.empty()) segments.spans = level == Level::kWord ? words(text) : sentences(text);
  segments.unit.assign(segments.spans.size(), -1);
  return segments;
}

}  // namespace

Level level_named(std::string_view name) {
  for (const auto& [text, level] : kLevels)
    if (text == name) return level;
  throw Error(fmt::format("level: expected token, word or sentence, found {}", name),
              Error::Kind::kUsage);
}

std::string fold_case(const std::string& text) {
  std::string folded;
  return icu::UnicodeString::fromUTF8(text).foldCase().toUTF8String(folded);
}

std::string_view name_of(Level level) {
  return std::find_if(std::begin(kLevels), std::end(kLevels),
                      [&](const auto& entry) { return entry.second == level; })
      ->first;
}

std::vector<Unit> units_of(const Trace& trace, Level level) {
  std::vector<Unit> units;
  Segments segments[2];
  if (level != Level::kToken)
    for (int s = 0; s < 2; ++s) segments[s] = segments_of(text_of(trace, s), level);
  for (std::size_t i = 0; i < trace.tokens.size(); ++i) {
    const Token& token = trace.tokens[i];
    if (level == Level::kToken) {
      units.push_back(unit_of_token(trace, i));
      continue;
    }
    if (i < trace.key_valid.size() && trace.key_valid[i] == 0) continue;
    const bool in_text = !token.special && (token.sequence == 0 || token.sequence == 1) &&
                         token.span.start < token.span.end;
    if (in_text) {
      Segments& of = segments[token.sequence];
      // The first segment that ends after the token starts: white space before a word is its own.
      const auto found =
          std::partition_point(of.spans.begin(), of.spans.end(),
                               [&](const Span& span) { return span.end <= token.span.start; });
      if (found != of.spans.end() && found->start < token.span.end) {
        std::ptrdiff_t& index = of.unit[static_cast<std::size_t>(found - of.spans.begin())];
        if (index < 0) {
          index = static_cast<std::ptrdiff_t>(units.size());
          const std::string_view text =
              text_of(trace, token.sequence).substr(found->start, found->end - found->start);
          units.push_back(
              {std::string(text), *found, token.sequence, {}, false, is_wordlike(text)});
        }
        units[static_cast<std::size_t>(index)].tokens.push_back(static_cast<std::int64_t>(i));
        continue;
      }
    }
    units.push_back(unit_of_token(trace, i));
  }
  return units;
}

HeadMap head_map(const Trace& trace, HeadId id, const std::vector<Unit>& units) {
  HeadMap map;
  map.id = id;
  map.why = "asked for";
  map.rows = map.columns = static_cast<std::int64_t>(units.size());
  std::vector<std::int64_t> rows(units.size());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  map.weights = unit_rows(trace.map(id), units, rows);
  return map;
}

HeadMap mean_map(const Trace& trace, const std::vector<HeadId>& ids,
                 const std::vector<Unit>& units) {
  if (ids.empty()) throw Error("mean of heads: expected at least one head", Error::Kind::kUsage);
  std::vector<double> sum(units.size() * units.size(), 0.0);
  for (const HeadId id : ids) {
    const HeadMap one = head_map(trace, id, units);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(one.weights[i]);
  }
  HeadMap map;
  map.of = ids;
  map.why = fmt::format("mean of {} heads", ids.size());
  map.rows = map.columns = static_cast<std::int64_t>(units.size());
  map.weights.resize(sum.size());
  for (std::size_t i = 0; i < sum.size(); ++i)
    map.weights[i] = static_cast<float>(sum[i] / static_cast<double>(ids.size()));
  return map;
}

void keep_units(View* view, const std::vector<bool>& keep) {
  if (keep.size() != view->units.size())
    throw Error(fmt::format("units to keep: expected {} entries, found {}", view->units.size(),
                            keep.size()));
  std::vector<std::int64_t> place(keep.size(), -1);
  std::vector<Unit> kept;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (!keep[i]) continue;
    place[i] = static_cast<std::int64_t>(kept.size());
    kept.push_back(std::move(view->units[i]));
  }
  for (HeadMap& map : view->heads) {
    std::vector<float> weights;
    weights.reserve(kept.size() * kept.size());
    for (std::size_t i = 0; i < keep.size(); ++i)
      for (std::size_t j = 0; j < keep.size(); ++j)
        if (keep[i] && keep[j]) weights.push_back(map.weights[i * keep.size() + j]);
    map.weights = std::move(weights);
    map.rows = map.columns = static_cast<std::int64_t>(kept.size());
  }
  std::vector<Link> links;
  for (Link link : view->links) {
    link.query = place[static_cast<std::size_t>(link.query)];
    link.key = place[static_cast<std::size_t>(link.key)];
    if (link.query >= 0 && link.key >= 0) links.push_back(link);
  }
  view->links = std::move(links);
  view->units = std::move(kept);
  if (view->row) {
    const std::int64_t row = place[static_cast<std::size_t>(*view->row)];
    view->row = row < 0 ? std::nullopt : std::optional(row);
  }
}

void keep_mass(View* view, double mass) {
  if (!(mass > 0 && mass <= 1))
    throw Error(fmt::format("keep-mass: expected a share above 0 and up to 1, found {}", mass),
                Error::Kind::kUsage);
  for (HeadMap& map : view->heads)
    for (std::int64_t row = 0; row < (map.read ? 0 : map.rows); ++row) {
      const std::span<float> weights(map.weights.data() + row * map.columns,
                                     static_cast<std::size_t>(map.columns));
      const std::vector<WeightedKey> kept = fewest_holding(weights, mass);
      std::fill(weights.begin(), weights.end(), 0.0f);
      for (const WeightedKey& key : kept) weights[static_cast<std::size_t>(key.key)] = key.weight;
    }
  view->notes.push_back(fmt::format(
      "of each row the fewest largest weights that reach {} of its sum; the rest set to 0", mass));
}

}  // namespace regard
