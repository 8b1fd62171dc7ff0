// SPDX-License-Identifier: Apache-2.0
// By the rules of the tokenizers library (tokenizers/src/normalizers).
#include "regard/tokenizer/normalizer.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "regard/platform/utf8.h"
#include "regard/tokenizer/sentencepiece_normalizer.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

// Rewrites the text when visit(character, rewriter) is to be asked for some character.
template <typename Needed, typename Visit>
void each_character(NormalText& text, const Needed& needed, const Visit& visit) {
  const std::string_view view = text.view();
  std::size_t first = 0;
  while (first < view.size()) {
    const CodePoint point = decode_utf8(view, first);
    if (needed(point.value)) break;
    first += point.size;
  }
  if (first >= view.size()) return;
  Rewriter rewriter(text);
  rewriter.keep(first);
  while (!rewriter.done()) {
    const CodePoint point = decode_utf8(view, rewriter.at());
    if (needed(point.value)) {
      visit(point.value, point.size, rewriter);
    } else {
      rewriter.keep(point.size);
    }
  }
  rewriter.finish();
}

void drop(NormalText& text, std::uint16_t flag) {
  each_character(
      text, [&](char32_t c) { return (unicode_flags(c) & flag) != 0; },
      [](char32_t, std::size_t size, Rewriter& rewriter) { rewriter.skip(size); });
}

void lowercase(NormalText& text) {
  constexpr char32_t kDottedI = 0x130;
  each_character(
      text, [](char32_t c) { return c == kDottedI || simple_lower(c) != c; },
      [](char32_t c, std::size_t, Rewriter& rewriter) {
        if (c == kDottedI) {
          rewriter.replace(U'i');
          rewriter.insert(char32_t{0x307});
        } else {
          rewriter.replace(simple_lower(c));
        }
      });
}

bool all_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F; });
}

void apply(NormalText& text, const BertNormalizer& options, TextBudget&) {
  if (all_printable_ascii(text.view())) {
    if (!options.lowercase) return;
    std::string lower(text.view());
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return text.set_same_shape(std::move(lower));
  }
  if (options.clean_text) {
    each_character(
        text, [](char32_t c) { return c != U' ' && (unicode_flags(c) & (kRemoved | kSpace)) != 0; },
        [](char32_t c, std::size_t size, Rewriter& rewriter) {
          if (unicode_flags(c) & kRemoved) {
            rewriter.skip(size);
          } else {
            rewriter.replace(U' ');
          }
        });
  }
  if (options.handle_chinese_chars) {
    each_character(
        text, [](char32_t c) { return (unicode_flags(c) & kChinese) != 0; },
        [](char32_t c, std::size_t, Rewriter& rewriter) {
          rewriter.replace(U' ');
          rewriter.insert(c);
          rewriter.insert(U' ');
        });
  }
  if (options.strip_accents) {
    to_normal_form(text, NormalForm::kNfd);
    drop(text, kNonspacing);
  }
  if (options.lowercase) lowercase(text);
}

void apply(NormalText& text, NormalForm form, TextBudget&) { to_normal_form(text, form); }
void apply(NormalText& text, const LowercaseNormalizer&, TextBudget&) { lowercase(text); }
void apply(NormalText& text, const StripAccentsNormalizer&, TextBudget&) { drop(text, kMark); }

// SentencePiece's nmt rule.
void apply(NormalText& text, const NmtNormalizer&, TextBudget&) {
  const auto removed = [](char32_t c) {
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
           c == 0x8F || c == 0x9F;
  };
  const auto space = [](char32_t c) {
    return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
           (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
           c == 0xFEFF || c == 0xFFFD;
  };
  each_character(
      text, [&](char32_t c) { return removed(c) || space(c); },
      [&](char32_t c, std::size_t size, Rewriter& rewriter) {
        if (removed(c)) {
          rewriter.skip(size);
        } else {
          rewriter.replace(U' ');
        }
      });
}

void apply(NormalText& text, const ByteLevelNormalizer&, TextBudget&) { to_byte_characters(text); }

void apply(NormalText& text, const StripNormalizer& options, TextBudget&) {
  const std::string_view view = text.view();
  const auto blank = [&](std::size_t at) {
    return (unicode_flags(decode_utf8(view, at).value) & kSplitSpace) != 0;
  };
  std::size_t start = 0, end = view.size();
  while (options.left && start < end && blank(start)) start += decode_utf8(view, start).size;
  while (options.right && end > start) {
    std::size_t before = end - 1;
    while ((static_cast<unsigned char>(view[before]) & 0xC0) == 0x80) --before;
    if (!blank(before)) break;
    end = before;
  }
  if (start == 0 && end == view.size()) return;
  Rewriter rewriter(text);
  rewriter.skip(start);
  rewriter.keep(end - start);
  rewriter.finish();
}

void apply(NormalText& text, const ReplaceNormalizer& options, TextBudget& budget) {
  std::vector<Span> found;
  options.pattern.find(text.view(), found, budget);
  if (found.empty() || text.empty()) return;
  budget.demand(found.size() * options.content.size());  // each below 2^30
  Rewriter rewriter(text);
  for (const Span& match : found) {
    rewriter.keep(match.start - rewriter.at());
    rewriter.skip(match.end - match.start);
    rewriter.insert(options.content);
  }
  rewriter.keep(text.size() - rewriter.at());
  rewriter.finish();
}

void apply(NormalText& text, const PrependNormalizer& options, TextBudget& budget) {
  if (text.empty()) return;
  budget.demand(options.text.size());
  Rewriter rewriter(text);
  rewriter.prepend(options.text);
  rewriter.keep(text.size());
  rewriter.finish();
}

void apply(NormalText& text, const std::shared_ptr<const CharsMap>& map, TextBudget& budget) {
  map->apply(text, budget);
}

void apply(NormalText& text, const SentencePieceNormalizer& options, TextBudget& budget) {
  apply_sentencepiece(text, options, budget);
}

// The stand-ins, and for each character below their end the byte it stands for or -1.
struct ByteAlphabet {
  std::array<char32_t, 256> character;
  std::array<std::int16_t, 324> byte;
  ByteAlphabet() {
    byte.fill(-1);
    char32_t next = 256;
    for (std::size_t b = 0; b < 256; ++b) {
      const bool printable =
          (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
      character[b] = printable ? static_cast<char32_t>(b) : next++;
      byte[character[b]] = static_cast<std::int16_t>(b);
    }
  }
};

const ByteAlphabet& alphabet() {
  static const ByteAlphabet made;
  return made;
}

}  // namespace

void normalize(NormalText& text, const std::vector<Normalizer>& normalizers, TextBudget& budget) {
  for (const Normalizer& normalizer : normalizers) {
    std::visit([&](const auto& options) { apply(text, options, budget); }, normalizer);
    budget.demand(text.size());
  }
  budget.spend(text.size());
}

char32_t byte_character(unsigned char byte) { return alphabet().character[byte]; }

void to_byte_characters(NormalText& text) {
  const std::string_view view = text.view();
  Rewriter rewriter(text);
  while (!rewriter.done()) {
    const std::size_t at = rewriter.at();
    const std::size_t size = decode_utf8(view, at).size;
    if (size == 1) {
      rewriter.replace(byte_character(static_cast<unsigned char>(view[at])));
      continue;
    }
    for (std::size_t i = 0; i < size; ++i) {
      rewriter.insert(byte_character(static_cast<unsigned char>(view[at + i])),
                      text.original(at + i, at + i + 1));
    }
    rewriter.skip(size);
  }
  rewriter.finish();
}

bool bytes_of(std::string_view piece, std::string& bytes) {
  bytes.clear();
  for (std::size_t at = 0; at < piece.size();) {
    const CodePoint point = decode_utf8(piece, at);
    if (!point.valid || point.value >= alphabet().byte.size()) return false;
    const int byte = alphabet().byte[point.value];
    if (byte < 0) return false;
    bytes += static_cast<char>(byte);
    at += point.size;
  }
  return true;
}

}  // namespace regard
