// SPDX-License-Identifier: Apache-2.0
#include "regard/session/model_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "regard/checkpoint/checkpoint.h"
#include "regard/platform/error.h"
#include "regard/platform/testing.h"
#include "regard/session/builtin_model.h"
#include "regard/session/session.h"

namespace regard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const char* const kSentence = "The animal didn't cross the street because it was too ";
const std::string kFolder = REGARD_SOURCE_DIR "/examples/lesson/model";

TEST(ModelNotes, NameTheHeadsAndWhy) {
  const ModelNotes notes = read_model_notes(
      R"({"default_heads": ["L0H1", "L1H3"], "why": "so", "made_for": "games", "else": 1})", "f");
  EXPECT_THAT(notes.default_heads, ElementsAre(HeadId{0, 1}, HeadId{1, 3}));
  EXPECT_EQ(notes.why, "so");
  EXPECT_EQ(notes.made_for, "games");
}

TEST(ModelNotes, AHeadThatIsNoneIsNamed) {
  try {
    read_model_notes(R"({"default_heads": ["third"]})", "regard.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("default_heads"));
    EXPECT_THAT(error.what(), HasSubstr("third"));
  }
}

Trace run(const std::string& text, const std::string& model = std::string(kBuiltinModel)) {
  Session session{Settings{}};
  RunRequest request;
  request.text = text;
  request.model = model;
  return session.run(request);
}

TEST(BuiltinModel, LooksFromItToTheAnimalThatWasTiredAndTheStreetThatWasWide) {
  const Session session{Settings{}};
  for (const auto& [property, antecedent] :
       {std::pair<std::string, std::string>{"tired", "animal"}, {"wide", "street"}}) {
    const View view = session.view(run(kSentence + property + "."), {});
    const std::int64_t it = session.find_unit(view.units, "it");
    std::multimap<float, std::string> row;
    for (std::size_t k = 0; k < view.units.size(); ++k)
      row.emplace(view.heads[0].weights[static_cast<std::size_t>(it) * view.units.size() + k],
                  view.units[k].text);
    const std::set<std::string> two = {row.rbegin()->second, std::next(row.rbegin())->second};
    EXPECT_EQ(two, (std::set<std::string>{antecedent, property}));
  }
}

TEST(BuiltinModel, ComputesWhatItsFolderDoes) {
  const Trace inside = run(std::string(kSentence) + "tired.");
  const Trace outside = run(std::string(kSentence) + "tired.", kFolder);
  ASSERT_EQ(inside.heads(), outside.heads());
  EXPECT_EQ(inside.preferred, outside.preferred);
  const auto tokens = static_cast<std::int64_t>(inside.tokens.size());
  ASSERT_EQ(tokens, 12);
  for (const HeadId id : inside.heads())
    for (std::int64_t q = 0; q < tokens; ++q)
      for (std::int64_t k = 0; k < tokens; ++k)
        ASSERT_EQ(inside.map(id).cell(q, k), outside.map(id).cell(q, k));
}

TEST(BuiltinModel, IsSmall) {
  std::int64_t parameters = 0;
  const Model model = open_builtin_model();
  for (const std::string& name : model.checkpoint().names())
    parameters += model.checkpoint().find(name)->size();
  EXPECT_LE(parameters, 4'000'000);
  EXPECT_LE(builtin_model_bytes(), 8 << 20);
}

TEST(BuiltinModel, ReadsAnyLatinTextAndSaysWhichWordsItDoesNotKnow) {
  EXPECT_THAT(run(std::string(kSentence) + "tired.").notes, IsEmpty());
  const Trace trace = run("The axolotl ate Zo\u00eb's \u017bur\u00e9k, \u00a35 & 3/4.");
  for (const Token& token : trace.tokens) EXPECT_NE(token.text, "[UNK]");
  ASSERT_EQ(trace.notes.size(), 2U);
  EXPECT_THAT(trace.notes[0], HasSubstr("axolotl"));
  EXPECT_THAT(trace.notes[0], ::testing::Not(HasSubstr("ate")));
  EXPECT_THAT(trace.notes[1], HasSubstr("models pull"));
  EXPECT_THAT(run("The axolotl didn't cross the street.").notes, ::testing::SizeIs(1));
}

TEST(BuiltinModel, KeepsTheSentencesOfTheLessonAsItLearnedThem) {
  const std::vector<KeptCheckpoint> kept = builtin_checkpoints();
  std::map<std::string, std::vector<std::int64_t>> steps;
  std::uint64_t bytes = 0;
  for (const KeptCheckpoint& one : kept) {
    steps[one.trace.text].push_back(one.step);
    bytes += trace_file_size(one.trace);
    EXPECT_EQ(one.loss.has_value(), one.step > 0) << one.step;
  }
  EXPECT_LE(bytes, 4U << 20);
  ASSERT_EQ(steps.size(), 2U);
  for (const std::string property : {"tired.", "wide."}) {
    const std::vector<std::int64_t>& mine = steps[std::string(kSentence) + property];
    EXPECT_GE(mine.size(), 5U);
    EXPECT_EQ(mine.front(), 0);
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    // The last is the model itself.
    const Trace now = run(std::string(kSentence) + property);
    const auto last = std::find_if(kept.rbegin(), kept.rend(), [&](const KeptCheckpoint& one) {
      return one.trace.text == now.text;
    });
    EXPECT_EQ(last->trace.heads(), now.heads());
    EXPECT_EQ(last->trace.preferred, now.preferred);
    for (const HeadId id : now.heads())
      EXPECT_NEAR(last->trace.map(id).cell(7, 1), now.map(id).cell(7, 1), 1e-5);
  }
}

TEST(BuiltinModel, SaysSoOfAWordInAnotherScript) {
  EXPECT_THAT(run("The cat ate \u5bff\u53f8 with the dog.").notes[0], HasSubstr("\u5bff"));
}

}  // namespace
}  // namespace regard
