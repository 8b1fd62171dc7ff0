// SPDX-License-Identifier: Apache-2.0
// What happens to the pieces of one text or two in the end: special tokens around them, token
// types, spans without their spaces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "regard/tokenizer/tokenizer.h"

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

struct TemplateStep {
  std::vector<TemplateItem> single, pair;
  // BERT's: [CLS] A [SEP] and [CLS] A [SEP] B [SEP], types 0 and, from B on, 1.
  static TemplateStep bert(const TemplateToken& cls, const TemplateToken& sep);
  // RoBERTa's: <s> A </s> and <s> A </s> </s> B </s>, of type 0 all.
  static TemplateStep roberta(const TemplateToken& cls, const TemplateToken& sep);
  // prefix A suffix; for two texts prefix A suffix prefix B suffix, or with `once` prefix A B
  // suffix.
  static TemplateStep around(std::vector<TemplateToken> prefix, std::vector<TemplateToken> suffix,
                             bool once = false);
};

// Spans lose the spaces around their pieces (ByteLevel, RobertaProcessing).
struct TrimStep {
  bool add_prefix_space = true;
};

// Characters of white space, or its stand-in, that a piece begins and ends with.
struct Blanks {
  std::uint32_t leading = 0, trailing = 0;
};
Blanks blanks_of(std::string_view piece);

// The tokens of a text, and their blanks where a step asks for them.
struct CutText {
  std::string_view text;
  std::vector<Token> tokens;
  std::vector<Blanks> blanks;  // empty unless PostProcessor::trims()
};

// Steps in their order. Without any: the first text, of type 0, then the second, of type 1.
struct PostProcessor {
  std::vector<std::variant<TemplateStep, TrimStep>> steps;

  bool trims() const;
  // For one text or two. Special tokens are left out unless `special`.
  std::vector<Token> apply(std::vector<CutText> texts, bool special) const;
};

}  // namespace regard
