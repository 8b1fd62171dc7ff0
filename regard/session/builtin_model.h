// SPDX-License-Identifier: Apache-2.0
// The model that the program carries: examples/lesson/model, put into the binary as it stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/model/model.h"
#include "regard/tokenizer/tokenizer.h"
#include "regard/trace/trace.h"

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

// A sentence of the lesson as it was attended to at a step of the training: examples/lesson/traces.
struct KeptCheckpoint {
  std::int64_t step = 0;
  std::optional<double> loss;  // of documents that were seen for the first time; none before step 1
  std::string run;             // which training, where it is not the one of the model; else empty
  Trace trace;                 // its arrays lie in the program
};
// By ascending step, each step with each sentence.
std::vector<KeptCheckpoint> builtin_checkpoints();

}  // namespace regard
