// SPDX-License-Identifier: Apache-2.0
// GPT-2's pattern (its src/encoder.py) as a loop.
#pragma once

#include <string_view>
#include <vector>

#include "regard/tokenizer/tokenizer.h"

namespace regard {

// Appends what 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// matches in text[stretch], which it covers whole. `text` is valid UTF-8.
void split_gpt2(std::string_view text, Span stretch, std::vector<Span>& out);

}  // namespace regard
