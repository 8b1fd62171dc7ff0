// SPDX-License-Identifier: Apache-2.0
// What the names of tokenizer.ggml.pre stand for.
#pragma once

#include <string>
#include <string_view>

#include "regard/tokenizer/tokenizer_state.h"

namespace regard {

// Fills in the normalisers and pre-tokenisers of the models that the name was given for, as their
// own tokenizer.json has them; returns whether a word that is a piece is left whole. Throws Error
// (file, tokenizer.ggml.pre) for a name that is not known.
bool apply_gguf_pattern(std::string_view pre, const std::string& file, TokenizerParts& parts);

}  // namespace regard
