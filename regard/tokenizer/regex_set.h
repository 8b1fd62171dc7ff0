// SPDX-License-Identifier: Apache-2.0
// Sets of characters as Oniguruma's Ruby syntax names them (its doc/RE), and how PCRE2, which has
// no operations on sets before version 10.45, spells them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regard {

// A union of what stands in brackets and of patterns that match one character each.
// Thread safety: plain data.
struct CharacterSet {
  std::string inside;               // items of a bracket
  std::vector<std::string> others;  // "[...]" or "(?:...)"

  void add(const CharacterSet& other);
  // A PCRE2 pattern of one character in the set.
  std::string pattern() const;
  CharacterSet complement() const;
  CharacterSet intersection(const CharacterSet& other) const;
};

// The set \p{name} of the tokenizers library, whatever the Unicode version of PCRE2; nothing for a
// name that it does not have or that is not read here.
std::optional<CharacterSet> property_set(std::string_view name);
// The same of [[:name:]].
std::optional<CharacterSet> posix_set(std::string_view name);
// \w, \d, \s and \h.
CharacterSet word_set();
CharacterSet digit_set();
CharacterSet space_set();
CharacterSet hex_set();

}  // namespace regard
