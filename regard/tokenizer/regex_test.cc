// SPDX-License-Identifier: Apache-2.0
// Oniguruma's patterns by what its documentation (doc/RE) says that they match.
#include "regard/tokenizer/regex.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/utf8.h"

namespace regard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Span> spans(std::string_view pattern, std::string_view text) {
  std::vector<Span> found;
  const std::string file = "t.json";
  TextBudget budget(text.size(), file);
  Regex::compile(pattern, file, "key").find(text, found, budget);
  return found;
}

std::vector<std::string> matches(std::string_view pattern, std::string_view text) {
  std::vector<std::string> out;
  for (const Span& span : spans(pattern, text))
    out.emplace_back(text.substr(span.start, span.end - span.start));
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
  const std::string file = "t.json";
  TextBudget budget(6, file);
  Regex::literal("a.").find("aba.a.", found, budget);
  EXPECT_THAT(found, ElementsAre(Span{2, 4}, Span{4, 6}));
}

TEST(Regex, TooManyStepsAreAnErrorThatNamesThePattern) {
  EXPECT_THAT(error_of("(x+x+)+y", std::string(60, 'x') + "-y"),
              AllOf(HasSubstr("t.json"), HasSubstr("key"), HasSubstr("(x+x+)+y"),
                    HasSubstr("at byte 0 of 62")));
}

TEST(Regex, WhatIsNotReadIsRefusedByNameAndPlace) {
  EXPECT_THAT(error_of("a(?~b)", ""), AllOf(HasSubstr("t.json"), HasSubstr("key, byte 3")));
  EXPECT_THAT(error_of("(a", ""), HasSubstr("a group that is not closed"));
  EXPECT_THAT(error_of("a)", ""), HasSubstr("key, byte 1"));
  for (const auto& [pattern, named] : {std::pair{"\\C-a", "\\C-"},
                                       {"\\X", "\\X"},
                                       {"\\G", "\\G"},
                                       {"(*FAIL)", "callouts"},
                                       {"(?W)a", "(?"},
                                       {"\\p{Emoji}", "the property Emoji"},
                                       {"[[:foo:]]", "[:foo:]"},
                                       {"(?i)st", "st"},
                                       {"(?i)\u00df", "any case"},
                                       {"(?i)[\\p{L}]", "any case"},
                                       {"\\xe9", "bytes beyond"},
                                       {"(?<n>a)\\k<n>", "by name"},
                                       {"(?<n>a)(b)\\1", "back references"},
                                       {"\\1", "back reference"},
                                       {"a{3,2}", "the most is the fewer"},
                                       {"a{70000}", "65535"},
                                       {"[a&&]", "&&"},
                                       {"(?=a)*", "anchor or a look-around"},
                                       {"[\\d-a]", "hyphen"},
                                       {"(?P<n>a)", "(?"}}) {
    EXPECT_THAT(error_of(pattern, ""), AllOf(HasSubstr("t.json"), HasSubstr(named))) << pattern;
  }
}

std::vector<std::vector<std::string>> rows_of(const std::string& name) {
  std::ifstream file(REGARD_SOURCE_DIR "/tests/golden/tokenizer/" + name);
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    rows.emplace_back();
    std::stringstream cells(line + "\t");
    for (std::string cell; std::getline(cells, cell, '\t');) rows.back().push_back(cell);
  }
  return rows;
}

std::string parsed(const std::string& json) {
  return std::string(JsonDocument::parse(json, "golden").root().string());
}

// tools/make_tokenizer_golden.py tells the formats.
TEST(RegexGolden, EveryPatternMatchesWhatItMatchesInTheTokenizersLibrary) {
  const auto rows = rows_of("patterns.tsv");
  ASSERT_GT(rows.size(), 200U);
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const std::string pattern = parsed(rows[r][0]);
    for (std::size_t t = 0; t < rows[0].size(); ++t) {
      const std::string text = parsed(rows[0][t]);
      std::string found;
      for (const Span& span : spans(pattern, text)) {
        if (span.start == span.end) continue;  // the library tells of none
        found += fmt::format("{}{}-{}", found.empty() ? "" : " ", span.start, span.end);
      }
      EXPECT_EQ(found, rows[r][t + 1]) << pattern << " in " << rows[0][t];
    }
  }
}

TEST(RegexGolden, EverySetHasTheCharactersThatItHasInTheTokenizersLibrary) {
  const auto rows = rows_of("sets.tsv");
  ASSERT_GT(rows.size(), 100U);
  std::string all;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c < 0xD800 || c >= 0xE000) append_utf8(all, c);
  }
  for (const auto& row : rows) {
    std::string ranges;
    std::size_t count = 0;
    char32_t first = 0, last = 0;
    const auto close = [&] {
      if (count > 0) ranges += fmt::format("{:x}-{:x} ", unsigned{first}, unsigned{last});
    };
    for (const Span& span : spans(row[0], all)) {
      const char32_t c = decode_utf8(all, span.start).value;
      if (count == 0 || c != last + 1) {
        close();
        first = c;
      }
      last = c;
      ++count;
    }
    close();
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : ranges) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    EXPECT_EQ(std::to_string(count), row[1]) << row[0];
    EXPECT_EQ(fmt::format("{:016x}", hash), row[2]) << row[0];
  }
}

}  // namespace
}  // namespace regard
