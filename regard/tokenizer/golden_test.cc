// SPDX-License-Identifier: Apache-2.0
// Every line of tests/golden/tokenizer against what Hugging Face's tokenizers library says of it
// (tools/make_tokenizer_golden.py tells the format).
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/golden_lines.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {
namespace {

// The span rounded outwards to whole characters.
Span whole_characters(std::string_view text, Span span) {
  const auto inside = [&](std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  while (span.start > 0 && inside(span.start)) --span.start;
  while (inside(span.end)) ++span.end;
  return span;
}

std::string as_golden(const Encoding& encoding, const std::vector<std::string>& texts,
                      bool bytes_without_spans) {
  std::string out;
  bool second = false;
  for (const Token& token : encoding.tokens) {
    if (!out.empty()) out += ' ';
    if (token.sequence == 1 && !second) out += "| ";
    second = second || token.sequence == 1;
    out += std::to_string(token.id) + "+" + std::to_string(token.type);
    if (token.sequence < 0 || (bytes_without_spans && token.text.starts_with("<0x"))) continue;
    const Span span = whole_characters(texts[static_cast<std::size_t>(token.sequence)], token.span);
    out += ":" + std::to_string(span.start) + "-" + std::to_string(span.end);
  }
  return out;
}

void compare(const Tokenizer& tokenizer, const std::string& name) {
  const std::vector<std::string> cases = golden_lines(golden_folder() + "lines.tsv");
  const std::vector<std::string> golden = golden_lines(golden_folder() + name + ".golden");
  ASSERT_GE(cases.size(), 5000U);
  ASSERT_EQ(cases.size(), golden.size());
  int different = 0;
  for (std::size_t i = 0; i < cases.size() && different < 10; ++i) {
    const std::vector<std::string> texts = golden_texts(cases[i]);
    const std::string found = as_golden(
        texts.size() == 1 ? tokenizer.encode(texts[0]) : tokenizer.encode_pair(texts[0], texts[1]),
        texts, name == "unigram_bytes");
    EXPECT_EQ(golden_digest(found), golden[i])
        << name << " line " << i + 1 << ": " << cases[i] << "\nfound " << found;
    different += golden_digest(found) != golden[i];
  }
}

class TokenizerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, EveryLineHasTheIdsTypesAndBytesOfTheTokenizersLibrary) {
  compare(Tokenizer::open(golden_folder() + GetParam()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerGolden,
                         testing::Values("uncased", "cased", "no_chinese", "raw", "gpt2", "roberta",
                                         "llama3", "qwen2", "gpt4o", "starcoder", "falcon",
                                         "byte_normalizer", "llama2", "gemma", "clip", "bpe_prefix",
                                         "bpe_no_unknown", "word_level", "fixed", "t5", "xlmr",
                                         "albert", "scripts", "unigram_bytes", "llama_model",
                                         "llama_flags", "llama_no_prefix", "code_llama",
                                         "gemma_model"),
                         [](const auto& test) { return std::string(test.param); });

TEST(MiniLmGolden, EveryLineHasTheIdsTypesAndBytesOfTheTokenizersLibrary) {
  const char* folder = std::getenv("REGARD_MINILM");
  if (!folder) GTEST_SKIP() << "REGARD_MINILM names no folder";
  compare(Tokenizer::open(folder), "minilm");
}

}  // namespace
}  // namespace regard
