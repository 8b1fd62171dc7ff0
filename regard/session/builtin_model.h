// SPDX-License-Identifier: Apache-2.0
// The model that the program carries: examples/lesson/model, put into the binary as it stands.
#pragma once

#include <cstdint>
#include <string_view>

#include "regard/model/model.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {

// Its name for --model, and what stands for a path where it is.
inline constexpr std::string_view kBuiltinModel = "lesson";

// Nothing is copied: the weights lie in the program. untrained: as Model::open().
// Thread safety: any number of threads.
Model open_builtin_model(bool untrained = false);
ModelSpec builtin_model_spec();
Tokenizer open_builtin_tokenizer();
std::string_view builtin_model_notes();  // the text of its regard.json
std::int64_t builtin_model_bytes();

}  // namespace regard
