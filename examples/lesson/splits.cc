// SPDX-License-Identifier: Apache-2.0
// Which documents belong to training, validation and each test.
#include "splits.h"

#include <cstdint>
#include <map>
#include <set>

namespace regard::lesson {
namespace {

Share share_of(const std::string& a, const std::string& b) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : a + "|" + b) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  const std::uint64_t share = (hash >> 20) % 10;
  return share == 0 ? Share::kTest : share == 1 ? Share::kValidation : Share::kTraining;
}

bool belongs(const Document& document, Share share) {
  if (document.distance == 0) return true;
  const std::string& antecedent = document.on_object ? document.object : document.subject;
  return share_of(document.subject, document.object) == share &&
         share_of(antecedent, document.property) == share;
}

// The lesson's own sentence is nowhere, and no two of its words are in one document.
bool is_the_lessons(const Document& document) {
  std::set<std::string> found;
  static const std::map<std::string, std::string> kWords = {
      {"animal", "animal"},  {"animals", "animal"}, {"street", "street"},
      {"streets", "street"}, {"tired", "property"}, {"wide", "property"}};
  for (const Word& word : document.words)
    if (const auto at = kWords.find(word.text); at != kWords.end()) found.insert(at->second);
  return found.size() > 1;
}

}  // namespace

std::vector<Split> splits() {
  Style test;
  test.pronoun_documents = 1;
  test.extra_sentence = 0;
  test.few_articles = 0;
  test.repeat = 0;
  test.role_frames = 0.4;
  test.same_pronoun = true;
  Style clauses = test, distractors = test, far = test;
  clauses.clauses = {"since", "since", "while", ":", "-"};
  distractors.want_distractor = true;
  distractors.distractors = 1;
  far.least_distance = 23;
  far.most_distance = 40;
  far.fronted = 0;
  return {{"train", Share::kTraining, {}},
          {"seen", Share::kTraining, test},
          {"validation", Share::kValidation, test},
          {"validation-clauses", Share::kValidation, clauses},
          {"validation-distractors", Share::kValidation, distractors},
          {"validation-far", Share::kValidation, far},
          {"combinations", Share::kTest, test},
          {"clauses", Share::kTest, clauses},
          {"distractors", Share::kTest, distractors},
          {"far", Share::kTest, far}};
}

bool fits(const Document& document, const Split& split) {
  if (!belongs(document, split.share) || is_the_lessons(document)) return false;
  if (document.distance == 0) return true;
  return document.distance >= split.style.least_distance &&
         document.distance <= split.style.most_distance &&
         (!split.style.want_distractor || document.distractors > 0);
}

}  // namespace regard::lesson
