// SPDX-License-Identifier: Apache-2.0
// SentencePiece's precompiled character map: what stretches of a text are replaced with, found
// through a double-array trie (SentencePiece's src/normalizer.h, darts-clone's unit layout).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "regard/tokenizer/normal_text.h"
#include "regard/tokenizer/text_budget.h"

namespace regard {

// Thread safety: immutable after construction.
class CharsMap {
 public:
  // From the map's bytes: the size of the trie (4 bytes, little-endian), the trie's units, the
  // replacements, each ended by a zero byte. Throws Error (file, key) when sizes do not fit.
  static CharsMap parse(std::string_view bytes, const std::string& file, const std::string& key);

  // What replaces the shortest entry that `text` begins with, as the tokenizers library asks it.
  std::optional<std::string_view> shortest(std::string_view text) const;
  // The replacement of the longest such entry and the entry's bytes, as SentencePiece asks it.
  std::optional<std::pair<std::string_view, std::size_t>> longest(std::string_view text) const;

  // The tokenizers library's Precompiled: grapheme by grapheme. Throws Error when the budget does
  // not last.
  void apply(NormalText& text, const TextBudget& budget) const;

 private:
  template <typename Visit>
  void prefixes(std::string_view text, const Visit& visit) const;
  std::string_view replacement(std::uint32_t at) const;
  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace regard
