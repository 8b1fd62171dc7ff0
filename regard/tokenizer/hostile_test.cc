// SPDX-License-Identifier: Apache-2.0
// Files that are made to be slow, to grow or to be ambiguous. What the library makes of them comes
// from tokenizers 0.23.3; a hang is what the test's time limit is for.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "regard/platform/error.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t kLong = 200'000;
const std::string kWords = R"({"type": "WordLevel", "unk_token": "u", "vocab": {"u": 0, "a": 1,
  "b": 2}})";

std::string file_of(const std::string& model, const std::string& rest = "") {
  return fmt::format(R"({{"version": "1.0", "model": {}{}}})", model, rest);
}

std::vector<std::int64_t> ids_of(const std::string& file, const std::string& text) {
  std::vector<std::int64_t> out;
  for (const Token& token : Tokenizer::from_json(file, "t.json").encode(text).tokens) {
    out.push_back(token.id);
  }
  return out;
}

std::string error_of(const std::string& file, const std::string& text) {
  try {
    ids_of(file, text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Hostile, AddedTokensOfAThousandLengthsTakeTimeLinearInTheText) {
  std::string added;
  for (int i = 0; i < 1000; ++i) {
    added +=
        fmt::format(R"({}{{"id": {}, "content": "{}b", "normalized": false}})", i > 0 ? ", " : "",
                    i + 3, std::string(static_cast<std::size_t>(i) + 1, 'a'));
  }
  const std::string file = file_of(kWords, ", \"added_tokens\": [" + added + "]");
  EXPECT_THAT(ids_of(file, std::string(kLong, 'a')), ElementsAre(0));
  EXPECT_THAT(ids_of(file, "aaabab"), ElementsAre(5, 3));
}

TEST(Hostile, OneLongPieceDoesNotSlowAUnigramDown) {
  const std::string file = file_of(fmt::format(
      R"({{"type": "Unigram", "unk_id": 0, "vocab": [["u", 0], ["a", -1], ["{}b", -2]]}})",
      std::string(kLong, 'a')));
  EXPECT_EQ(ids_of(file, std::string(kLong, 'a')).size(), kLong);
  EXPECT_THAT(ids_of(file, std::string(kLong + 2, 'a') + "ba"), ElementsAre(1, 1, 2, 1));
}

TEST(Hostile, OneLongPieceDoesNotSlowAWordPieceDown) {
  const std::string file = file_of(fmt::format(
      R"({{"type": "WordPiece", "unk_token": "u", "max_input_chars_per_word": 1000000,
           "vocab": {{"u": 0, "a": 1, "##a": 2, "##{0}b": 3, "c{0}": 4}}}})",
      std::string(kLong, 'a')));
  EXPECT_EQ(ids_of(file, std::string(kLong, 'a')).size(), kLong);
  EXPECT_THAT(ids_of(file, std::string(kLong + 2, 'a') + "ba"), ElementsAre(1, 2, 3, 2));
  EXPECT_THAT(ids_of(file, "c" + std::string(kLong + 1, 'a')), ElementsAre(4, 2));
}

TEST(Hostile, SpacesThatAnAddedTokenStripsAreLookedAtOnce) {
  const std::string file = file_of(kWords, R"(, "added_tokens": [{"id": 3, "content": " ",
      "lstrip": true, "rstrip": true, "normalized": false}])");
  EXPECT_FALSE(ids_of(file, std::string(kLong, ' ')).empty());
}

TEST(Hostile, ATextThatGrowsWithoutBoundIsAnError) {
  const std::string replace =
      fmt::format(R"({{"type": "Replace", "pattern": {{"String": "a"}}, "content": "{}"}})",
                  std::string(1000, 'a'));
  EXPECT_THAT(
      error_of(
          file_of(kWords,
                  fmt::format(
                      R"(, "normalizer": {{"type": "Sequence", "normalizers": [{0}, {0}, {0}]}})",
                      replace)),
          std::string(1000, 'a')),
      AllOf(HasSubstr("t.json"), HasSubstr("normalizer"), HasSubstr("grows")));
  EXPECT_THAT(
      error_of(
          file_of(kWords, fmt::format(R"(, "normalizer": {{"type": "Prepend", "prepend": "{}"}})",
                                      std::string(2'000'000, 'a'))),
          "a"),
      HasSubstr("grows"));
}

TEST(Hostile, ATemplateOfVeryManyTokensIsAnError) {
  std::string ids = "0", names = "\"u\"", items;
  for (int i = 1; i < 1000; ++i) {
    ids += ", 0";
    names += ", \"u\"";
  }
  for (int i = 0; i < 1000; ++i) items += R"(, {"SpecialToken": {"id": "s", "type_id": 0}})";
  EXPECT_THAT(error_of(file_of(kWords, fmt::format(
                                           R"(, "post_processor": {{"type": "TemplateProcessing",
           "single": [{{"Sequence": {{"id": "A", "type_id": 0}}}}{}],
           "pair": [{{"Sequence": {{"id": "A", "type_id": 0}}}},
                    {{"Sequence": {{"id": "B", "type_id": 1}}}}],
           "special_tokens": {{"s": {{"id": "s", "ids": [{}], "tokens": [{}]}}}}}})",
                                           items, ids, names)),
                       "a"),
              AllOf(HasSubstr("post_processor.single"), HasSubstr("65536")));
}

TEST(Hostile, ASecondProcessorThatAddsTokensIsAnError) {
  const std::string bert = R"({"type": "BertProcessing", "sep": ["s", 1], "cls": ["c", 2]})";
  EXPECT_THAT(
      error_of(
          file_of(
              kWords,
              fmt::format(R"(, "post_processor": {{"type": "Sequence", "processors": [{0}, {0}]}})",
                          bert)),
          "a"),
      AllOf(HasSubstr("post_processor.processors[1].type"), HasSubstr("one processor")));
}

TEST(Hostile, AMatchThatTakesVeryManyStepsIsAnErrorThatNamesPatternAndPlace) {
  for (const char* pattern : {"(x+x+)+y", "(?:x|y)*[!z]"}) {
    const std::string file =
        file_of(kWords, fmt::format(
                            R"(, "pre_tokenizer": {{"type": "Split", "pattern": {{"Regex": "{}"}},
             "behavior": "Isolated"}})",
                            pattern));
    EXPECT_THAT(error_of(file, std::string(100'000, 'x') + "-y"),
                AllOf(HasSubstr("t.json"), HasSubstr("pattern.Regex"), HasSubstr(pattern),
                      HasSubstr("of 100002")));
  }
}

TEST(AsInTheLibrary, APieceOfAUnigramThatComesTwiceCountsTwiceForTheIdsOfAddedTokens) {
  const std::string file = file_of(
      R"({"type": "Unigram", "unk_id": 0, "vocab": [["u", 0], ["a", -1], ["a", -2], ["b", -3],
          ["A", -1]]})",
      R"(, "added_tokens": [{"id": 5, "content": "B", "normalized": false}])");
  EXPECT_THAT(ids_of(file, "aA bB"), ElementsAre(2, 4, 0, 3, 5));
}

TEST(AsInTheLibrary, AnAddedTokenWithoutContentOrThatIsNormalisedAwayIsNeverFound) {
  EXPECT_THAT(ids_of(file_of(kWords, R"(, "added_tokens": [{"id": 3, "content": ""}])"), "a"),
              ElementsAre(1));
  EXPECT_THAT(ids_of(file_of(kWords, R"(, "normalizer": {"type": "StripAccents"},
      "added_tokens": [{"id": 3, "content": "\u0301", "normalized": true}])"),
                     "a"),
              ElementsAre(1));
}

TEST(AsInTheLibrary, OfTwoAddedTokensWithOneIdTheLaterIsFound) {
  EXPECT_THAT(ids_of(file_of(R"({"type": "WordLevel", "unk_token": "u",
      "vocab": {"u": 0, "a": 1, "aa": 1}})",
                             R"(, "added_tokens": [
      {"id": 1, "content": "a", "normalized": false},
      {"id": 1, "content": "aa", "normalized": false}])"),
                     "aaa b"),
              ElementsAre(1, 0));
}

TEST(AsInTheLibrary, OfAddedTokensThatNormaliseToTheSameOneIsFound) {
  // The library takes either, by chance; here it is the first.
  EXPECT_THAT(ids_of(file_of(kWords, R"(, "normalizer": {"type": "Lowercase"}, "added_tokens": [
      {"id": 3, "content": "BB", "normalized": true},
      {"id": 4, "content": "bB", "normalized": true}])"),
                     "bb"),
              ElementsAre(3));
}

TEST(AsInTheLibrary, ThereIsNoAppend) {
  EXPECT_THAT(
      error_of(file_of(kWords, R"(, "normalizer": {"type": "Append", "append": "x"})"), "a"),
      AllOf(HasSubstr("normalizer.type"), HasSubstr("Append")));
}

}  // namespace
}  // namespace regard
