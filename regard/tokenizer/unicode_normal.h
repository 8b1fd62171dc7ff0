// SPDX-License-Identifier: Apache-2.0
// The four normal forms of Unicode (UAX #15) with origins, as the tokenizers library has them.
#pragma once

#include "regard/tokenizer/normal_text.h"

namespace regard {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

void to_normal_form(NormalText& text, NormalForm form);

}  // namespace regard
