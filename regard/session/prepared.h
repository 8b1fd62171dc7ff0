// SPDX-License-Identifier: Apache-2.0
// A run before its forward pass. Private to this floor.
#pragma once

#include "regard/session/session.h"

namespace regard {

// The token of an id as it is: its piece, or "#id" without a tokenizer.
Token token_of(std::int64_t id, const Tokenizer* tokenizer);

// What run() and record() have in common: the text encoded and cut, the model's input, the layers
// to record (all when empty).
struct Session::Prepared {
  Trace trace;
  ModelInput input;
  std::shared_ptr<const Model> model;
  std::vector<int> layers;
  Generated generated;
  // The stack whose attention is recorded.
  const StackSpec& stack() const {
    const ModelSpec& spec = model->spec();
    return spec.decoder && input.kind != AttentionKind::kEncoder ? *spec.decoder : spec;
  }
};

}  // namespace regard
