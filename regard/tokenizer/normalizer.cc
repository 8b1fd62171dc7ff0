// SPDX-License-Identifier: Apache-2.0
// Cleaning, spaces around Chinese characters, accents and case, in the order of the tokenizers
// library (tokenizers/src/normalizers/bert.rs), and its rule for offsets: a character that
// replaces another takes that one's bytes, one that is inserted takes those of the character
// before it.
#include "regard/tokenizer/normalizer.h"

#include <algorithm>

#include "regard/platform/utf8.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

struct Char {
  char32_t value;
  Span origin;
};

std::vector<Char> read(std::string_view piece, std::size_t offset, bool clean) {
  std::vector<Char> chars;
  chars.reserve(piece.size());
  for (std::size_t at = 0; at < piece.size();) {
    const CodePoint point = decode_utf8(piece, at);
    const Span origin{offset + at, offset + at + point.size};
    at += point.size;
    char32_t value = point.value;
    if (clean) {
      const std::uint8_t flags = unicode_flags(value);
      if (flags & kRemoved) continue;
      if (flags & kSpace) value = U' ';
    }
    chars.push_back({value, origin});
  }
  return chars;
}

std::vector<Char> space_chinese(const std::vector<Char>& chars) {
  std::vector<Char> out;
  out.reserve(chars.size() + 16);
  for (const Char& c : chars) {
    const bool chinese = unicode_flags(c.value) & kChinese;
    if (chinese) out.push_back({U' ', c.origin});
    out.push_back(c);
    if (chinese) out.push_back({U' ', c.origin});
  }
  return out;
}

// NFD, then without nonspacing marks.
std::vector<Char> strip_accents(const std::vector<Char>& chars) {
  struct Decomposed {
    char32_t value;
    std::uint8_t rank;
    bool inserted;  // the second or a later part of a decomposition
  };
  std::vector<Decomposed> all;
  all.reserve(chars.size());
  for (const Char& c : chars) {
    char32_t hangul[3];
    const auto parts = decomposition(c.value, hangul);
    if (parts.empty()) all.push_back({c.value, combining_rank(c.value), false});
    for (std::size_t i = 0; i < parts.size(); ++i) {
      all.push_back({parts[i], combining_rank(parts[i]), i > 0});
    }
  }
  for (auto at = all.begin(); at != all.end();) {
    if (at->rank == 0) {
      ++at;
      continue;
    }
    const auto end = std::find_if(at, all.end(), [](const Decomposed& c) { return c.rank == 0; });
    std::stable_sort(at, end,
                     [](const Decomposed& a, const Decomposed& b) { return a.rank < b.rank; });
    at = end;
  }
  std::vector<Char> out;
  out.reserve(all.size());
  std::size_t next = 0;  // the character that the next replacement replaces
  for (const Decomposed& c : all) {
    const std::size_t from = c.inserted ? std::max<std::size_t>(next, 1) - 1 : next++;
    if (!(unicode_flags(c.value) & kNonspacing)) out.push_back({c.value, chars[from].origin});
  }
  return out;
}

}  // namespace

NormalText normalize(std::string_view piece, std::size_t offset, const NormalizerOptions& options) {
  std::vector<Char> chars = read(piece, offset, options.clean_text);
  if (options.handle_chinese_chars) chars = space_chinese(chars);
  if (options.strip_accents) chars = strip_accents(chars);
  NormalText out;
  out.text.reserve(piece.size() + 16);
  out.origin.reserve(piece.size() + 16);
  for (const Char& c : chars) {
    if (options.lowercase && c.value == 0x130) {
      append_utf8(out.text, U'i');
      append_utf8(out.text, 0x307);
    } else {
      append_utf8(out.text, options.lowercase ? simple_lower(c.value) : c.value);
    }
    out.origin.resize(out.text.size(), c.origin);
  }
  return out;
}

}  // namespace regard
