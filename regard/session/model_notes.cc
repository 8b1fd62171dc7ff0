// SPDX-License-Identifier: Apache-2.0
// What regard.json says, and what follows from it.
#include "regard/session/model_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "regard/analysis/view.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"

namespace regard {
namespace {

constexpr std::size_t kMostNamed = 20;  // unknown words that are listed

}  // namespace

ModelNotes read_model_notes(std::string_view json, const std::string& file) {
  const JsonDocument document = JsonDocument::parse(json, file);
  ModelNotes notes;
  document.root().for_each_member([&](std::string_view key, Json value) {
    if (key == "default_heads") {
      value.for_each_element([&](std::size_t, Json name) {
        const auto id = head_named(name.string());
        if (!id) throw name.wrong("a head, as L3H1");
        notes.default_heads.push_back(*id);
      });
    } else if (key == "why") {
      notes.why = value.string();
    } else if (key == "made_for") {
      notes.made_for = value.string();
    }
  });
  return notes;
}

std::vector<std::string> note_unknown_words(const Trace& trace, const ModelNotes& notes) {
  std::vector<std::string> unknown;
  std::set<std::string> seen;
  std::size_t words = 0, missing = 0;
  for (const Unit& unit : units_of(trace, Level::kWord)) {
    if (!unit.wordlike) continue;
    ++words;
    const Token& first = trace.tokens[static_cast<std::size_t>(unit.tokens.front())];
    if (unit.tokens.size() == 1 && first.text != "[UNK]") continue;
    ++missing;
    if (seen.insert(fold_case(unit.text)).second) unknown.push_back(unit.text);
  }
  if (unknown.empty()) return {};
  const std::size_t more = unknown.size() - std::min(unknown.size(), kMostNamed);
  unknown.resize(unknown.size() - more);
  std::vector<std::string> said = {
      fmt::format("not in this model's vocabulary, read letter by letter: {}{}",
                  fmt::join(unknown, ", "), more > 0 ? fmt::format(" and {} more", more) : "")};
  if (3 * missing > words)
    said.push_back(
        fmt::format("{} of {} words are unknown: this model is made for {}; `regard models pull "
                    "sentence-transformers/all-MiniLM-L6-v2`, then --model minilm, shows a "
                    "general one",
                    missing, words, notes.made_for));
  return said;
}

}  // namespace regard
