// SPDX-License-Identifier: Apache-2.0
// Views made by hand for the tests of this floor.
#pragma once

#include <string>
#include <vector>

#include "regard/analysis/view.h"

namespace regard {

// One unit and one token a text, one head L3H1 whose weights are uniform.
inline View view_of(const std::vector<std::string>& texts) {
  View view;
  view.model = "toy";
  for (const std::string& text : texts) {
    view.units.push_back(
        {text, {0, 3}, 0, {static_cast<std::int64_t>(view.units.size())}, false, true});
    view.tokens.push_back({7, text, {0, 3}, 0, 0, false});
  }
  view.words = view.units;
  const auto n = static_cast<std::int64_t>(texts.size());
  view.heads.push_back(
      {HeadId{3, 1},
       {},
       "asked for",
       n,
       n,
       std::vector<float>(texts.size() * texts.size(), 1.f / static_cast<float>(n)),
       {}});
  return view;
}

// Words "word0", "word1", ...
inline View view_of_words(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back("word" + std::to_string(i));
  return view_of(texts);
}

inline View small_view() {
  View view = view_of({"it,", "ran"});
  view.text = "it, \"ran\"";
  view.heads[0].weights = {0.25f, 0.75f, 1.0f, 0.0f};
  view.links.push_back({0, 1, 0.68f, {3, 1}});
  view.notes.push_back("a note");
  return view;
}

}  // namespace regard
