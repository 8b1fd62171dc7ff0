// SPDX-License-Identifier: Apache-2.0
// A regular expression of Oniguruma's Ruby syntax (its doc/RE), read from left to right: numbers,
// intervals, and the refusal of what has no translation.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace regard {

inline bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

// Every function that reads moves at_ behind what it has read. All throw Error (file, key, byte)
// for what is refused. Thread safety: none; one thread at a time.
class PatternReader {
 public:
  // All three outlive this.
  PatternReader(std::string_view pattern, const std::string& file, const std::string& key)
      : in_(pattern), file_(file), key_(key) {}

 protected:
  struct Interval {
    long low, high;  // high -1: no bound
    bool exact;      // {n}
  };

  [[noreturn]] void refuse(std::string_view what) const;
  bool done() const { return at_ >= in_.size(); }
  bool next_is(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  bool take(std::string_view text);
  char32_t take_character();
  // White space and comments, as option x passes over them.
  void skip_blanks();
  // What follows "\x": two digits or a number in braces.
  char32_t hexadecimal();
  // "{...}" in this base.
  char32_t braced(unsigned base);
  char32_t digits(unsigned base, std::size_t fewest, std::size_t most);
  // The value of an escape that stands for a byte.
  char32_t byte(char32_t value) const;
  // "{n,m}"; nothing when that is no quantifier.
  std::optional<Interval> read_interval();

  const std::string_view in_;
  std::size_t at_ = 0;

 private:
  const std::string &file_, &key_;
};

}  // namespace regard
