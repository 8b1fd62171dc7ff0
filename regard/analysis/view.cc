// SPDX-License-Identifier: Apache-2.0
// Units of a text, maps at their level (Clark et al. 2019, section 4.1) and what is left out.
#include "regard/analysis/view.h"

#include <fmt/format.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <limits>
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
std::string_view text_of(const TokenSide& side, int sequence) {
  if (sequence == 0) return side.text;
  if (sequence == 1 && side.pair) return *side.pair;
  return {};
}

Unit unit_of_token(const TokenSide& side, std::size_t index) {
  const Token& token = side.tokens[index];
  Unit unit{token.text,
            token.span,
            token.special ? -1 : token.sequence,
            {static_cast<std::int64_t>(index)},
            token.special,
            false};
  const std::string_view text = text_of(side, token.sequence);
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

Part part_named(std::string_view name) {
  constexpr std::pair<std::string_view, Part> kParts[] = {
      {"all", Part::kAll}, {"within", Part::kWithin}, {"across", Part::kAcross}};
  for (const auto& [text, part] : kParts)
    if (text == name) return part;
  throw Error(fmt::format("part: expected all, within or across, found {}", name),
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

std::vector<Unit> units_of(const TokenSide& side, Level level) {
  std::vector<Unit> units;
  Segments segments[2];
  if (level != Level::kToken)
    for (int s = 0; s < 2; ++s) segments[s] = segments_of(text_of(side, s), level);
  for (std::size_t i = 0; i < side.tokens.size(); ++i) {
    const Token& token = side.tokens[i];
    if (level == Level::kToken) {
      units.push_back(unit_of_token(side, i));
      continue;
    }
    if (i < side.key_valid.size() && side.key_valid[i] == 0) continue;
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
              text_of(side, token.sequence).substr(found->start, found->end - found->start);
          units.push_back(
              {std::string(text), *found, token.sequence, {}, false, is_wordlike(text)});
        }
        units[static_cast<std::size_t>(index)].tokens.push_back(static_cast<std::int64_t>(i));
        continue;
      }
    }
    units.push_back(unit_of_token(side, i));
  }
  return units;
}

std::vector<Unit> words_of(const Trace& trace, const TokenSide& side) {
  const bool given = !trace.layers.empty() && trace.layers.begin()->second.weights.data != nullptr;
  return units_of(side, given ? Level::kToken : Level::kWord);
}

HeadMap head_map(const Trace& trace, HeadId id, const Axes& units) {
  HeadMap map;
  map.id = id;
  map.why = "asked for";
  map.rows = static_cast<std::int64_t>(units.rows.size());
  map.columns = static_cast<std::int64_t>(units.columns.size());
  std::vector<std::int64_t> rows(units.rows.size());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  map.weights = unit_rows(trace.map(id), units, rows);
  return map;
}

HeadMap mean_map(const Trace& trace, const std::vector<HeadId>& ids, const Axes& units) {
  if (ids.empty()) throw Error("mean of heads: expected at least one head", Error::Kind::kUsage);
  std::vector<double> sum(units.rows.size() * units.columns.size(), 0.0);
  for (const HeadId id : ids) {
    const HeadMap one = head_map(trace, id, units);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(one.weights[i]);
  }
  HeadMap map;
  map.of = ids;
  map.why = fmt::format("mean of {} heads", ids.size());
  map.rows = static_cast<std::int64_t>(units.rows.size());
  map.columns = static_cast<std::int64_t>(units.columns.size());
  map.weights.resize(sum.size());
  for (std::size_t i = 0; i < sum.size(); ++i)
    map.weights[i] = static_cast<float>(sum[i] / static_cast<double>(ids.size()));
  return map;
}

namespace {

// Takes the units that are not kept out. Returns where each one went; -1: nowhere.
std::vector<std::int64_t> keep_of(const std::vector<bool>& keep, std::vector<Unit>* units) {
  if (keep.size() != units->size())
    throw Error(
        fmt::format("units to keep: expected {} entries, found {}", units->size(), keep.size()));
  std::vector<std::int64_t> place(keep.size(), -1);
  std::vector<Unit> kept;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (!keep[i]) continue;
    place[i] = static_cast<std::int64_t>(kept.size());
    kept.push_back(std::move((*units)[i]));
  }
  *units = std::move(kept);
  return place;
}

}  // namespace

void keep_units(View* view, const Kept& keep) {
  if (!view->keys_side && keep.rows != keep.columns)
    throw Error("units to keep: expected the same rows and columns of one text");
  const std::vector<std::int64_t> rows = keep_of(keep.rows, &view->units);
  const std::vector<std::int64_t> columns =
      view->keys_side ? keep_of(keep.columns, &view->keys_side->units) : rows;
  for (HeadMap& map : view->heads) {
    std::vector<float> weights;
    weights.reserve(view->units.size() * view->columns().units.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t j = 0; j < columns.size(); ++j)
        if (rows[i] >= 0 && columns[j] >= 0) weights.push_back(map.weights[i * columns.size() + j]);
    map.weights = std::move(weights);
    map.rows = static_cast<std::int64_t>(view->units.size());
    map.columns = static_cast<std::int64_t>(view->columns().units.size());
  }
  std::vector<Link> links;
  for (Link link : view->links) {
    link.query = rows[static_cast<std::size_t>(link.query)];
    link.key = columns[static_cast<std::size_t>(link.key)];
    if (link.query >= 0 && link.key >= 0) links.push_back(link);
  }
  view->links = std::move(links);
  if (view->row) {
    const std::int64_t row = rows[static_cast<std::size_t>(*view->row)];
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

void without_sinks(View* view) {
  const std::vector<Unit>& before = view->columns().units;
  const bool first = view->level != Level::kSentence && !before.empty() && !before.front().special;
  Kept keep{std::vector<bool>(view->units.size(), true), {}};
  for (std::size_t j = 0; j < before.size(); ++j)
    keep.columns.push_back(!before[j].special && !(first && j == 0));
  if (std::none_of(keep.columns.begin(), keep.columns.end(), [](bool kept) { return kept; }))
    throw Error("sinks: no word is left without them", Error::Kind::kUsage);
  // Columns go and rows stay, so that the columns need units of their own.
  if (!view->keys_side) view->keys_side = static_cast<const UnitSide&>(*view);
  keep_units(view, keep);
  for (HeadMap& map : view->heads)
    for (std::int64_t row = 0; row < map.rows; ++row) {
      const std::span<float> weights(map.weights.data() + row * map.columns,
                                     static_cast<std::size_t>(map.columns));
      const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
      if (!(sum > 0)) continue;
      for (float& weight : weights) weight = static_cast<float>(weight / sum);
    }
  view->notes.push_back(fmt::format(
      "without sinks: columns of special tokens{} are taken out, and each row is divided by what "
      "is left of it",
      first ? fmt::format(" and of the first {}", name_of(view->level)) : ""));
}

void only_part(View* view, Part part) {
  if (part == Part::kAll) return;
  if (!view->pair || view->kind == AttentionKind::kCross)
    throw Error("part: expected the two texts of a pair, found one text", Error::Kind::kUsage);
  const std::vector<Unit>& columns = view->columns().units;
  for (HeadMap& map : view->heads)
    for (std::size_t i = 0; i < view->units.size(); ++i)
      for (std::size_t j = 0; j < columns.size(); ++j) {
        const int a = view->units[i].sequence, b = columns[j].sequence;
        if (a < 0 || b < 0 || (a == b) != (part == Part::kWithin))
          map.weights[i * columns.size() + j] = std::numeric_limits<float>::quiet_NaN();
      }
  view->notes.emplace_back(part == Part::kWithin ? "only cells within one text"
                                                 : "only cells across the two texts");
}

}  // namespace regard
