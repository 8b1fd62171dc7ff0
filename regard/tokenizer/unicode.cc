// SPDX-License-Identifier: Apache-2.0
// Look-ups in the generated Unicode tables. Hangul: Unicode standard, section 3.12.
#include <algorithm>
#include <array>

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

std::uint8_t find_flags(char32_t c) {
  const auto* range = find_range(unicode_tables::kFlags, unicode_tables::kFlagCount, c);
  return range ? range->flags : 0;
}

// Most text lies below this, so its flags are looked up only once.
constexpr std::size_t kCached = 0x3000;

const std::array<std::uint8_t, kCached>& cached_flags() {
  static const std::array<std::uint8_t, kCached> flags = [] {
    std::array<std::uint8_t, kCached> all{};
    for (std::size_t i = 0; i < unicode_tables::kFlagCount; ++i) {
      const auto& range = unicode_tables::kFlags[i];
      for (std::size_t c = range.first; c <= range.last && c < kCached; ++c) all[c] = range.flags;
    }
    return all;
  }();
  return flags;
}

}  // namespace

std::uint8_t unicode_flags(char32_t c) { return c < kCached ? cached_flags()[c] : find_flags(c); }

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

std::span<const char32_t> decomposition(char32_t c, char32_t (&hangul)[3]) {
  if (c < 0xC0) return {};
  if (c >= 0xAC00 && c < 0xAC00 + 11172) {
    const char32_t index = c - 0xAC00;
    hangul[0] = 0x1100 + index / 588;
    hangul[1] = 0x1161 + index % 588 / 28;
    hangul[2] = 0x11A7 + index % 28;
    return {hangul, index % 28 ? std::size_t{3} : std::size_t{2}};
  }
  const auto* begin = unicode_tables::kDecompositions;
  const auto* end = begin + unicode_tables::kDecompositionCount;
  const auto* found = std::lower_bound(
      begin, end, c, [](const auto& entry, char32_t value) { return entry.from < value; });
  if (found == end || found->from != c) return {};
  return {unicode_tables::kDecomposed + found->offset, found->length};
}

}  // namespace regard
