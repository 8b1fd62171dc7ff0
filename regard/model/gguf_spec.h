// SPDX-License-Identifier: Apache-2.0
// A model from a GGUF file's metadata: put into the words of the config.json of the same
// architecture, read by its table, then given the names and layouts that GGUF has.
#pragma once

#include "regard/checkpoint/checkpoint.h"
#include "regard/model/model_spec.h"

namespace regard {

// REQUIRES: checkpoint.gguf(). Throws Error naming the key: an unknown architecture (listing the
// known ones), what read_model_spec refuses, or a key that may change the attention and is not
// known.
ModelSpec read_gguf_spec(const Checkpoint& checkpoint);

}  // namespace regard
