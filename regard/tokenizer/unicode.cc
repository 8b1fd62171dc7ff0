// SPDX-License-Identifier: Apache-2.0
// Look-ups in the generated Unicode tables. Hangul: Unicode standard, section 3.12.
#include <algorithm>
#include <array>
#include <utility>

#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

// The range that holds c, or nothing.
template <typename Range>
const Range* find_range(const Range* begin, std::size_t count, char32_t c) {
  const Range* after =
      std::upper_bound(begin, begin + count, c,
                       [](char32_t value, const Range& range) { return value < range.first; });
  if (after == begin || c > (after - 1)->last) return nullptr;
  return after - 1;
}

std::uint16_t find_flags(char32_t c) {
  const auto* range = find_range(unicode_tables::kFlags, unicode_tables::kFlagCount, c);
  return range ? range->flags : 0;
}

// Most text lies below this, so its flags are looked up only once.
constexpr std::size_t kCached = 0x3000;

const std::array<std::uint16_t, kCached>& cached_flags() {
  static const std::array<std::uint16_t, kCached> flags = [] {
    std::array<std::uint16_t, kCached> all{};
    for (std::size_t i = 0; i < unicode_tables::kFlagCount; ++i) {
      const auto& range = unicode_tables::kFlags[i];
      for (std::size_t c = range.first; c <= range.last && c < kCached; ++c) all[c] = range.flags;
    }
    return all;
  }();
  return flags;
}

}  // namespace

std::uint16_t unicode_flags(char32_t c) { return c < kCached ? cached_flags()[c] : find_flags(c); }

char32_t simple_lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  const auto* range = find_range(unicode_tables::kLower, unicode_tables::kLowerCount, c);
  if (!range || (c - range->first) % range->stride != 0) return c;
  return static_cast<char32_t>(static_cast<std::int32_t>(c) + range->delta);
}

std::uint8_t combining_rank(char32_t c) {
  if (c < 0x300) return 0;
  const auto* range = find_range(unicode_tables::kRanks, unicode_tables::kRankCount, c);
  return range ? range->rank : 0;
}

namespace {

using unicode_tables::Decomposition;

std::span<const char32_t> find_decomposition(const Decomposition* table, std::size_t count,
                                             char32_t c) {
  const Decomposition* end = table + count;
  const Decomposition* found = std::lower_bound(
      table, end, c, [](const Decomposition& entry, char32_t value) { return entry.from < value; });
  if (found == end || found->from != c) return {};
  return {unicode_tables::kDecomposed + found->offset, found->length};
}

constexpr char32_t kHangul = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTrail = 0x11A7;
constexpr char32_t kSyllables = 11172, kVowels = 21, kTrails = 28;

}  // namespace

std::span<const char32_t> decomposition(char32_t c, char32_t (&hangul)[3]) {
  if (c < 0xC0) return {};
  if (c >= kHangul && c < kHangul + kSyllables) {
    const char32_t index = c - kHangul;
    hangul[0] = kLead + index / (kVowels * kTrails);
    hangul[1] = kVowel + index % (kVowels * kTrails) / kTrails;
    hangul[2] = kTrail + index % kTrails;
    return {hangul, index % kTrails ? std::size_t{3} : std::size_t{2}};
  }
  return find_decomposition(unicode_tables::kDecompositions, unicode_tables::kDecompositionCount,
                            c);
}

std::span<const char32_t> compatible_decomposition(char32_t c, char32_t (&hangul)[3]) {
  if (c < 0xA0) return {};
  const auto found =
      find_decomposition(unicode_tables::kCompatible, unicode_tables::kCompatibleCount, c);
  return found.empty() ? decomposition(c, hangul) : found;
}

char32_t composition(char32_t first, char32_t second) {
  if (first >= kLead && first < kLead + 19 && second >= kVowel && second < kVowel + kVowels) {
    return kHangul + ((first - kLead) * kVowels + (second - kVowel)) * kTrails;
  }
  if (first >= kHangul && first < kHangul + kSyllables && (first - kHangul) % kTrails == 0 &&
      second > kTrail && second < kTrail + kTrails) {
    return first + (second - kTrail);
  }
  const auto* begin = unicode_tables::kCompositions;
  const auto* end = begin + unicode_tables::kCompositionCount;
  const auto* found = std::lower_bound(begin, end, std::pair(first, second),
                                       [](const auto& entry, const auto& pair) {
                                         return std::pair(entry.first, entry.second) < pair;
                                       });
  if (found == end || found->first != first || found->second != second) return 0;
  return found->composed;
}

std::uint8_t script_class(char32_t c) {
  const auto* range = find_range(unicode_tables::kScripts, unicode_tables::kScriptCount, c);
  return range ? range->script : 0;
}

}  // namespace regard
