// SPDX-License-Identifier: Apache-2.0
// Unicode text segmentation (UAX #29) by ICU's break iterators in the root locale.
#include "regard/tokenizer/segment.h"

#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"

namespace regard {
namespace {

struct Close {
  void operator()(UBreakIterator* iterator) const { ubrk_close(iterator); }
  void operator()(UText* text) const { utext_close(text); }
};

bool is_blank(char32_t c) {
  const auto point = static_cast<UChar32>(c);
  return u_isUWhiteSpace(point) || u_charType(point) == U_CONTROL_CHAR;
}

bool all_blank(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!is_blank(point.value)) return false;
    at += point.size;
  }
  return true;
}

std::vector<Span> segments(std::string_view text, UBreakIteratorType type) {
  // ICU counts in 32 bits.
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw Error::at("", "text", "at most 2147483647 bytes", std::to_string(text.size()));
  }
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UText, Close> input(
      utext_openUTF8(nullptr, text.data(), static_cast<std::int64_t>(text.size()), &status));
  const std::unique_ptr<UBreakIterator, Close> iterator(ubrk_open(type, "", nullptr, 0, &status));
  if (U_SUCCESS(status)) ubrk_setUText(iterator.get(), input.get(), &status);
  if (U_FAILURE(status)) {
    throw Error::at("", "text boundaries", "ICU's break iterator", u_errorName(status));
  }
  std::vector<Span> out;
  std::size_t start = 0;
  for (auto end = ubrk_next(iterator.get()); end != UBRK_DONE; end = ubrk_next(iterator.get())) {
    out.push_back({start, static_cast<std::size_t>(end)});
    start = static_cast<std::size_t>(end);
  }
  return out;
}

std::string_view cut(std::string_view text, Span span) {
  return text.substr(span.start, span.end - span.start);
}

}  // namespace

std::vector<Span> words(std::string_view text) {
  std::vector<Span> out;
  for (const Span span : segments(text, UBRK_WORD)) {
    if (!all_blank(cut(text, span))) out.push_back(span);
  }
  return out;
}

std::vector<Span> sentences(std::string_view text) {
  std::vector<Span> out;
  for (const Span segment : segments(text, UBRK_SENTENCE)) {
    Span kept{segment.end, segment.end};
    for (std::size_t at = segment.start; at < segment.end;) {
      const CodePoint point = decode_utf8(text, at);
      const std::size_t next = at + point.size;
      if (!is_blank(point.value)) kept = {std::min(kept.start, at), next};
      at = next;
    }
    if (kept.start < segment.end) out.push_back(kept);
  }
  return out;
}

bool is_wordlike(std::string_view word) {
  for (std::size_t at = 0; at < word.size();) {
    const CodePoint point = decode_utf8(word, at);
    const auto c = static_cast<UChar32>(point.value);
    if (u_isalnum(c) || u_hasBinaryProperty(c, UCHAR_IDEOGRAPHIC)) return true;
    at += point.size;
  }
  return false;
}

}  // namespace regard
