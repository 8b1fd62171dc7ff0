// SPDX-License-Identifier: Apache-2.0
#include "regard/session/session.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "regard/platform/error.h"
#include "regard/platform/testing.h"
#include "regard/render/data.h"

namespace regard {
namespace {

std::vector<Unit> units(const std::vector<std::string>& texts) {
  std::vector<Unit> result;
  for (const std::string& text : texts) {
    Unit unit;
    unit.text = text;
    unit.tokens = {static_cast<std::int64_t>(result.size())};
    unit.wordlike = true;
    result.push_back(unit);
  }
  return result;
}

template <typename F>
std::string message_of(F&& work, Error::Kind kind) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

class FolderTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  void write_matrices(const std::string& name, const Shape& shape,
                      const std::vector<float>& cells) const {
    write(name, npy_header(shape) + std::string(reinterpret_cast<const char*>(cells.data()),
                                                cells.size() * sizeof(float)));
  }
  TemporaryFolder own_;
  const std::filesystem::path folder_ = own_.path();
};

TEST(FindUnitTest, TheExactTextWinsOverAnotherCase) {
  const Session session{Settings{}};
  const auto list = units({"It", "was", "it", "It"});
  EXPECT_EQ(session.find_unit(list, "it"), 2);
  EXPECT_EQ(session.find_unit(list, "It"), 0);
  EXPECT_EQ(session.find_unit(list, "WAS"), 1);
}

TEST(FindUnitTest, CaseIsIgnoredInEveryScript) {
  const Session session{Settings{}};
  EXPECT_EQ(session.find_unit(units({"Кот", "STRASSE"}), "КОТ"), 0);
  EXPECT_EQ(session.find_unit(units({"Кот", "STRASSE"}), "straße"), 1);
}

TEST(FindUnitTest, ANumberAfterAHashPicksTheOccurrence) {
  const Session session{Settings{}};
  const auto list = units({"the", "cat", "the", "C#2"});
  EXPECT_EQ(session.find_unit(list, "the#2"), 2);
  EXPECT_EQ(session.find_unit(list, "The#1"), 0);
  EXPECT_EQ(session.find_unit(list, "C#2"), 3);
}

TEST(FindUnitTest, AnAtSignPicksByIndexUnlessAWordIsSpeltSo) {
  const Session session{Settings{}};
  EXPECT_EQ(session.find_unit(units({"a", "b", "c"}), "@2"), 2);
  EXPECT_EQ(session.find_unit(units({"@2", "b", "c"}), "@2"), 0);
}

TEST(FindUnitTest, AWordThatIsNotThereIsAWrongUseThatListsTheWords) {
  const Session session{Settings{}};
  for (const char* word : {"dog", "cat#2", "@3", "@-1", "cat#", "", "@99999999999999999999"}) {
    const std::string message =
        message_of([&] { session.find_unit(units({"the", "cat"}), word); }, Error::Kind::kUsage);
    EXPECT_NE(message.find("the cat"), std::string::npos) << message;
  }
}

class MatricesTest : public FolderTest {
 protected:
  // Two layers of two heads over two words; layer 1 head 1 attends to the other word.
  Trace trace() const {
    write_matrices("a.npy", {2, 2, 2, 2},
                   {1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0.25f, 0.75f, 0.5f, 0.5f});
    write("words.txt", "it\nanimal\n");
    return Session{Settings{}}.from_matrices(path("a.npy"), path("words.txt"));
  }
};

TEST_F(MatricesTest, SelectsWhatLayerAndHeadAllow) {
  const Trace made = trace();
  const Session session{Settings{}};
  EXPECT_EQ(session.select_heads(made, {}).size(), 4u);
  ViewRequest request;
  request.layer = 1;
  EXPECT_EQ(session.select_heads(made, request), (std::vector<HeadId>{{1, 0}, {1, 1}}));
  request.head = 1;
  EXPECT_EQ(session.select_heads(made, request), (std::vector<HeadId>{{1, 1}}));
  ViewRequest listed;
  listed.heads = {{1, 1}, {0, 0}};
  EXPECT_EQ(session.select_heads(made, listed), (std::vector<HeadId>{{0, 0}, {1, 1}}));
}

TEST_F(MatricesTest, ALayerOrHeadThatIsNotThereIsAnErrorThatSaysWhichAre) {
  const Trace made = trace();
  const Session session{Settings{}};
  ViewRequest request;
  request.layer = 7;
  const std::string message =
      message_of([&] { session.select_heads(made, request); }, Error::Kind::kUsage);
  EXPECT_NE(message.find("0 to 1"), std::string::npos) << message;
  ViewRequest listed;
  listed.heads = {{5, 0}};
  EXPECT_THROW(session.select_heads(made, listed), Error);
}

TEST_F(MatricesTest, GivenWeightsAreShownAsTheyAre) {
  const Trace made = trace();
  ViewRequest request;
  request.layer = 1;
  request.head = 1;
  const View view = Session{Settings{}}.view(made, request);
  ASSERT_EQ(view.heads.size(), 1u);
  EXPECT_EQ(view.heads[0].weights, (std::vector<float>{0.25f, 0.75f, 0.5f, 0.5f}));
  EXPECT_EQ(view.units[1].text, "animal");
}

TEST_F(MatricesTest, TheMeanOfHeadsIsTheirMean) {
  const Trace made = trace();
  ViewRequest request;
  request.layer = 1;
  request.mean = true;
  const View view = Session{Settings{}}.view(made, request);
  ASSERT_EQ(view.heads.size(), 1u);
  EXPECT_FALSE(view.heads[0].id.has_value());
  EXPECT_EQ(view.heads[0].weights, (std::vector<float>{0.625f, 0.375f, 0.25f, 0.75f}));
}

TEST_F(MatricesTest, WhatTheModelsMakersChoseIsShownUnlessAnotherHeadIsAskedFor) {
  Trace made = trace();
  made.preferred = {{1, 0}, {1, 1}};
  made.preferred_why = "chosen elsewhere";
  const Session session{Settings{}};
  const View usual = session.view(made, {});
  ASSERT_EQ(usual.heads.size(), 1u);
  EXPECT_EQ(usual.heads[0].of, (std::vector<HeadId>{{1, 0}, {1, 1}}));
  EXPECT_EQ(usual.heads[0].weights, (std::vector<float>{0.625f, 0.375f, 0.25f, 0.75f}));
  EXPECT_EQ(usual.heads[0].why, "chosen elsewhere");
  ViewRequest request;
  request.heads = {{0, 0}};
  EXPECT_EQ(session.view(made, request).heads[0].id, (HeadId{0, 0}));
  made.preferred = {{1, 1}};
  EXPECT_EQ(session.view(made, {}).heads[0].id, (HeadId{1, 1}));
  // A trace that was recorded without that head.
  made.preferred = {{7, 1}};
  EXPECT_NE(session.view(made, {}).heads[0].why, "chosen elsewhere");
}

TEST_F(MatricesTest, LinksUnderTheViewOfTheModelsMakersAreThoseOfItsHeads) {
  const float q = 0.25f;
  write_matrices("a.npy", {1, 2, 4, 4}, {q, q, q, q, q, q, q, q, q, q, q, q, 0.9f, 0.1f, 0, 0,
                                         q, q, q, q, q, q, q, q, q, q, q, q, 0.1f, 0.9f, 0, 0});
  write("words.txt", "animal\nslept\nbecause\nit\n");
  Trace made = Session{Settings{}}.from_matrices(path("a.npy"), path("words.txt"));
  const auto heads_of_links = [&](const ViewRequest& request) {
    std::set<HeadId> heads;
    for (const Link& link : Session{Settings{}}.view(made, request).links) heads.insert(link.head);
    return heads;
  };
  const std::set<HeadId> all = heads_of_links({});
  ASSERT_EQ(all.size(), 2u);
  made.preferred = {*all.begin()};
  EXPECT_EQ(heads_of_links({}), (std::set<HeadId>{*all.begin()}));
  ViewRequest every;
  every.all_heads = true;
  EXPECT_EQ(heads_of_links(every), all);
}

TEST_F(MatricesTest, AllHeadsAreHeadsWhateverTheModelsMakersChose) {
  Trace made = trace();
  made.preferred = {{1, 0}, {1, 1}};
  made.preferred_why = "chosen elsewhere";
  ViewRequest request;
  request.all_heads = true;
  const View view = Session{Settings{}}.view(made, request);
  EXPECT_EQ(view.heads.size(), made.heads().size());
  for (const HeadMap& map : view.heads) EXPECT_TRUE(map.id.has_value());
  request.all_heads = false;
  request.one_head = true;
  const View one = Session{Settings{}}.view(made, request);
  ASSERT_EQ(one.heads.size(), 1u);
  EXPECT_EQ(one.heads[0].id.value().layer, 1);
  EXPECT_EQ(one.heads[0].why, "the first of L1H0 and L1H1, whose mean is chosen elsewhere");
}

TEST_F(MatricesTest, HeadsAskedForKeepTheirOrder) {
  const Trace made = trace();
  ViewRequest request;
  request.heads = {{1, 1}, {0, 0}};
  const View view = Session{Settings{}}.view(made, request);
  ASSERT_EQ(view.heads.size(), 2u);
  EXPECT_EQ(view.heads[0].id, (HeadId{1, 1}));
  EXPECT_EQ(view.heads[1].id, (HeadId{0, 0}));
}

TEST_F(MatricesTest, AnArrayOfOneMapIsLayerZeroHeadZero) {
  write_matrices("a.npy", {2, 2}, {0.5f, 0.5f, 0.25f, 0.75f});
  write("words.txt", "it\nanimal");
  const Trace made = Session{Settings{}}.from_matrices(path("a.npy"), path("words.txt"));
  EXPECT_EQ(made.heads(), (std::vector<HeadId>{{0, 0}}));
  EXPECT_EQ(made.map({0, 0}).cell(1, 1), 0.75f);
}

TEST_F(MatricesTest, LabelsMustBeAsManyAsQueries) {
  write_matrices("a.npy", {2, 2}, {0.5f, 0.5f, 0.25f, 0.75f});
  write("words.txt", "it\nanimal\ntired\n");
  const std::string message =
      message_of([&] { Session{Settings{}}.from_matrices(path("a.npy"), path("words.txt")); },
                 Error::Kind::kFailed);
  EXPECT_NE(message.find("words.txt"), std::string::npos) << message;
}

TEST_F(MatricesTest, AWeightThatIsNoNumberIsAnErrorThatNamesThePlace) {
  write_matrices("a.npy", {2, 2}, {0.5f, 0.5f, std::numeric_limits<float>::quiet_NaN(), 0.75f});
  write("words.txt", "it\nanimal\n");
  const std::string message =
      message_of([&] { Session{Settings{}}.from_matrices(path("a.npy"), path("words.txt")); },
                 Error::Kind::kFailed);
  EXPECT_NE(message.find("element 2"), std::string::npos) << message;
}

TEST_F(MatricesTest, MoreOrFewerQueriesThanKeysIsAnError) {
  write_matrices("a.npy", {1, 2}, {0.5f, 0.5f});
  write("words.txt", "it\n");
  EXPECT_THROW(Session{Settings{}}.from_matrices(path("a.npy"), path("words.txt")), Error);
}

TEST_F(FolderTest, AModelNameIsAFolderOfTheCacheOrAPath) {
  Settings settings;
  settings.cache_folder = folder_.string();
  std::filesystem::create_directories(folder_ / "models" / "tiny");
  const Session session{settings};
  EXPECT_EQ(session.resolve("tiny"), path("models/tiny"));
  EXPECT_EQ(session.resolve(path("models")), path("models"));
}

TEST_F(FolderTest, WithoutANameTheModelIsTheProgramsOwn) {
  EXPECT_EQ(Session{Settings{}}.resolve(""), "lesson");
  Settings settings;
  settings.model = "tiny";
  settings.cache_folder = folder_.string();
  std::filesystem::create_directories(folder_ / "models" / "tiny");
  EXPECT_EQ(Session{settings}.resolve(""), path("models/tiny"));
}

TEST_F(FolderTest, AMissingModelSaysWhereItWasSoughtAndHowToGetIt) {
  Settings settings;
  settings.cache_folder = folder_.string();
  const Session session{settings};
  const std::string message = message_of([&] { session.resolve("minilm"); }, Error::Kind::kFailed);
  EXPECT_NE(message.find(path("models/minilm")), std::string::npos) << message;
  EXPECT_NE(message.find("regard models pull sentence-transformers/all-MiniLM-L6-v2"),
            std::string::npos)
      << message;
}

TEST_F(FolderTest, AModelThatCannotBeOpenedIsListedWithTheReason) {
  Settings settings;
  settings.cache_folder = folder_.string();
  std::filesystem::create_directories(folder_ / "models" / "broken");
  write("models/broken/config.json", "{");
  const std::vector<ModelEntry> entries = Session{settings}.list_models();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].name, "broken");
  EXPECT_FALSE(entries[1].opens);
  EXPECT_EQ(entries[1].bytes, 1);
  EXPECT_NE(entries[1].note, "");
}

TEST(VersionTest, NamesCommitInstructionSetAndLibraries) {
  const std::string report = version_report();
  for (const char* part : {"regard ", "commit ", "instruction set ", "Highway ", "simdjson ",
                           "ICU ", "fmt ", "Cairo ", "Pango "})
    EXPECT_NE(report.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace regard
