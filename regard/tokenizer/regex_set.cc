// SPDX-License-Identifier: Apache-2.0
// The sets are what the tokenizers library's Oniguruma makes of each name over all code points;
// tests/golden/tokenizer/sets.tsv holds them to it.
#include "regard/tokenizer/regex_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

constexpr std::string_view kAny = R"([\x{0}-\x{d7ff}\x{e000}-\x{10ffff}])";
constexpr std::string_view kSpace =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// A union of general categories ("L" is all that begin with it), derived properties and items of a
// bracket.
struct Name {
  std::string_view name;        // lower case without _, - and spaces
  std::string_view categories;  // apart by spaces
  std::string_view items = {};
};

constexpr std::array kNames = {
    Name{"l", "L"},
    Name{"letter", "L"},
    Name{"lc", "Lu Ll Lt"},
    Name{"casedletter", "Lu Ll Lt"},
    Name{"uppercaseletter", "Lu"},
    Name{"lowercaseletter", "Ll"},
    Name{"titlecaseletter", "Lt"},
    Name{"modifierletter", "Lm"},
    Name{"otherletter", "Lo"},
    Name{"m", "M"},
    Name{"mark", "M"},
    Name{"combiningmark", "M"},
    Name{"nonspacingmark", "Mn"},
    Name{"spacingmark", "Mc"},
    Name{"enclosingmark", "Me"},
    Name{"n", "N"},
    Name{"number", "N"},
    Name{"decimalnumber", "Nd"},
    Name{"letternumber", "Nl"},
    Name{"othernumber", "No"},
    Name{"p", "P"},
    Name{"punct", "P"},
    Name{"punctuation", "P"},
    Name{"connectorpunctuation", "Pc"},
    Name{"dashpunctuation", "Pd"},
    Name{"openpunctuation", "Ps"},
    Name{"closepunctuation", "Pe"},
    Name{"initialpunctuation", "Pi"},
    Name{"finalpunctuation", "Pf"},
    Name{"otherpunctuation", "Po"},
    Name{"s", "S"},
    Name{"symbol", "S"},
    Name{"mathsymbol", "Sm"},
    Name{"currencysymbol", "Sc"},
    Name{"modifiersymbol", "Sk"},
    Name{"othersymbol", "So"},
    Name{"z", "Z"},
    Name{"separator", "Z"},
    Name{"spaceseparator", "Zs"},
    Name{"lineseparator", "Zl"},
    Name{"paragraphseparator", "Zp"},
    Name{"control", "Cc"},
    Name{"format", "Cf"},
    Name{"privateuse", "Co"},
    Name{"alphabetic", "Alphabetic"},
    Name{"lowercase", "Lowercase"},
    Name{"uppercase", "Uppercase"},
    Name{"alnum", "Alphabetic Nd"},
    Name{"alpha", "Alphabetic"},
    Name{"blank", "Zs", R"(\t)"},
    Name{"cntrl", "Cc"},
    Name{"digit", "Nd"},
    Name{"graph", "L M N P S Cf Co"},
    Name{"print", "L M N P S Zs Cf Co"},
    Name{"assigned", "L M N P S Z Cc Cf Co"},
    Name{"lower", "Lowercase"},
    Name{"upper", "Uppercase"},
    Name{"space", "", kSpace},
    Name{"whitespace", "", kSpace},
    Name{"xdigit", "", "0-9A-Fa-f"},
    // The library counts six numbers below U+0100 as parts of words.
    Name{"word", "Alphabetic M Nd Pc", R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})"},
    Name{"ascii", "", R"(\x{0}-\x{7f})"},
    Name{"any", "", R"(\x{0}-\x{d7ff}\x{e000}-\x{10ffff})"},
};

// Characters of Unicode 14 that have got the property since.
std::string_view gained(std::string_view property) {
  if (property == "Alphabetic") {
    return R"(\x{363}-\x{36f}\x{c04}\x{f82}\x{f83}\x{1dd3}-\x{1de6}\x{11080}\x{11081})";
  }
  if (property == "Lowercase") return R"(\x{10fc}\x{a7f2}-\x{a7f4}\x{ab69})";
  return property == "Mc" ? R"(\x{1171e})" : "";
}

std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '_' && c != '-' && c != ' ') {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

void add_range(std::string& inside, const unicode_tables::NewerRange& range) {
  inside += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<unsigned>(range.first),
                        static_cast<unsigned>(range.last));
}

// Characters newer than Unicode 14 are named one by one, for a PCRE2 that does not know them yet;
// one that does loses nothing.
template <typename Has>
void add_newer(std::string& inside, const Has& has) {
  for (const auto& range : std::span(unicode_tables::kNewer, unicode_tables::kNewerCount)) {
    if (has(range)) add_range(inside, range);
  }
}

void add_category(std::string& inside, std::string_view name) {
  inside += fmt::format("\\p{{{}}}", name);
  inside += gained(name);
  add_newer(inside, [&](const unicode_tables::NewerRange& range) {
    const std::string_view category = range.category;
    if (name.size() <= 2) return category.starts_with(name);
    return (range.also & (name == "Alphabetic" ? 1 : name == "Lowercase" ? 2 : 4)) != 0;
  });
}

CharacterSet set_of(const Name& name) {
  CharacterSet out;
  std::string_view rest = name.categories;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    add_category(out.inside, rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  out.inside += name.items;
  if (name.categories != "Mn") return out;
  return {{}, {"(?:(?!\\x{1171e})" + out.pattern() + ")"}};  // it became an Mc
}

CharacterSet named(std::string_view name) { return *property_set(name); }

}  // namespace

void CharacterSet::add(const CharacterSet& other) {
  inside += other.inside;
  others.insert(others.end(), other.others.begin(), other.others.end());
}

std::string CharacterSet::pattern() const {
  if (others.empty()) return inside.empty() ? "(?!)" : "[" + inside + "]";
  std::string out = "(?:";
  if (!inside.empty()) out += "[" + inside + "]|";
  return out + fmt::format("{})", fmt::join(others, "|"));
}

CharacterSet CharacterSet::complement() const {
  if (others.empty()) {
    return {{}, {inside.empty() ? std::string(kAny) : "[^" + inside + "]"}};
  }
  return {{}, {"(?:(?!" + pattern() + ")" + std::string(kAny) + ")"}};
}

CharacterSet CharacterSet::intersection(const CharacterSet& other) const {
  return {{}, {"(?:(?=" + pattern() + ")" + other.pattern() + ")"}};
}

std::optional<CharacterSet> property_set(std::string_view name) {
  const std::string wanted = plain(name);
  for (const Name& known : kNames) {
    if (known.name == wanted) return set_of(known);
  }
  if (wanted == "unassigned" || wanted == "cn") return named("assigned").complement();
  if (wanted == "other" || wanted == "c") {
    return CharacterSet{set_of(Name{"", "L M N P S Z"})}.complement();
  }
  for (const char* const category : unicode_tables::kCategories) {
    if (plain(category) == wanted) return set_of(Name{"", category});
  }
  for (const char* const script : unicode_tables::kScriptNames) {
    if (plain(script) != wanted) continue;
    CharacterSet out{fmt::format("\\p{{sc:{}}}", script), {}};
    add_newer(out.inside, [&](const unicode_tables::NewerRange& range) {
      return std::string_view(range.script_name) == script;
    });
    return out;
  }
  return std::nullopt;
}

std::optional<CharacterSet> posix_set(std::string_view name) {
  if (name == "punct") return set_of(Name{"", "P S"});
  if (name == "word") return set_of(Name{"", "Alphabetic M Nd Pc"});
  for (const std::string_view known : {"alnum", "alpha", "ascii", "blank", "cntrl", "digit",
                                       "graph", "lower", "print", "space", "upper", "xdigit"}) {
    if (name == known) return property_set(name);
  }
  return std::nullopt;
}

CharacterSet word_set() { return named("word"); }
CharacterSet digit_set() { return named("digit"); }
CharacterSet space_set() { return named("space"); }
CharacterSet hex_set() { return named("xdigit"); }

}  // namespace regard
