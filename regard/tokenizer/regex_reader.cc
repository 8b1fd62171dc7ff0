// SPDX-License-Identifier: Apache-2.0
#include "regard/tokenizer/regex_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

constexpr long kMostRepeats = 65535;  // PCRE2's

}  // namespace

void PatternReader::refuse(std::string_view what) const {
  throw Error::at(file_, fmt::format("{}, byte {}", key_, at_),
                  fmt::format("a pattern without {}", what), in_);
}

bool PatternReader::take(std::string_view text) {
  if (!next_is(text)) return false;
  at_ += text.size();
  return true;
}
char32_t PatternReader::take_character() {
  const CodePoint point = decode_utf8(in_, at_);
  at_ += point.size;
  return point.value;
}

void PatternReader::skip_blanks() {
  while (!done()) {
    if (in_[at_] == '#') {
      at_ = std::min(in_.find('\n', at_), in_.size());
      continue;
    }
    const CodePoint point = decode_utf8(in_, at_);
    if (!(unicode_flags(point.value) & kSplitSpace)) return;
    at_ += point.size;
  }
}

char32_t PatternReader::byte(char32_t value) const {
  if (value >= 0x80) refuse("bytes beyond 0x7F (\\x80 to \\xFF, \\200 to \\377)");
  return value;
}

char32_t PatternReader::hexadecimal() { return next_is("{") ? braced(16) : byte(digits(16, 1, 2)); }

char32_t PatternReader::braced(unsigned base) {
  ++at_;
  const char32_t value = digits(base, 1, 8);
  if (!take("}")) refuse("several code points in one \\x{}");
  return value;
}

char32_t PatternReader::digits(unsigned base, std::size_t fewest, std::size_t most) {
  std::uint64_t value = 0;
  std::size_t count = 0;
  for (; count < most && !done(); ++count, ++at_) {
    const char c = in_[at_];
    const char lower = static_cast<char>(c | 0x20);
    const unsigned digit = c >= '0' && c <= '9'           ? static_cast<unsigned>(c - '0')
                           : lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a' + 10)
                                                          : 99U;
    if (digit >= base) break;
    value = value * base + digit;
  }
  if (count < fewest) refuse(fmt::format("an escape of fewer than {} digits", fewest));
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
    refuse("a number that is no character");
  }
  return static_cast<char32_t>(value);
}

std::optional<PatternReader::Interval> PatternReader::read_interval() {
  std::size_t at = at_ + 1;
  const auto number = [&]() -> std::optional<long> {
    long value = 0;
    const std::size_t from = at;
    for (; at < in_.size() && is_digit(static_cast<unsigned char>(in_[at])); ++at) {
      value = std::min(value * 10 + (in_[at] - '0'), kMostRepeats + 1);
    }
    if (at == from) return std::nullopt;
    return value;
  };
  const auto low = number();
  std::optional<long> high = low;
  const bool range = at < in_.size() && in_[at] == ',';
  if (range) {
    ++at;
    high = number();
  }
  if (at >= in_.size() || in_[at] != '}' || (!low && !high)) return std::nullopt;
  if (low.value_or(0) > kMostRepeats || high.value_or(0) > kMostRepeats) {
    refuse(fmt::format("more than {} repetitions", kMostRepeats));
  }
  if (high && low.value_or(0) > *high) refuse("a quantifier of which the most is the fewer");
  at_ = at + 1;
  return Interval{low.value_or(0), high.value_or(-1), !range};
}

}  // namespace regard
