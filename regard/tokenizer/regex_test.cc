// SPDX-License-Identifier: Apache-2.0
// Oniguruma's patterns by what its documentation (doc/RE) says that they match.
#include "regard/tokenizer/regex.h"

#include <gmock/gmock.h>

#include "regard/platform/error.h"

namespace regard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> matches(std::string_view pattern, std::string_view text) {
  std::vector<Span> found;
  Regex::compile(pattern, "t.json", "key").find(text, found);
  std::vector<std::string> out;
  for (const Span& span : found) out.emplace_back(text.substr(span.start, span.end - span.start));
  return out;
}

std::string error_of(std::string_view pattern, std::string_view text) {
  try {
    matches(pattern, text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Regex, HIsAHexadecimalDigitAndNoSpace) {
  EXPECT_THAT(matches(R"(\h+)", "xx 1fA g\t"), ElementsAre("1fA"));
  EXPECT_THAT(matches(R"([\H]+)", "a g"), ElementsAre(" g"));
}

TEST(Regex, WhiteSpaceIsUnicodesAndLeavesTheMongolianVowelSeparatorOut) {
  EXPECT_THAT(matches(R"(\s)", "a\u180e\u3000\u0085"), ElementsAre("\u3000", "\u0085"));
  EXPECT_THAT(matches(R"([^\s]+)", "a\u180e b"), ElementsAre("a\u180e", "b"));
}

TEST(Regex, WordCharactersHaveMarksAndConnectors) {
  EXPECT_THAT(matches(R"(\w+)", "e\u0301_\u203f-x"), ElementsAre("e\u0301_\u203f", "x"));
  EXPECT_THAT(matches(R"(\bx)", "e\u0301x x"), ElementsAre("x"));
}

TEST(Regex, OptionMLetsTheDotMatchALineBreak) {
  EXPECT_THAT(matches("(?m:a.b)", "a\nb"), ElementsAre("a\nb"));
  EXPECT_THAT(matches("a.b", "a\nb"), IsEmpty());
}

TEST(Regex, LineAnchorsMatchAtEveryLine) {
  EXPECT_THAT(matches("^.", "ab\ncd"), ElementsAre("a", "c"));
  EXPECT_THAT(matches(".$", "ab\ncd"), ElementsAre("b", "d"));
}

TEST(Regex, PropertiesHaveLongNamesNegationsAndPosixBrackets) {
  EXPECT_THAT(matches(R"(\p{Letter}+)", "ab1"), ElementsAre("ab"));
  EXPECT_THAT(matches(R"(\p{^L}+)", "ab12"), ElementsAre("12"));
  EXPECT_THAT(matches("[[:alpha:][0-9]]+", "a1 b"), ElementsAre("a1", "b"));
  EXPECT_THAT(matches(R"(\p{Han}+)", "a\u4e2d\u6587"), ElementsAre("\u4e2d\u6587"));
}

TEST(Regex, LettersNewerThanThePatternLibraryAreLetters) {
  // U+31350, of Unicode 15.
  EXPECT_THAT(matches(R"(\p{L})", "\U00031350"), ElementsAre("\U00031350"));
  EXPECT_THAT(matches(R"([^\s\p{L}]+)", "\U00031350!"), ElementsAre("!"));
}

TEST(Regex, PossessiveAndAtomicGroupsDoNotGiveBack) {
  EXPECT_THAT(matches("a++a", "aaa"), IsEmpty());
  EXPECT_THAT(matches("(?>a+)b", "aab"), ElementsAre("aab"));
}

TEST(Regex, AnEmptyMatchBehindAnotherIsLeftOut) {
  EXPECT_THAT(matches("a*", "baac"), ElementsAre("", "aa", ""));
}

TEST(Regex, ALiteralIsNoPattern) {
  std::vector<Span> found;
  Regex::literal("a.").find("aba.a.", found);
  EXPECT_THAT(found, ElementsAre(Span{2, 4}, Span{4, 6}));
}

TEST(Regex, TooManyStepsAreAnErrorThatNamesThePattern) {
  EXPECT_THAT(error_of("(x+x+)+y", std::string(60, 'x') + "-y"),
              AllOf(HasSubstr("t.json"), HasSubstr("key"), HasSubstr("(x+x+)+y")));
}

TEST(Regex, WhatHasNoTranslationIsRefused) {
  EXPECT_THAT(error_of("[a-z&&[^b]]", ""), AllOf(HasSubstr("t.json"), HasSubstr("&&")));
  EXPECT_THAT(error_of("(a", ""), HasSubstr("t.json"));
}

}  // namespace
}  // namespace regard
