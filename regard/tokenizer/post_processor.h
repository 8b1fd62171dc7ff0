// SPDX-License-Identifier: Apache-2.0
// Where the special tokens go around one text or two, and the token types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace regard {

struct TemplateToken {
  std::int64_t id = 0;
  std::string text;
};

// One place of a template: a text (sequence 0 or 1) or special tokens (sequence -1).
struct TemplateItem {
  int sequence = -1;
  std::int64_t type = 0;
  std::vector<TemplateToken> tokens;
};

// Without items: the first text with type 0, the second with type 1.
struct PostProcessor {
  std::vector<TemplateItem> single = {{0, 0, {}}};
  std::vector<TemplateItem> pair = {{0, 0, {}}, {1, 1, {}}};
  // BERT's: [CLS] A [SEP] and [CLS] A [SEP] B [SEP], types 0 and, from B on, 1.
  static PostProcessor bert(const TemplateToken& cls, const TemplateToken& sep);
};

}  // namespace regard
