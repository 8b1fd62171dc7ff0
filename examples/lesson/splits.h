// SPDX-License-Identifier: Apache-2.0
// Which documents belong to training, validation and each test. Of ten shares of the pairs
// (subject, object) and (antecedent, property) the tests have one, validation has one, training the
// others; both pairs of a document lie in one split. No document of any split holds two of the
// lesson's words animal, street and tired or wide.
// Thread safety: plain values.
#pragma once

#include <vector>

#include "grammar.h"

namespace regard::lesson {

enum class Share { kTest, kValidation, kTraining };

struct Split {
  const char* name;
  Share share;
  Style style;
};

// train; seen (as train, in the form of the tests); validation; combinations; clauses (unseen
// types); distractors (of the antecedent's class and pronoun); far (23 to 40 words apart); and the
// last three of validation, as validation-clauses and so on.
std::vector<Split> splits();

// Whether the document may stand in the split. Ordinary sentences may stand anywhere.
bool fits(const Document& document, const Split& split);

}  // namespace regard::lesson
