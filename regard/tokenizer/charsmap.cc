// SPDX-License-Identifier: Apache-2.0
// Look-ups in the double array check every step, for the units come from a file.
#include "regard/tokenizer/charsmap.h"

#include <fmt/format.h>
#include <unicode/uchar.h>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"

namespace regard {
namespace {

// A unit of the double array: label, whether a value hangs below, the way to the children; or a
// value.
std::uint32_t label(std::uint32_t unit) { return unit & ((std::uint32_t{1} << 31) | 0xFF); }
bool has_leaf(std::uint32_t unit) { return (unit >> 8) & 1; }
std::uint32_t value(std::uint32_t unit) { return unit & ((std::uint32_t{1} << 31) - 1); }
std::size_t offset(std::uint32_t unit) {
  return std::size_t{unit >> 10} << ((unit & (std::uint32_t{1} << 9)) >> 6);
}

// Longer graphemes are replaced character by character only.
constexpr std::size_t kLongestGrapheme = 6;

// UAX #29: the character belongs to the grapheme before it. Hangul, regional indicators and emoji
// sequences make graphemes of six bytes or more, which are not looked up as a whole.
bool extends_grapheme(char32_t c) {
  if (c < 0x300) return false;
  const auto kind = u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_GRAPHEME_CLUSTER_BREAK);
  return kind == U_GCB_EXTEND || kind == U_GCB_SPACING_MARK || kind == U_GCB_ZWJ;
}

bool precedes_grapheme(char32_t c) {
  return c >= 0x600 && u_getIntPropertyValue(static_cast<UChar32>(c),
                                             UCHAR_GRAPHEME_CLUSTER_BREAK) == U_GCB_PREPEND;
}

bool is_control(char32_t c) {
  const auto kind = u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_GRAPHEME_CLUSTER_BREAK);
  return kind == U_GCB_CONTROL || kind == U_GCB_CR || kind == U_GCB_LF;
}

std::size_t grapheme_size(std::string_view text) {
  CodePoint point = decode_utf8(text, 0);
  std::size_t size = point.size;
  if (text.starts_with("\r\n")) return 2;
  while (size < text.size() && precedes_grapheme(point.value)) {
    const CodePoint next = decode_utf8(text, size);
    if (is_control(next.value)) return size;
    point = next;
    size += next.size;
  }
  if (is_control(point.value)) return size;
  while (size < text.size()) {
    const CodePoint next = decode_utf8(text, size);
    if (!extends_grapheme(next.value)) break;
    size += next.size;
  }
  return size;
}

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

// `old` characters become `with`: as many as it has replace them, the rest is inserted; what is
// left over is swallowed by the last character written, which may be an earlier one.
void put(std::vector<Change>& changes, std::string_view with, std::size_t old) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < with.size(); ++count) {
    const CodePoint point = decode_utf8(with, at);
    at += point.size;
    changes.push_back({point.value, count >= old});
  }
  if (count < old && !changes.empty()) changes.back().change -= static_cast<int>(old - count);
}

}  // namespace

CharsMap CharsMap::parse(std::string_view bytes, const std::string& file, const std::string& key) {
  const auto word = [&](std::size_t at) {
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      out |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    }
    return out;
  };
  if (bytes.size() < 4) {
    throw Error::at(file, key, "a map of 4 bytes or more", fmt::format("{} bytes", bytes.size()));
  }
  const std::size_t size = word(0);
  if (size == 0 || size % 4 != 0 || size > bytes.size() - 4) {
    throw Error::at(
        file, key, fmt::format("a trie of whole units in the {} bytes there are", bytes.size() - 4),
        fmt::format("{} bytes", size));
  }
  CharsMap map;
  map.units_.resize(size / 4);
  for (std::size_t i = 0; i < map.units_.size(); ++i) map.units_[i] = word(4 + 4 * i);
  map.replacements_ = std::string(bytes.substr(4 + size));
  std::size_t mended = 0;
  mend_utf8(map.replacements_, &mended);
  if (mended > 0) throw Error::at(file, key, "replacements in UTF-8", "others");
  return map;
}

template <typename Visit>
void CharsMap::prefixes(std::string_view text, const Visit& visit) const {
  std::size_t at = offset(units_[0]);
  for (std::size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    at ^= byte;
    if (at >= units_.size() || label(units_[at]) != byte) return;
    const std::uint32_t unit = units_[at];
    at ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (at >= units_.size() || !visit(value(units_[at]), i + 1)) return;
  }
}

std::string_view CharsMap::replacement(std::uint32_t at) const {
  const std::string_view all = replacements_;
  if (at >= all.size()) return {};
  const std::string_view rest = all.substr(at);
  return rest.substr(0, rest.find('\0'));
}

std::optional<std::string_view> CharsMap::shortest(std::string_view text) const {
  std::optional<std::string_view> found;
  prefixes(text, [&](std::uint32_t at, std::size_t) {
    found = replacement(at);
    return false;
  });
  return found;
}

std::optional<std::pair<std::string_view, std::size_t>> CharsMap::longest(
    std::string_view text) const {
  std::optional<std::pair<std::string_view, std::size_t>> found;
  prefixes(text, [&](std::uint32_t at, std::size_t size) {
    found = {replacement(at), size};
    return true;
  });
  return found;
}

void CharsMap::apply(NormalText& text, const TextBudget& budget) const {
  const std::string_view old = text.view();
  std::vector<Change> changes;
  changes.reserve(old.size());
  bool modified = false;  // nothing happens to a text in which nothing is replaced
  const auto replace = [&](std::string_view part, std::size_t count) {
    const auto with = shortest(part);
    if (with) {
      budget.demand(changes.size() + with->size());
      put(changes, *with, count);
    }
    modified = modified || with;
    return with.has_value();
  };
  for (std::size_t at = 0; at < old.size();) {
    const std::string_view grapheme = old.substr(at, grapheme_size(old.substr(at)));
    at += grapheme.size();
    if (grapheme.size() < kLongestGrapheme && replace(grapheme, characters(grapheme))) continue;
    for (std::size_t i = 0; i < grapheme.size();) {
      const CodePoint point = decode_utf8(grapheme, i);
      if (!replace(grapheme.substr(i, point.size), 1)) changes.push_back({point.value, 0});
      i += point.size;
    }
  }
  if (modified) rewrite(text, changes);
}

}  // namespace regard
