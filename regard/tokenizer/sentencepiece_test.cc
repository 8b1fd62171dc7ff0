// SPDX-License-Identifier: Apache-2.0
// SentencePiece models against what the sentencepiece package (0.2.3) says of them, and the ids
// that transformers (5.23) gives their pieces.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "regard/platform/error.h"
#include "regard/platform/testing.h"
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

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(SentencePieceData, EveryLineOfABookHasTheIdsOfSentencePiece) {
  const char* data = std::getenv("REGARD_TEST_DATA");
  if (!data) GTEST_SKIP() << "REGARD_TEST_DATA names no folder";
  const std::string folder = std::string(data) + "/tokenizer_tests/sentencepiece/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const Tokenizer tokenizer =
      Tokenizer::from_sentencepiece(read(folder + "test_model.model"), "test_model.model");
  EXPECT_THAT(ids(tokenizer.encode("I saw a girl with a telescope.")),
              ElementsAre(9, 459, 11, 939, 44, 11, 4, 142, 82, 8, 28, 21, 132, 6));
  // FNV-1a of all ids, lines apart by a line break, ids by a space.
  const std::string text = read(folder + "botchan.txt");
  std::uint64_t digest = 14695981039346656037U;
  std::size_t tokens = 0, lines = 0;
  const auto add = [&](std::string_view part) {
    for (const char c : part) digest = (digest ^ static_cast<unsigned char>(c)) * 1099511628211U;
  };
  for (std::size_t at = 0; at <= text.size(); ++lines) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (lines > 0) add("\n");
    const auto line = ids(tokenizer.encode(std::string_view(text).substr(at, end - at)));
    add(fmt::format("{}", fmt::join(line, " ")));
    tokens += line.size();
    at = end + 1;
  }
  EXPECT_EQ(lines, 4289U);
  EXPECT_EQ(tokens, 95515U);
  EXPECT_EQ(digest, 0x6a25a9b19dbf3df7U);
}

// A small unigram model: <unk>, <s>, </s>, `word`, "b", "\u2581".
std::string small_model(const std::string& word = "\u2581a") {
  const auto field = [](int number, const std::string& value) {
    return std::string(1, static_cast<char>(number << 3 | 2)) +
           std::string(1, static_cast<char>(value.size())) + value;
  };
  const auto piece = [&](const std::string& text, char type) {
    return field(1, field(1, text) + std::string("\x15\0\0\x80\xbf", 5) + "\x18" + type);
  };
  return piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + piece(word, 1) + piece("b", 1) +
         piece("\u2581", 1);
}

class SentencePieceFolder : public testing::Test {
 protected:
  void SetUp() override { write("spiece.model", small_model()); }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  void configure(const std::string& name) const {
    write("tokenizer_config.json", R"({"tokenizer_class": ")" + name + "\"}");
  }
  TemporaryFolder own_;
  const std::string folder_ = own_.path().string();
};

TEST_F(SentencePieceFolder, WithoutAClassIsCutAsSentencePieceDoes) {
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("  ab  b ")), ElementsAre(3, 4, 5, 4));
}

TEST_F(SentencePieceFolder, OfT5HasItsExtraIdsBehindThePiecesInReverse) {
  configure("T5Tokenizer");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab<extra_id_0><extra_id_99>")),
              ElementsAre(3, 4, 105, 6, 2));
}

TEST_F(SentencePieceFolder, OfXlmRobertaHasFairseqsIds) {
  configure("XLMRobertaTokenizerFast");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab<mask>")), ElementsAre(0, 4, 5, 7, 2));
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode_pair("a", "a")), ElementsAre(0, 4, 2, 2, 4, 2));
}

TEST_F(SentencePieceFolder, OfAnotherClassIsRefusedWithTheClassesThatAreRead) {
  configure("ReformerTokenizer");
  try {
    Tokenizer::open(folder_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("tokenizer_class"), HasSubstr("LlamaTokenizer"),
                                    HasSubstr("ReformerTokenizer")));
  }
}

// The model_type's class, as in folders that are published without one.
TEST_F(SentencePieceFolder, WithoutAClassIsReadAsTheModelOfItsConfiguration) {
  write("config.json", R"({"model_type": "mt5"})");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab")), ElementsAre(3, 4, 2));
  write("config.json", R"({"model_type": "mt5", "tokenizer_class": "XLMRobertaTokenizer"})");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab")), ElementsAre(0, 4, 5, 2));
  configure("T5Tokenizer");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab")), ElementsAre(3, 4, 2));
  write("tokenizer_config.json", R"({"source_lang": "en", "target_lang": "de"})");
  write("config.json", R"({"model_type": "marian"})");
  write("vocab.json", R"({"</s>": 0, "<unk>": 1, "b": 2, "\u2581a": 7})");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab")), ElementsAre(7, 2, 0));
  for (const char* type : {"pegasus", "reformer"}) {
    write("config.json", R"({"model_type": ")" + std::string(type) + "\"}");
    EXPECT_THROW(Tokenizer::open(folder_), Error) << type;
  }
}

TEST_F(SentencePieceFolder, OfDebertaV2HasItsSpecialTokensBehindThePieces) {
  std::filesystem::rename(folder_ + "/spiece.model", folder_ + "/spm.model");
  write("config.json", R"({"model_type": "deberta-v2"})");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab")), ElementsAre(6, 3, 4, 7));
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode_pair("a", "a[MASK]")),
              ElementsAre(6, 3, 7, 3, 10, 7));
}

// transformers 5.23, AutoTokenizer on a folder with this file alone beside config.json.
TEST(SentencePieceData, OfDebertaV2HasTheIdsOfTransformers) {
  const char* data = std::getenv("REGARD_TEST_DATA");
  if (!data) GTEST_SKIP() << "REGARD_TEST_DATA names no folder";
  const std::string model = std::string(data) + "/tokenizer_tests/sentencepiece/test_model.model";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << model << " is not there";
  const TemporaryFolder folder;
  std::filesystem::create_symlink(model, folder.path() / "spm.model");
  std::ofstream(folder.path() / "config.json") << R"({"model_type": "deberta-v2"})";
  EXPECT_THAT(ids(Tokenizer::open(folder.path().string())
                      .encode("I saw a girl, with  two telescopes!\nEnd. 42")),
              ElementsAre(1000, 9, 459, 11, 939, 5, 44, 213, 4, 142, 82, 8, 28, 279, 117, 147, 4,
                          120, 24, 17, 6, 4, 0, 596, 1001));
}

TEST_F(SentencePieceFolder, OfMarianHasTheIdsOfItsVocabulary) {
  std::filesystem::rename(folder_ + "/spiece.model", folder_ + "/source.spm");
  configure("MarianTokenizer");
  write("vocab.json", R"({"</s>": 0, "<unk>": 1, "b": 2, "\u2581a": 7, ">>de<<": 9})");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode(">>de<<ab b")), ElementsAre(9, 7, 2, 1, 2, 0));
}

TEST_F(SentencePieceFolder, OfMarianCutsTheTargetByAModelOfItsOwn) {
  configure("MarianTokenizer");
  write("vocab.json", R"({"</s>": 0, "<unk>": 1, "b": 2, "\u2581a": 7, "\u2581ab": 8})");
  std::filesystem::rename(folder_ + "/spiece.model", folder_ + "/source.spm");
  EXPECT_THAT(ids(Tokenizer::open_target(folder_).encode("ab")), ElementsAre(7, 2, 0));
  write("target.spm", small_model("\u2581ab"));
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab")), ElementsAre(7, 2, 0));
  const Tokenizer target = Tokenizer::open_target(folder_);
  EXPECT_THAT(ids(target.encode("ab b")), ElementsAre(8, 1, 2, 0));
  EXPECT_EQ(target.decode({8, 2, 8, 0}, true), "abb ab");
  EXPECT_EQ(target.decode({8, 0}, false), "ab</s>");
}

// transformers 5.23 gives these ids with either value of either flag.
TEST(TokenizerJson, AloneDecidesWhatStandsAroundATextWhateverTheFlagsSay) {
  const TemporaryFolder folder;
  std::filesystem::copy_file(
      std::string(REGARD_SOURCE_DIR) + "/tests/golden/tokenizer/llama2/tokenizer.json",
      folder.path() / "tokenizer.json");
  std::ofstream(folder.path() / "config.json") << R"({"model_type": "llama"})";
  for (const char* flags : {"", R"(, "add_bos_token": true)", R"(, "add_bos_token": false)",
                            R"(, "add_bos_token": true, "add_eos_token": true)"}) {
    std::ofstream(folder.path() / "tokenizer_config.json")
        << R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>")"
        << flags << "}";
    EXPECT_THAT(ids(Tokenizer::open(folder.path().string()).encode("a b")),
                ElementsAre(0, 511, 512))
        << flags;
  }
}

TEST_F(SentencePieceFolder, WithABrokenTokenizerJsonIsAnError) {
  write("tokenizer.json", "{");
  EXPECT_THROW(Tokenizer::open(folder_), Error);
}

}  // namespace
}  // namespace regard
