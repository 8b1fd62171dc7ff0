// SPDX-License-Identifier: Apache-2.0
// Encoder-decoder models from a request to the maps, against PyTorch's (tests/golden/models).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "regard/model/golden.h"
#include "regard/platform/error.h"
#include "regard/platform/testing.h"
#include "regard/session/session.h"

namespace regard {
namespace {

class TwoStacks : public testing::TestWithParam<std::string> {
 protected:
  const std::string folder_ = (kGolden / "models" / GetParam()).string();
  const SafetensorsFile expected_ = SafetensorsFile::open(folder_ + "/expected.safetensors");
  Session session_{Settings{}};

  RunRequest request(std::optional<AttentionKind> kind) const {
    RunRequest request;
    request.model = folder_;
    request.use_ids = request.use_target_ids = true;
    request.ids = integers(expected_, "ids");
    request.target_ids = integers(expected_, "target");
    request.kind = kind;
    return request;
  }
  // Largest difference from PyTorch's maps of the trace's kind, as a share of the tolerance.
  double difference(const Trace& trace) const {
    const std::string name = std::string(name_of(trace.kind)) + "_attention";
    return distance(cells(trace), floats(expected_, name, {-1, -1, -1, -1})) /
           number(expected_, "tolerance." + name);
  }
};

TEST_P(TwoStacks, EveryKindOfARunAndOfItsTraceFileEqualsPyTorch) {
  const TemporaryFolder folder;
  for (const AttentionKind kind :
       {AttentionKind::kEncoder, AttentionKind::kDecoder, AttentionKind::kCross}) {
    SCOPED_TRACE(name_of(kind));
    const Trace trace = session_.run(request(kind));
    EXPECT_EQ(trace.kind, kind);
    EXPECT_LE(difference(trace), 1);
    const std::size_t keys = request(kind).ids.size(), target = request(kind).target_ids.size();
    EXPECT_EQ(trace.tokens.size(), kind == AttentionKind::kEncoder ? keys : target);
    EXPECT_EQ(trace.columns().tokens.size(), kind == AttentionKind::kDecoder ? target : keys);
    EXPECT_EQ(trace.keys_side.has_value(), kind == AttentionKind::kCross);

    const std::string path = (folder.path() / "t.safetensors").string();
    RecordPlan plan;
    const std::uint64_t bytes = session_.record(
        request(kind), path, [&](const RecordPlan& announced) { plan = announced; });
    EXPECT_NEAR(static_cast<double>(plan.bytes), static_cast<double>(bytes), 65536);
    EXPECT_EQ(plan.tokens, std::ssize(trace.tokens));
    EXPECT_EQ(plan.keys, std::ssize(trace.columns().tokens));
    const Trace back = session_.open_trace(path);
    EXPECT_EQ(back.kind, kind);
    EXPECT_EQ(back.columns().tokens.back().id, trace.columns().tokens.back().id);
    EXPECT_EQ(cells(back), cells(trace));
  }
}

TEST_P(TwoStacks, ATargetMeansCrossAttentionUnlessAnotherIsAskedFor) {
  RunRequest plain = request(std::nullopt);
  Trace trace = session_.run(plain);
  EXPECT_EQ(trace.kind, AttentionKind::kCross);
  ASSERT_FALSE(trace.notes.empty());
  EXPECT_NE(trace.notes.front().find("cross-attention"), std::string::npos);

  plain.use_target_ids = false;
  trace = session_.run(plain);
  EXPECT_EQ(trace.kind, AttentionKind::kEncoder);
  EXPECT_NE(trace.notes.back().find("the encoder's"), std::string::npos);
  EXPECT_LE(difference(trace), 1);
}

TEST_P(TwoStacks, WhatWasGeneratedAttendsLikeTheSameTargetGiven) {
  RunRequest generated = request(AttentionKind::kCross);
  generated.generation = {.tokens = 5, .stop_at_end = false};
  const Trace trace = session_.run(generated);
  ASSERT_EQ(trace.tokens.size(), generated.target_ids.size() + 5);
  EXPECT_EQ(trace.generated, 5);
  RunRequest given = request(AttentionKind::kCross);
  given.target_ids.clear();
  for (const Token& token : trace.tokens) given.target_ids.push_back(token.id);
  EXPECT_EQ(cells(session_.run(given)), cells(trace));
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, TwoStacks,
                         testing::Values("t5", "t5_gated", "bart", "mbart", "marian"),
                         [](const auto& golden) { return golden.param; });

// The golden T5 with words "w1" to "w60" of its own.
class TwoTexts : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"config.json", "model.safetensors"})
      fs::copy_file(kGolden / "models" / "t5" / name, own_.path() / name);
    std::string vocabulary = R"("<pad>":0)";
    for (int i = 1; i <= 60; ++i) vocabulary += fmt::format(R"(,"w{0}":{0})", i);
    std::ofstream(own_.path() / "tokenizer.json")
        << R"({"version":"1.0","added_tokens":[{"id":0,"content":"<pad>","special":true}],)"
        << R"("normalizer":null,"pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":null,)"
        << R"("model":{"type":"WordLevel","unk_token":"w1","vocab":{)" << vocabulary << "}}}";
    request_.model = own_.path().string();
    request_.text = "w3 w4 w9 w50";
  }
  static std::vector<std::string> texts(const std::vector<Unit>& units) {
    std::vector<std::string> out;
    for (const Unit& unit : units) out.push_back(unit.text);
    return out;
  }
  TemporaryFolder own_;
  RunRequest request_;
  Session session_{Settings{}};
};

TEST_F(TwoTexts, AreTheRowsAndTheColumnsOfAView) {
  request_.target = "w7 w8";
  const Trace trace = session_.run(request_);
  EXPECT_EQ(trace.kind, AttentionKind::kCross);
  EXPECT_EQ(trace.columns().text, "w3 w4 w9 w50");
  ViewRequest all;
  all.all_heads = true;
  const View view = session_.view(trace, all);
  EXPECT_EQ(texts(view.units), (std::vector<std::string>{"<pad>", "w7", "w8"}));
  EXPECT_EQ(texts(view.columns().units), (std::vector<std::string>{"w3", "w4", "w9", "w50"}));
  ASSERT_EQ(view.heads.size(), trace.heads().size());
  for (const HeadMap& map : view.heads)
    for (std::int64_t row = 0; row < map.rows; ++row)
      EXPECT_NEAR(std::accumulate(map.weights.begin() + row * map.columns,
                                  map.weights.begin() + (row + 1) * map.columns, 0.0),
                  1, 1e-5);
  for (const Link& link : view.links) {
    EXPECT_LT(link.query, 3);
    EXPECT_LT(link.key, 4);
  }
  ViewRequest one;
  one.word = "w8";
  EXPECT_EQ(session_.view(trace, one).row, 2);
  one.word = "w9";  // of the columns, which attend to nothing
  EXPECT_THROW(session_.view(trace, one), Error);
}

TEST_F(TwoTexts, AGeneratedTargetIsTheTextOfItsTokens) {
  request_.generation = {.tokens = 6, .stop_at_end = false};
  const Generated made = session_.generate_text(request_);
  ASSERT_EQ(made.ids.size(), 6u);
  std::string expected;
  for (const std::int64_t id : made.ids)
    if (id != 0) expected += fmt::format("{}w{}", expected.empty() ? "" : " ", id);
  EXPECT_EQ(made.text, expected);
  const Trace trace = session_.run(request_);
  EXPECT_EQ(trace.text, expected);
  for (const Token& token : trace.tokens) {
    if (token.special) continue;
    EXPECT_NE(
        trace.text.substr(token.span.start, token.span.end - token.span.start).find(token.text),
        std::string::npos);
  }
}

TEST(Kinds, ThatAModelDoesNotHaveAreWrongUse) {
  Session session{Settings{}};
  const auto fails = [&](const char* model, AttentionKind kind, bool target) {
    RunRequest request;
    request.model = (kGolden / "models" / model).string();
    request.use_ids = true;
    request.ids = {5, 6, 7};
    request.use_target_ids = target;
    if (target) request.target_ids = {2, 9};
    request.kind = kind;
    try {
      session.run(request);
      return false;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kUsage) << error.what();
      return true;
    }
  };
  EXPECT_FALSE(fails("llama", AttentionKind::kSelf, false));
  EXPECT_FALSE(fails("llama", AttentionKind::kDecoder, false));
  EXPECT_TRUE(fails("llama", AttentionKind::kEncoder, false));
  EXPECT_TRUE(fails("llama", AttentionKind::kCross, false));
  EXPECT_TRUE(fails("llama", AttentionKind::kSelf, true));
  EXPECT_FALSE(fails("roberta", AttentionKind::kEncoder, false));
  EXPECT_TRUE(fails("roberta", AttentionKind::kDecoder, false));
  EXPECT_TRUE(fails("t5", AttentionKind::kSelf, true));
  EXPECT_TRUE(fails("t5", AttentionKind::kCross, false));
  EXPECT_TRUE(fails("t5", AttentionKind::kDecoder, false));
}

}  // namespace
}  // namespace regard
