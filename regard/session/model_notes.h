// SPDX-License-Identifier: Apache-2.0
// regard.json, which may lie in a model's folder: what its makers say about looking at it.
//   {"default_heads": ["L0H1", "L1H3"], "why": "...", "made_for": "..."}
// default_heads: the view when nobody names a head, one head or the mean of several; why: how they
// were chosen. made_for: the texts that it knows, when these are of few words; a word that is not
// whole in the vocabulary is then said to be unknown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "regard/trace/trace.h"

namespace regard {

// Thread safety: a plain value.
struct ModelNotes {
  std::vector<HeadId> default_heads;
  std::string why, made_for;
};

// Throws Error naming `file` and the key.
ModelNotes read_model_notes(std::string_view json, const std::string& file);

// Which of the trace's words the vocabulary does not have whole, as notes: the words, and when they
// are more than a third, that the model is not made for such a text. Nothing when there is none.
std::vector<std::string> note_unknown_words(const Trace& trace, const ModelNotes& notes);

}  // namespace regard
