// SPDX-License-Identifier: Apache-2.0
// Tests of the lesson's corpus: what may be in which split, and that it is the same for a seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "grammar.h"
#include "lexicon.h"
#include "splits.h"

namespace regard::lesson {
namespace {

const Lexicon& lexicon() {
  static const Lexicon kLexicon = Lexicon::read(REGARD_LESSON_LEXICON);
  return kLexicon;
}

Split split_named(const std::string& name) {
  for (const Split& split : splits())
    if (name == split.name) return split;
  ADD_FAILURE() << name;
  return splits().front();
}

std::vector<Document> documents(const std::string& name, std::uint64_t seed, std::size_t count) {
  const Split split = split_named(name);
  Grammar grammar(lexicon(), seed);
  std::vector<Document> found;
  while (found.size() < count) {
    Document document = grammar.make(split.style);
    if (fits(document, split)) found.push_back(std::move(document));
  }
  return found;
}

std::string text(const Document& document) {
  std::vector<std::size_t> begin;
  return text_of(document, &begin);
}

TEST(Lexicon, HasSeveralHundredNounsVerbsAndProperties) {
  std::map<std::string, int> count;
  for (const auto& [word, part] : lexicon().words) ++count[part];
  EXPECT_GT(count["noun"], 400);
  EXPECT_GT(count["verb"], 200);
  EXPECT_GT(count["property"], 200);
}

// Else nothing would say which of the two is meant.
TEST(Lexicon, GivesNoReasonOfAFrameToBothNouns) {
  for (const Frame& frame : lexicon().frames)
    for (const auto& polarity : frame.reasons)
      for (const Reason& a : polarity[0])
        for (const Reason& b : polarity[1]) EXPECT_NE(a.text, b.text) << frame.name;
}

TEST(Corpus, IsTheSameForASeedAndAnotherForAnother) {
  const auto a = documents("train", 7, 200), b = documents("train", 7, 200),
             c = documents("train", 8, 200);
  int equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(text(a[i]), text(b[i]));
    equal += text(a[i]) == text(c[i]);
  }
  EXPECT_LT(equal, 20);
}

TEST(Corpus, NeverHoldsTwoWordsOfTheLessonsSentence) {
  for (const char* name : {"train", "validation", "combinations", "far"}) {
    int with_animal = 0;
    for (const Document& document :
         documents(name, 3, name == std::string("train") ? 30000 : 300)) {
      std::set<std::string> words;
      for (const Word& word : document.words) words.insert(word.text);
      const int found = (words.count("animal") + words.count("animals") > 0) +
                        (words.count("street") + words.count("streets") > 0) +
                        (words.count("tired") + words.count("wide") > 0);
      EXPECT_LE(found, 1) << text(document);
      with_animal += words.count("animal") > 0;
    }
    if (name == std::string("train")) {
      EXPECT_GT(with_animal, 100);
    }
  }
}

TEST(Corpus, SharesNoPairOfNounsBetweenTrainingAndTests) {
  std::set<std::string> trained;
  for (const Document& document : documents("train", 1, 30000))
    if (document.distance > 0) trained.insert(document.subject + " " + document.object);
  EXPECT_GT(trained.size(), 5000U);
  for (const char* name : {"validation", "combinations", "clauses", "distractors"})
    for (const Document& document : documents(name, 2, 500))
      EXPECT_EQ(trained.count(document.subject + " " + document.object), 0U) << text(document);
}

TEST(Corpus, KeepsTheClausesOfTheTestOutOfTraining) {
  std::set<std::string> trained;
  for (const Document& document : documents("train", 1, 20000)) trained.insert(document.clause);
  for (const Document& document : documents("clauses", 2, 300))
    EXPECT_EQ(trained.count(document.clause), 0U) << document.clause;
}

TEST(Corpus, KeepsDistancesAndDistractorsAsItSays) {
  for (const Document& document : documents("train", 5, 5000)) EXPECT_LE(document.distance, 22);
  for (const Document& document : documents("far", 5, 200)) {
    EXPECT_GE(document.distance, 23);
    EXPECT_LE(document.distance, 40);
  }
  for (const Document& document : documents("distractors", 5, 200))
    EXPECT_GT(document.distractors, 0) << text(document);
}

TEST(Text, PutsCapitalsAndPunctuationInPlace) {
  Document document;
  for (const char* word : {"the", "cat", "slept", ",", "for", "it", "was", "old", ".", "it", "ate"})
    document.words.push_back({word, Tag::kNone});
  std::vector<std::size_t> begin;
  EXPECT_EQ(text_of(document, &begin), "The cat slept, for it was old. It ate");
  EXPECT_EQ(begin[3], 13U);
  EXPECT_EQ(begin[9], 31U);
}

}  // namespace
}  // namespace regard::lesson
