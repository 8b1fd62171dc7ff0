// SPDX-License-Identifier: Apache-2.0
#include "regard/tokenizer/text_budget.h"

#include <fmt/format.h>

#include "regard/platform/error.h"

namespace regard {

void TextBudget::demand(std::size_t bytes) const {
  if (bytes <= bytes_) return;
  throw Error::at(file_, "normalizer",
                  fmt::format("no text that grows to more than {} bytes", bytes_),
                  fmt::format("{} or more", bytes));
}

void TextBudget::spend(std::size_t bytes) {
  demand(bytes);
  bytes_ -= bytes;
}

}  // namespace regard
