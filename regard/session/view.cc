// SPDX-License-Identifier: Apache-2.0
// From a trace and a request to what is shown: which heads, which units, which links.
#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "regard/analysis/head_choice.h"
#include "regard/analysis/long_text.h"
#include "regard/platform/error.h"
#include "regard/session/session.h"

namespace regard {
namespace {

Error usage(const std::string& message) { return Error(message, Error::Kind::kUsage); }

// "tail" as a number from 0, when it is nothing else.
std::optional<std::int64_t> number(std::string_view tail) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(tail.data(), tail.data() + tail.size(), value);
  if (error != std::errc() || stop != tail.data() + tail.size() || value < 0) return std::nullopt;
  return value;
}

// Index of the occurrence (from 1) of `text`: exact, else ignoring case.
std::optional<std::int64_t> occurrence(const std::vector<Unit>& units, const std::string& text,
                                       std::int64_t which) {
  std::int64_t seen = 0;
  for (std::size_t i = 0; i < units.size(); ++i)
    if (units[i].text == text && ++seen == which) return static_cast<std::int64_t>(i);
  if (seen > 0) return std::nullopt;
  const std::string wanted = fold_case(text);
  for (std::size_t i = 0; i < units.size(); ++i)
    if (fold_case(units[i].text) == wanted && ++seen == which) return static_cast<std::int64_t>(i);
  return std::nullopt;
}

std::string listing(const std::vector<Unit>& units) {
  constexpr std::size_t kMost = 60;
  std::string list;
  for (std::size_t i = 0; i < std::min(units.size(), kMost); ++i)
    list += (i == 0 ? "" : " ") + units[i].text;
  if (units.size() > kMost) list += fmt::format(" and {} more", units.size() - kMost);
  return list;
}

bool given(const Trace& trace) {
  return !trace.layers.empty() && trace.layers.begin()->second.weights.data != nullptr;
}

}  // namespace

std::int64_t Session::find_unit(const std::vector<Unit>& units, const std::string& word) const {
  if (const auto found = occurrence(units, word, 1)) return *found;
  if (word.starts_with('@'))
    if (const auto index = number(std::string_view(word).substr(1)))
      if (*index < static_cast<std::int64_t>(units.size())) return *index;
  if (const std::size_t hash = word.rfind('#'); hash != std::string::npos && hash > 0)
    if (const auto which = number(std::string_view(word).substr(hash + 1)))
      if (const auto found = occurrence(units, word.substr(0, hash), *which)) return *found;
  throw usage(fmt::format("word \"{}\": not there; expected one of: {}", word, listing(units)));
}

std::vector<HeadId> Session::select_heads(const Trace& trace, const ViewRequest& request) const {
  std::vector<HeadId> chosen;
  if (!request.heads.empty()) {
    for (const HeadId id : request.heads) {
      // map() names what exists.
      if (!trace.has(id)) static_cast<void>(trace.map(id));
      chosen.push_back(id);
    }
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    return chosen;
  }
  const std::vector<HeadId> all = trace.heads();
  if (all.empty()) throw Error("the trace holds no head");
  for (const HeadId id : all)
    if ((!request.layer || id.layer == *request.layer) &&
        (!request.head || id.head == *request.head))
      chosen.push_back(id);
  if (chosen.empty()) {
    int heads = 0;
    for (const HeadId id : all) heads = std::max(heads, id.head + 1);
    throw usage(fmt::format("{}{}{}: not there; layers are {} to {}, heads {} to {}",
                            request.layer ? fmt::format("layer {}", *request.layer) : "",
                            request.layer && request.head ? ", " : "",
                            request.head ? fmt::format("head {}", *request.head) : "",
                            all.front().layer, all.back().layer, 0, heads - 1));
  }
  return chosen;
}

namespace {

constexpr std::int64_t kPooledSize = 128;  // rows and columns of a pooled map
constexpr std::size_t kMostAttended = 48;  // units shown of a long row

// A map to show: a head or, when `mean`, several in one.
struct Shown {
  std::vector<HeadId> ids;
  std::string why;
  bool mean = false;
};

// Whether to show what the model's makers chose: it is all there, and nothing else is asked for.
bool is_preferred(const Trace& trace, const ViewRequest& request) {
  return !trace.preferred.empty() && !request.mean && request.heads.empty() && !request.layer &&
         !request.head &&
         std::all_of(trace.preferred.begin(), trace.preferred.end(),
                     [&](HeadId id) { return trace.has(id); });
}

std::string names_of(const std::vector<HeadId>& ids) {
  std::string names;
  for (const HeadId id : ids) names += (names.empty() ? "" : " and ") + to_string(id);
  return names;
}

// The units that are no special tokens, or all.
Kept without_specials(const View& view, bool specials) {
  const auto of = [&](const std::vector<Unit>& units) {
    std::vector<bool> keep;
    for (const Unit& unit : units) keep.push_back(specials || !unit.special);
    return keep;
  };
  return {of(view.units), of(view.columns().units)};
}

// "1024" units of one text, "12 x 1024" of two.
std::string size_of(const View& view) {
  return view.keys_side ? fmt::format("{} x {}", view.units.size(), view.keys_side->units.size())
                        : fmt::format("{}", view.units.size());
}

// Of a long map what unit `row` attends to most.
void show_row(const Trace& trace, const std::vector<Shown>& shown, std::int64_t row, View* view) {
  double held = 0;
  const std::vector<std::int64_t> chosen =
      most_attended(trace, shown.front().ids, view->axes(), row, kMostAttended, &held);
  const std::size_t count = view->columns().units.size();
  Kept keep{std::vector<bool>(view->units.size(), false), std::vector<bool>(count, false)};
  keep.rows[static_cast<std::size_t>(row)] = true;
  for (const std::int64_t unit : chosen) keep.columns[static_cast<std::size_t>(unit)] = true;
  if (!view->keys_side) {
    keep.columns[static_cast<std::size_t>(row)] = true;
    keep.rows = keep.columns;
  }
  std::vector<HeadMap> maps;
  for (const Shown& one : shown) maps.push_back(partial_map(trace, one.ids, view->axes(), keep));
  const std::string word = view->units[static_cast<std::size_t>(row)].text;
  keep_units(view, keep);
  view->heads = std::move(maps);
  view->notes.push_back(fmt::format(
      "of {} units the {} that \"{}\" attends to most are shown; they hold {:.1f} % of its weight",
      count, chosen.size(), word, held * 100));
}

// Fills view->heads with maps that are too large to hold.
void show_large(const Trace& trace, const ViewRequest& request, std::optional<std::int64_t> row,
                const std::vector<Shown>& shown, View* view) {
  if (request.stream) {
    const Kept keep = without_specials(*view, request.specials);
    std::vector<HeadMap> maps;
    for (const Shown& one : shown)
      maps.push_back(streamed_map(trace, one.ids, view->axes(), keep, request.keep_mass));
    keep_units(view, keep);
    view->heads = std::move(maps);
    return;
  }
  if (request.keep_mass)
    throw usage(
        fmt::format("keep-mass: {} units are too many to show at once; it works with json "
                    "and csv",
                    size_of(*view)));
  if (row) return show_row(trace, shown, *row, view);
  const std::string count = size_of(*view);
  for (const Shown& one : shown)
    view->heads.push_back(one.mean ? pooled_mean(trace, one.ids, kPooledSize)
                                   : pooled_map(trace, one.ids.front(), kPooledSize));
  view->level = Level::kToken;
  view->links.clear();  // they are between words, which are not shown
  view->units = runs_of_tokens(trace, kPooledSize);
  if (view->keys_side) view->keys_side->units = runs_of_tokens(*trace.keys_side, kPooledSize);
  view->notes.push_back(fmt::format(
      "{} units are too many to show at once: each cell is the {} weight of {} x {} tokens (the "
      "last ones of more); --word shows one unit's row, `regard tile` any part",
      count, shown.front().mean ? "mean" : "largest", view->units.front().tokens.size(),
      view->columns().units.front().tokens.size()));
  if (!request.specials) view->notes.push_back("special tokens are pooled with the others");
}

// A side's tokens and units. Labels of ready matrices are units as they stand.
UnitSide side_of(const TokenSide& from, Level level, Level word_level) {
  UnitSide side{from.text, from.pair, from.tokens, units_of(from, level), {}};
  side.words = level == word_level ? side.units : units_of(from, word_level);
  return side;
}

}  // namespace

View Session::view(const Trace& trace, const ViewRequest& request,
                   const CancelToken* cancel) const {
  View view;
  view.model = trace.model;
  view.kind = trace.kind;
  view.notes = trace.notes;
  view.level = given(trace) ? Level::kToken : request.level;
  const Level word_level = given(trace) ? Level::kToken : Level::kWord;
  static_cast<UnitSide&>(view) = side_of(trace, view.level, word_level);
  if (trace.keys_side) view.keys_side = side_of(*trace.keys_side, view.level, word_level);

  const std::vector<HeadId> allowed = select_heads(trace, request);
  const std::vector<HeadId> all = trace.heads();
  if (request.word) view.row = find_unit(view.units, *request.word);
  const std::optional<std::int64_t> row = view.row;
  // Links are sought once: what the choice of a head asks is often what the list does.
  const bool both = !row && allowed.size() == all.size() && view.level == word_level;
  std::optional<HeadChoice> choice;
  if (request.links > 0) {
    HeadChoice of_links;
    // Of a view that the makers chose, its own: another head's link says something else.
    const bool own = is_preferred(trace, request) && !request.one_head && !request.all_heads;
    const std::vector<HeadId>& linked = own ? trace.preferred : all;
    view.links = strongest_links(trace, linked, view.axes(), request.links, row, cancel, &of_links);
    if (both) choice = of_links;
  }

  std::vector<Shown> shown;
  const auto add = [&](std::vector<HeadId> ids, std::string why) {
    shown.push_back({std::move(ids), std::move(why), false});
  };
  if (request.mean) {
    add(allowed, "asked for");
    shown.back().mean = true;
    view.notes.push_back(fmt::format("the mean of {} heads", allowed.size()));
  } else if (!request.heads.empty()) {
    for (const HeadId id : request.heads) add({id}, "asked for");
  } else if (allowed.size() == 1) {
    add(allowed, all.size() == 1 ? "the only head there is" : "asked for");
  } else if (is_preferred(trace, request)) {
    std::vector<HeadId> ids = trace.preferred;
    std::string why = trace.preferred_why;
    if (ids.size() > 1 && (request.one_head || request.all_heads)) {
      why = fmt::format("the first of {}, whose mean is {}", names_of(ids), why);
      ids.resize(1);
    }
    shown.push_back({ids, why, ids.size() > 1});
  } else {
    if (row) {
      const std::vector<Link> best = strongest_links(trace, allowed, view.axes(), 1, row, cancel);
      if (!best.empty())
        choice = HeadChoice{
            best.front().head, best.front(),
            fmt::format("chosen: the strongest link of \"{}\", to \"{}\" ({:.2f})",
                        view.units[static_cast<std::size_t>(*row)].text,
                        view.columns().units[static_cast<std::size_t>(best.front().key)].text,
                        best.front().weight)};
    }
    if (!choice) choice = choose_head(trace, allowed, {view.words, view.columns().words}, cancel);
    add({choice->head}, choice->why);
  }
  if (request.all_heads && !request.mean && request.heads.empty())
    for (const HeadId id : allowed)
      if (shown.front().ids != std::vector{id}) add({id}, "asked for");

  const bool large =
      too_large_to_hold(view.units.size(), view.columns().units.size(), shown.size());
  if (large && (!request.sinks || request.part != Part::kAll))
    throw usage(fmt::format("sinks, part: {} units are too many to hold at once", size_of(view)));
  if (large) {
    show_large(trace, request, row, shown, &view);
  } else {
    for (const Shown& one : shown)
      view.heads.push_back(one.mean ? mean_map(trace, one.ids, view.axes())
                                    : head_map(trace, one.ids.front(), view.axes()));
  }
  for (std::size_t i = 0; i < shown.size(); ++i) view.heads[i].why = shown[i].why;

  if (!request.sinks) without_sinks(&view);
  if (!request.specials && (!large || request.stream)) {
    if (!large) keep_units(&view, without_specials(view, false));
    view.notes.push_back(
        "special tokens are left out; the other weights are as they were, so a row may sum to less "
        "than 1");
  }
  if (request.keep_mass) keep_mass(&view, *request.keep_mass);
  only_part(&view, request.part);
  return view;
}

}  // namespace regard
