// SPDX-License-Identifier: Apache-2.0
// GGUF vocabularies against the ids that are published with them (llama.cpp, models/*.gguf.inp and
// .out), in the folder of large inputs that REGARD_TEST_DATA names.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "regard/checkpoint/gguf.h"
#include "regard/platform/error.h"
#include "regard/tokenizer/gguf_vocabulary.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int64_t> ids(const Encoding& encoding) {
  std::vector<std::int64_t> out;
  for (const Token& token : encoding.tokens) out.push_back(token.id);
  return out;
}

std::string error_of(const GgufVocabulary& vocabulary) {
  try {
    Tokenizer::from_gguf(vocabulary, "v.gguf");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class GgufData : public testing::TestWithParam<const char*> {};

TEST_P(GgufData, EveryTextHasThePublishedIds) {
  const char* data = std::getenv("REGARD_TEST_DATA");
  if (!data) GTEST_SKIP() << "REGARD_TEST_DATA names no folder";
  const std::string path =
      fmt::format("{}/tokenizer_tests/llama.cpp/ggml-vocab-{}.gguf", data, GetParam());
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const GgufFile file = GgufFile::open(path);
  const Tokenizer tokenizer = Tokenizer::from_gguf(read_gguf_vocabulary(file), path);
  std::string texts = read(path + ".inp");
  std::istringstream lines(read(path + ".out"));
  const std::string separator = "\n__ggml_vocab_test__\n";
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::size_t end = std::min(texts.find(separator), texts.size());
    const std::string text = texts.substr(0, end);
    texts.erase(0, std::min(end + separator.size(), texts.size()));
    std::vector<std::int64_t> expected;
    std::istringstream numbers(line);
    for (std::int64_t id = 0; numbers >> id;) expected.push_back(id);
    EXPECT_EQ(ids(tokenizer.encode_plain(text)), expected) << "text " << count << ": " << text;
  }
  EXPECT_GE(count, 40);
}

INSTANTIATE_TEST_SUITE_P(All, GgufData, testing::Values("gpt-2", "bert-bge"));

GgufVocabulary llama() {
  GgufVocabulary out;
  out.model = "llama";
  out.tokens = {"<unk>",  "<s>",    "</s>", "<0x61>",  "<0xC3>",
                "<0xA9>", "\u2581", "b",    "\u2581b", "bb"};
  out.scores = {0, 0, 0, 0, 0, 0, -5, -4, -2, -3};
  out.types = {2, 3, 3, 6, 6, 6, 1, 1, 1, 1};
  out.bos = 1;
  out.eos = 2;
  return out;
}

TEST(GgufLlama, JoinsByScoreAndFallsBackOnBytesWithTheirOwnSpans) {
  const Tokenizer tokenizer = Tokenizer::from_gguf(llama(), "v.gguf");
  // "\u2581bb": "\u2581b" has a higher score than "bb". \u00e9 is its two bytes.
  const Encoding encoding = tokenizer.encode("bb\u00e9");
  EXPECT_THAT(ids(encoding), ElementsAre(1, 8, 7, 4, 5));
  EXPECT_EQ(encoding.tokens[3].span, (Span{2, 3}));
  EXPECT_EQ(encoding.tokens[4].span, (Span{3, 4}));
}

TEST(GgufLlama, WithoutASpacePrefixPutsNoSpaceInFront) {
  GgufVocabulary vocabulary = llama();
  vocabulary.add_space_prefix = false;
  vocabulary.add_bos = false;
  vocabulary.add_eos = true;
  EXPECT_THAT(ids(Tokenizer::from_gguf(vocabulary, "v.gguf").encode("bb")), ElementsAre(9, 2));
}

TEST(GgufVocabularyErrors, NameTheKeyAndWhatIsSupported) {
  GgufVocabulary vocabulary = llama();
  vocabulary.model = "rwkv";
  EXPECT_THAT(error_of(vocabulary),
              AllOf(HasSubstr("v.gguf"), HasSubstr("tokenizer.ggml.model"), HasSubstr("gpt2")));
  vocabulary = llama();
  vocabulary.scores.pop_back();
  EXPECT_THAT(error_of(vocabulary), HasSubstr("tokenizer.ggml.scores"));
  for (const float score : {std::nanf(""), HUGE_VALF}) {
    vocabulary = llama();
    vocabulary.scores[7] = score;
    EXPECT_THAT(error_of(vocabulary), AllOf(HasSubstr("tokenizer.ggml.scores"), HasSubstr("at 7")));
  }
  vocabulary = llama();
  vocabulary.types.back() = 9;
  EXPECT_THAT(error_of(vocabulary), HasSubstr("tokenizer.ggml.token_type"));
  vocabulary = llama();
  vocabulary.bos = 10;
  EXPECT_THAT(error_of(vocabulary), HasSubstr("10"));
  vocabulary.model = "gpt2";
  vocabulary.bos = 1;
  vocabulary.pre = "unheard-of";
  EXPECT_THAT(error_of(vocabulary), AllOf(HasSubstr("tokenizer.ggml.pre"), HasSubstr("llama-bpe"),
                                          HasSubstr("unheard-of")));
  vocabulary.pre = "gpt-2";
  vocabulary.merges = {"b c"};
  EXPECT_THAT(error_of(vocabulary), AllOf(HasSubstr("tokenizer.ggml.merges"), HasSubstr("b c")));
}

TEST(GgufBert, CapitalsInThePiecesKeepTheCaseOfTexts) {
  GgufVocabulary vocabulary;
  vocabulary.model = "bert";
  vocabulary.tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581play", "ing", "\u2581Play"};
  vocabulary.types = {3, 3, 3, 3, 1, 1, 1};
  vocabulary.unknown = 1;
  vocabulary.cls = 2;
  vocabulary.separator = 3;
  EXPECT_THAT(ids(Tokenizer::from_gguf(vocabulary, "v.gguf").encode("Playing")),
              ElementsAre(2, 6, 5, 3));
  vocabulary.tokens.pop_back();
  vocabulary.types.pop_back();
  EXPECT_THAT(ids(Tokenizer::from_gguf(vocabulary, "v.gguf").encode("Playing")),
              ElementsAre(2, 4, 5, 3));
}

}  // namespace
}  // namespace regard
