// SPDX-License-Identifier: Apache-2.0
// Reading and refusing files; expected ids by hand from the vocabularies below.
#include "regard/tokenizer/tokenizer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "regard/platform/error.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct Parts {
  std::string model = R"({"type": "WordPiece", "unk_token": "[UNK]",
    "continuing_subword_prefix": "##", "max_input_chars_per_word": 5,
    "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "play": 3, "##ing": 4, "##s": 5, ",": 6}})";
  std::string normalizer = R"({"type": "BertNormalizer", "clean_text": true,
    "handle_chinese_chars": true, "strip_accents": null, "lowercase": true})";
  std::string pre_tokenizer = R"({"type": "BertPreTokenizer"})";
  std::string post_processor =
      R"({"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]})";
  std::string added = R"([{"id": 2, "content": "[SEP]", "special": true, "single_word": false,
    "lstrip": false, "rstrip": false, "normalized": false}])";

  std::string json() const {
    return fmt::format(
        R"({{"version": "1.0", "truncation": {{"max_length": 2}}, "padding": {{"x": 1}},
        "added_tokens": {}, "normalizer": {}, "pre_tokenizer": {}, "post_processor": {},
        "model": {}}})",
        added, normalizer, pre_tokenizer, post_processor, model);
  }
  Tokenizer read() const { return Tokenizer::from_json(json(), "t.json"); }
  std::string error() const {
    try {
      read();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
};

std::vector<std::int64_t> ids(const Encoding& encoding) {
  std::vector<std::int64_t> out;
  for (const Token& token : encoding.tokens) out.push_back(token.id);
  return out;
}

TEST(Tokenizer, TruncationAndPaddingAreIgnored) {
  EXPECT_THAT(ids(Parts().read().encode("plays, plays, plays")),
              ElementsAre(1, 3, 5, 6, 3, 5, 6, 3, 5, 2));
}

TEST(Tokenizer, AWordLongerThanTheLimitIsUnknownAndNotSpecial) {
  const Encoding encoding = Parts().read().encode_plain("playing");
  ASSERT_EQ(encoding.tokens.size(), 1U);
  EXPECT_EQ(encoding.tokens[0].id, 0);
  EXPECT_EQ(encoding.tokens[0].span, (Span{0, 7}));
  EXPECT_FALSE(encoding.tokens[0].special);
}

TEST(Tokenizer, ASpecialTokenTypedInTheTextIsSpecialAndKeepsItsBytes) {
  const Encoding encoding = Parts().read().encode("play[SEP]");
  EXPECT_THAT(ids(encoding), ElementsAre(1, 3, 2, 2));
  EXPECT_TRUE(encoding.tokens[2].special);
  EXPECT_EQ(encoding.tokens[2].sequence, 0);
  EXPECT_EQ(encoding.tokens[2].span, (Span{4, 9}));
  EXPECT_EQ(encoding.tokens[3].sequence, -1);
}

TEST(Tokenizer, TellsItsPieces) {
  const Tokenizer tokenizer = Parts().read();
  EXPECT_EQ(tokenizer.vocabulary_size(), 7);
  EXPECT_EQ(tokenizer.piece(4), "##ing");
  EXPECT_EQ(tokenizer.piece(7), std::nullopt);
  EXPECT_EQ(tokenizer.piece(-1), std::nullopt);
  EXPECT_EQ(tokenizer.id("play"), 3);
  EXPECT_EQ(tokenizer.id("nothing"), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(2));
  EXPECT_FALSE(tokenizer.is_special(3));
}

TEST(Tokenizer, AnotherModelIsRefusedByName) {
  Parts parts;
  parts.model = R"({"type": "Bigram"})";
  EXPECT_THAT(parts.error(), AllOf(HasSubstr("t.json"), HasSubstr("model.type"),
                                   HasSubstr("WordPiece"), HasSubstr("Bigram")));
}

TEST(Tokenizer, AnotherNormalizerIsRefusedByName) {
  Parts parts;
  parts.normalizer = R"({"type": "Sequence", "normalizers": [{"type": "Rot13"}]})";
  EXPECT_THAT(parts.error(), AllOf(HasSubstr("normalizer.normalizers[0].type"),
                                   HasSubstr("BertNormalizer"), HasSubstr("Rot13")));
}

TEST(Tokenizer, AnotherPreTokenizerIsRefusedByName) {
  Parts parts;
  parts.pre_tokenizer = R"({"type": "Syllables"})";
  EXPECT_THAT(parts.error(), AllOf(HasSubstr("pre_tokenizer.type"), HasSubstr("BertPreTokenizer"),
                                   HasSubstr("Syllables")));
}

TEST(Tokenizer, AnotherPostProcessorIsRefusedByName) {
  Parts parts;
  parts.post_processor = R"({"type": "Footnotes"})";
  EXPECT_THAT(parts.error(),
              AllOf(HasSubstr("post_processor.type"), HasSubstr("TemplateProcessing"),
                    HasSubstr("BertProcessing"), HasSubstr("Footnotes")));
}

TEST(Tokenizer, AnAddedTokenWithAnotherIdThanTheVocabularysIsRefused) {
  Parts parts;
  parts.added = R"([{"id": 9, "content": "[SEP]", "special": true}])";
  EXPECT_THAT(parts.error(), AllOf(HasSubstr("added_tokens"), HasSubstr("9"), HasSubstr("2")));
}

TEST(Tokenizer, AnAddedTokenOutsideTheVocabularyHasTheNextId) {
  Parts parts;
  parts.added = R"([{"id": 7, "content": "<x>", "special": false, "normalized": false}])";
  EXPECT_THAT(ids(parts.read().encode("<x>")), ElementsAre(1, 7, 2));
  EXPECT_EQ(parts.read().vocabulary_size(), 8);
  parts.added = R"([{"id": 9, "content": "<x>", "special": false, "normalized": false}])";
  EXPECT_THAT(parts.error(), AllOf(HasSubstr("added_tokens"), HasSubstr("7"), HasSubstr("9")));
}

TEST(Tokenizer, AnIdBeyondReasonIsRefusedBeforeMemoryIsAsked) {
  Parts parts;
  parts.model = R"({"type": "WordPiece", "vocab": {"[UNK]": 4611686018427387904}})";
  EXPECT_THAT(parts.error(), HasSubstr("[UNK]"));
}

class TokenizerFolder : public testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ + "/" + name) << text;
  }
  TemporaryFolder own_;
  const std::string folder_ = own_.path().string();
};

TEST_F(TokenizerFolder, WithVocabTxtOnlyIsReadWithItsConfiguration) {
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nPlay\nplay\n##ing\n");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("Playing[MASK]")), ElementsAre(2, 6, 7, 4, 3));
  write("tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": null})");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("Playing")), ElementsAre(2, 5, 7, 3));
}

TEST_F(TokenizerFolder, WithABrokenTokenizerJsonIsAnErrorEvenBesideAGoodVocabTxt) {
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  write("tokenizer.json", "{");
  EXPECT_THROW(Tokenizer::open(folder_), Error);
}

TEST_F(TokenizerFolder, WithNeitherFileIsAnErrorAndNotPresent) {
  EXPECT_FALSE(Tokenizer::present(folder_));
  EXPECT_THROW(Tokenizer::open(folder_), Error);
}

TEST_F(TokenizerFolder, WithVocabTxtGivesANameThatIsNoLineTheNextId) {
  write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\nplay\n");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("play[PAD][MASK]")), ElementsAre(1, 3, 4, 5, 2));
}

TEST_F(TokenizerFolder, WithVocabJsonAndMergesIsByteLevelBpe) {
  write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "\u0120": 3, "\u0120ab": 4, "c": 5,
                          "<|endoftext|>": 6})");
  write("merges.txt", "#version: 0.2\na b\n\u0120 ab\n");
  EXPECT_THAT(ids(Tokenizer::open(folder_).encode("ab abc<|endoftext|>")), ElementsAre(2, 4, 5, 6));
  write("merges.txt", "a b\na c\n");
  try {
    Tokenizer::open(folder_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("merges.txt"), HasSubstr("line 2"), HasSubstr("ac")));
  }
}

std::string golden(const std::string& name) {
  return REGARD_SOURCE_DIR "/tests/golden/tokenizer/" + name;
}

TEST(TokenizerSpans, OfByteLevelPiecesAreTheirBytesAndCoverTheText) {
  for (const char* name : {"gpt2", "llama3", "falcon"}) {
    const std::string text = "I\u00e9 \U0001F600x\u0939\u093f  \u4e2d 12";
    std::size_t at = 0;
    for (const Token& token : Tokenizer::open(golden(name)).encode_plain(text).tokens) {
      // llama3 trims the space in front of a piece off its span.
      while (at < token.span.start && text[at] == ' ') ++at;
      EXPECT_EQ(token.span.start, at) << name;
      at = token.span.end;
    }
    EXPECT_EQ(at, text.size()) << name;
  }
}

TEST(TokenizerSpans, OfByteFallbackAreSingleBytesInBpeAndInUnigram) {
  for (const char* name : {"llama2", "unigram_bytes"}) {
    const Encoding encoding = Tokenizer::open(golden(name)).encode_plain("\U00012345");
    std::size_t at = 0;
    for (const Token& token : encoding.tokens) {
      if (!token.text.starts_with("<0x")) continue;
      EXPECT_EQ(token.span, (Span{at, at + 1})) << name;
      ++at;
    }
    EXPECT_EQ(at, 4U) << name;
  }
}

// What the tokenizers library says of this file.
TEST(TokenizerSpans, OfAnUnknownPieceOfUnigramAreTrimmedByTheTextItStandsFor) {
  const Tokenizer tokenizer = Tokenizer::from_json(
      R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["?", 0.0], ["a", -1.0]]},
          "post_processor": {"type": "ByteLevel", "add_prefix_space": false,
                             "trim_offsets": true, "use_regex": true}})",
      "tokenizer.json");
  std::vector<std::array<std::int64_t, 3>> found;
  for (const Token& token : tokenizer.encode("a  a bb").tokens) {
    found.push_back({token.id, static_cast<std::int64_t>(token.span.start),
                     static_cast<std::int64_t>(token.span.end)});
  }
  EXPECT_THAT(found, ElementsAre(ElementsAre(1, 0, 1), ElementsAre(0, 3, 3), ElementsAre(1, 3, 4),
                                 ElementsAre(0, 5, 7)));
}

TEST(TokenizerSpans, AWordOfAMegabyteIsCut) {
  const std::string word(std::size_t{1} << 20, 'a');
  for (const char* name : {"gpt2", "llama2", "t5", "uncased", "bpe_prefix", "word_level"}) {
    const Encoding encoding = Tokenizer::open(golden(name)).encode_plain(word);
    ASSERT_FALSE(encoding.tokens.empty()) << name;
    EXPECT_EQ(encoding.tokens.back().span.end, word.size()) << name;
  }
}

TEST(Tokenizer, ATextThatIsNotUtf8IsRefused) {
  EXPECT_THROW(Parts().read().encode("play\xff"), Error);
}

// Calls read(bytes) for every file of the corpus. Files called good_ must be read, those called
// bad_ refused with an Error.
template <typename Read>
void replay(const std::string& corpus, const Read& read) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(REGARD_SOURCE_DIR "/fuzz/corpus/" + corpus)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    const std::string name = entry.path().filename();
    EXPECT_TRUE(name.starts_with("good_") || name.starts_with("bad_")) << name;
    try {
      read(text.str());
      EXPECT_FALSE(name.starts_with("bad_")) << name;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("input"));
      EXPECT_FALSE(name.starts_with("good_")) << name << ": " << error.what();
    }
    ++files;
  }
  EXPECT_GE(files, 15);
}

std::string rich_text() {
  return "a b A[SEP] \u0301 a  caf\u00e9 e\u0301\u0323, \u4e2d\u6587 \uac00 \u0130x <t> "
         "\U0001F468\u200d\U0001F469 \u0939\u093f \u0661\u2167\u00b2 \ufb01\t\r\n" +
         std::string(300, ' ') + std::string(300, 'x') + "ab";
}

TEST(TokenizerFuzz, EveryRegressionFileIsReadOrRefusedWithAnError) {
  replay("tokenizer", [](const std::string& json) {
    const Tokenizer tokenizer = Tokenizer::from_json(json, "input");
    tokenizer.encode(rich_text());
  });
}

TEST(SentencePieceFuzz, EveryRegressionFileIsReadOrRefusedWithAnError) {
  replay("sentencepiece", [](const std::string& bytes) {
    Tokenizer::from_sentencepiece(bytes, "input").encode(" a  <t>e\u4e2d un");
  });
}

}  // namespace
}  // namespace regard
