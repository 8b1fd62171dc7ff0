// SPDX-License-Identifier: Apache-2.0
// What one text may cost on its way through a tokenizer, so that a file made to be slow or to grow
// is an Error and not a hang.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace regard {

// Thread safety: one thread at a time.
class TextBudget {
 public:
  // `file` is named in errors and outlives this.
  TextBudget(std::size_t text_size, const std::string& file)
      : steps(500'000'000 + 1'000 * std::uint64_t{text_size}),
        file_(file),
        bytes_((std::size_t{1} << 20) + 32 * text_size) {}

  // Throws Error when a stretch would have more bytes once normalised than are left for the text.
  void demand(std::size_t bytes) const;
  // The same; they are spent.
  void spend(std::size_t bytes);

  std::uint64_t steps;  // of regular expressions, as PCRE2 counts them

 private:
  const std::string& file_;
  std::size_t bytes_;
};

}  // namespace regard
