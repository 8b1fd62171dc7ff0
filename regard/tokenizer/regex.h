// SPDX-License-Identifier: Apache-2.0
// Regular expressions as tokenizer.json holds them: Oniguruma's Ruby syntax (its doc/RE), run by
// PCRE2, which compiles them to machine code where it can.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/text_budget.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {

// Thread safety: immutable after construction; any number of threads.
class Regex {
 public:
  // Throws Error (file, key) for a pattern that does not compile or uses what is not supported.
  static Regex compile(std::string_view pattern, const std::string& file, const std::string& key);
  // A pattern that matches just this text.
  static Regex literal(std::string_view text);

  // Appends the matches from left to right, not overlapping; an empty one right behind another is
  // left out. `text` is valid UTF-8. Takes its steps from the budget; throws Error (file, key,
  // pattern, byte of the text) when none are left.
  void find(std::string_view text, std::vector<Span>& out, TextBudget& budget) const;

 private:
  struct Compiled;
  std::string literal_;
  std::shared_ptr<const Compiled> compiled_;
};

// The pattern in PCRE2's syntax with PCRE2_UTF, PCRE2_UCP and PCRE2_MULTILINE, meaning the same.
// Throws Error (file, key) for what has no such form.
std::string pcre2_pattern(std::string_view oniguruma, const std::string& file,
                          const std::string& key);

}  // namespace regard
