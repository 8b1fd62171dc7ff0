// SPDX-License-Identifier: Apache-2.0
// Expected segments by the rules of UAX #29.
#include "regard/tokenizer/segment.h"

#include <gmock/gmock.h>

#include <string>

namespace regard {
namespace {

std::vector<std::string> cut(std::string_view text, const std::vector<Span>& spans) {
  std::vector<std::string> out;
  for (const Span span : spans) out.emplace_back(text.substr(span.start, span.end - span.start));
  return out;
}

TEST(Words, AnApostropheInsideAWordStaysInItAndAFullStopStandsApart) {
  const std::string_view text = "It didn't stop.";
  EXPECT_THAT(cut(text, words(text)), testing::ElementsAre("It", "didn't", "stop", "."));
}

TEST(Words, WhiteSpaceAndControlCharactersAreLeftOut) {
  const std::string_view text = "\t a\n\x01\xC2\xA0  b ";
  EXPECT_THAT(cut(text, words(text)), testing::ElementsAre("a", "b"));
}

TEST(Words, AnEmptyTextHasNone) {
  EXPECT_TRUE(words("").empty());
  EXPECT_TRUE(sentences("").empty());
}

TEST(Words, SpansAreInBytes) {
  const std::string_view text = "\u00e9t\u00e9, 3.5";
  EXPECT_THAT(words(text), testing::ElementsAre(Span{0, 5}, Span{5, 6}, Span{7, 10}));
}

TEST(Words, AnEmojiSequenceIsOne) {
  const std::string_view text = "\U0001F469\u200D\U0001F680!";
  EXPECT_THAT(words(text), testing::ElementsAre(Span{0, 11}, Span{11, 12}));
}

TEST(Sentences, AreTrimmedOfTheSpaceAround) {
  const std::string_view text = "  One went. Two came?\n\nThree ";
  EXPECT_THAT(cut(text, sentences(text)), testing::ElementsAre("One went.", "Two came?", "Three"));
}

TEST(IsWordlike, LettersDigitsAndIdeographsAreAndPunctuationIsNot) {
  EXPECT_TRUE(is_wordlike("a"));
  EXPECT_TRUE(is_wordlike("'7"));
  EXPECT_TRUE(is_wordlike("\u4e2d"));
  EXPECT_FALSE(is_wordlike("..."));
  EXPECT_FALSE(is_wordlike("\U0001F600"));
  EXPECT_FALSE(is_wordlike(""));
}

}  // namespace
}  // namespace regard
