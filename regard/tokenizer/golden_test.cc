// SPDX-License-Identifier: Apache-2.0
// Every line of tests/golden/tokenizer against what Hugging Face's tokenizers library says of it
// (tools/make_tokenizer_golden.py tells the format).
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "regard/platform/json.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {
namespace {

const std::string kFolder = REGARD_SOURCE_DIR "/tests/golden/tokenizer/";

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string unescaped(const std::string& text) {
  const JsonDocument document = JsonDocument::parse("\"" + text + "\"", "lines.tsv");
  return std::string(document.root().string());
}

std::string as_golden(const Encoding& encoding) {
  std::string out;
  bool second = false;
  for (const Token& token : encoding.tokens) {
    if (!out.empty()) out += ' ';
    if (token.sequence == 1 && !second) out += "| ";
    second = second || token.sequence == 1;
    out += std::to_string(token.id) + "+" + std::to_string(token.type);
    if (token.sequence < 0) continue;
    out += ":" + std::to_string(token.span.start) + "-" + std::to_string(token.span.end);
  }
  return out;
}

void compare(const Tokenizer& tokenizer, const std::string& name) {
  const std::vector<std::string> cases = lines_of(kFolder + "lines.tsv");
  const std::vector<std::string> golden = lines_of(kFolder + name + ".golden");
  ASSERT_GE(cases.size(), 2000U);
  ASSERT_EQ(cases.size(), golden.size());
  int different = 0;
  for (std::size_t i = 0; i < cases.size() && different < 10; ++i) {
    const std::size_t tab = cases[i].find('\t');
    const std::string first = unescaped(cases[i].substr(0, tab));
    const Encoding encoding =
        tab == std::string::npos
            ? tokenizer.encode(first)
            : tokenizer.encode_pair(first, unescaped(cases[i].substr(tab + 1)));
    const std::string found = as_golden(encoding);
    EXPECT_EQ(found, golden[i]) << name << " line " << i + 1 << ": " << cases[i];
    different += found != golden[i];
  }
}

class TokenizerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, EveryLineHasTheIdsTypesAndBytesOfTheTokenizersLibrary) {
  compare(Tokenizer::open(kFolder + GetParam()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerGolden,
                         testing::Values("uncased", "cased", "no_chinese", "raw"));

TEST(MiniLmGolden, EveryLineHasTheIdsTypesAndBytesOfTheTokenizersLibrary) {
  const char* folder = std::getenv("REGARD_MINILM");
  if (!folder) GTEST_SKIP() << "REGARD_MINILM names no folder";
  compare(Tokenizer::open(folder), "minilm");
}

}  // namespace
}  // namespace regard
