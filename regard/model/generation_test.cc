// SPDX-License-Identifier: Apache-2.0
// Generation with kept keys and values against forward passes over the whole text each time.
#include "regard/model/generation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "regard/model/golden.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

Model open_case(const std::string& name) {
  return Model::open((kGolden / "models" / name).string());
}

// Logits of the token after `ids`, from a whole forward pass.
Tensor next_logits(const Model& model, ModelInput input, const std::vector<std::int64_t>& ids) {
  (model.spec().decoder ? input.target : input.ids) = ids;
  input.kind = AttentionKind::kDecoder;
  const Tensor hidden = model.forward(input);
  return model.language_logits(hidden.data() + hidden.size() - hidden.shape()[1], 1);
}

class Generation : public testing::TestWithParam<std::string> {};

// phi3_longrope_short crosses its original length of 48 on the way, llama_dynamic its 24.
TEST_P(Generation, GreedyEqualsWholeForwardPasses) {
  const Model model = open_case(GetParam());
  ModelInput input;
  for (std::int64_t i = 0; i < 17; ++i) input.ids.push_back((7 * i + 3) % 61);
  if (model.spec().decoder) input.target = {2, 9, 4};
  std::vector<std::int64_t> ids = model.spec().decoder ? input.target : input.ids;
  const std::vector<std::int64_t> got =
      generate(model, input, {.tokens = 34, .stop_at_end = false});
  const auto room =
      model.spec().decoder ? model.spec().decoder->max_positions : model.spec().max_positions;
  for (std::size_t i = 0; i < 34 && (room == 0 || std::ssize(ids) < room); ++i) {
    const Tensor logits = next_logits(model, input, ids);
    ids.push_back(choose_token(logits.data(), logits.size(), 0, 1, 0));
    ASSERT_LT(i, got.size());
    ASSERT_EQ(got[i], ids.back()) << "token " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Generation,
                         testing::Values("llama", "llama_dynamic", "gemma3", "phi3_longrope_short",
                                         "gpt2", "bloom", "falcon_alibi", "gpt_oss", "t5", "bart"));

TEST(GenerationOptionsTest, OneSeedGivesOneText) {
  const Model model = open_case("llama");
  ModelInput input;
  input.ids = {5, 6, 7};
  const GenerationOptions options{
      .tokens = 20, .temperature = 1.5f, .seed = 11, .stop_at_end = false};
  GenerationOptions other = options;
  other.seed = 12;
  EXPECT_EQ(generate(model, input, options), generate(model, input, options));
  EXPECT_NE(generate(model, input, options), generate(model, input, other));
}

TEST(GenerationOptionsTest, EncodersCannotContinueAText) {
  ModelInput input;
  input.ids = {5, 6, 7};
  EXPECT_THROW(generate(open_case("roberta"), input, {}), Error);
  EXPECT_THROW(generate(open_case("llama"), input, {.tokens = 0}), Error);
  EXPECT_THROW(generate(open_case("llama"), input, {.top_p = 0}), Error);
}

// As many beams as tokens in the vocabulary see every text of two tokens.
TEST(BeamSearch, FindsTheLikeliestOfAllTexts) {
  const Model model = open_case("llama");
  ModelInput input;
  input.ids = {5, 6, 7};
  const std::int64_t vocabulary = model.spec().vocabulary;
  const auto log_probability = [&](const std::vector<std::int64_t>& ids, std::int64_t id) {
    const Tensor logits = next_logits(model, input, ids);
    double sum = 0;
    for (float x : logits.span()) sum += std::exp(static_cast<double>(x));
    return static_cast<double>(logits.data()[id]) - std::log(sum);
  };
  double best = -1e30;
  std::vector<std::int64_t> text;
  for (std::int64_t a = 0; a < vocabulary; ++a) {
    const double first = log_probability(input.ids, a);
    if (first < best) continue;  // a second token makes no text likelier
    std::vector<std::int64_t> longer = input.ids;
    longer.push_back(a);
    for (std::int64_t b = 0; b < vocabulary; ++b) {
      const double both = first + log_probability(longer, b);
      if (both > best) {
        best = both;
        text = {a, b};
      }
    }
  }
  EXPECT_EQ(generate(model, input, {.tokens = 2, .beams = vocabulary, .stop_at_end = false}), text);
}

// What generate(num_beams=4, max_new_tokens=12) of transformers 5.23 gives for float32: texts that
// end by themselves, and texts that the limit ends though others have ended.
TEST(BeamSearch, EqualsTransformersWhereTextsEnd) {
  const Model model = open_case("llama");
  const std::vector<std::vector<std::int64_t>> expected = {
      {11, 11, 49, 27, 46, 32, 32, 32, 32, 55, 37, 19},
      {6, 53, 59, 59, 5, 6, 53, 2},
      {0, 32, 36, 18, 54, 49, 59, 32, 19, 30, 59, 54},
      {57, 0, 22, 17, 32, 58, 18, 32, 58, 18, 32, 58},
      {32, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6},
      {6, 32, 25, 2},
      {32, 54, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11},
      {54, 28, 38, 35, 59, 59, 59, 59, 59, 59, 59, 59}};
  for (std::size_t s = 0; s < expected.size(); ++s) {
    ModelInput input;
    for (std::int64_t i = 0; i < 9; ++i)
      input.ids.push_back((static_cast<std::int64_t>(s) * 11 + 7 * i + 3) % 58 + 3);
    EXPECT_EQ(generate(model, input, {.tokens = 12, .beams = 4}), expected[s]) << s;
  }
}

// The folder's generation_config.json wins over config.json, as in generate() of transformers.
class GenerationConfig : public testing::Test {
 protected:
  GenerationConfig() {
    fs::create_directories(folder_);
    for (const char* name : {"config.json", "model.safetensors"})
      fs::copy_file(kGolden / "models" / "llama" / name, folder_ / name,
                    fs::copy_options::overwrite_existing);
  }
  ~GenerationConfig() override { fs::remove_all(folder_); }
  void write(const std::string& text) const {
    std::ofstream(folder_ / "generation_config.json") << text;
  }

  // A folder for each test, since they may run at the same time.
  const fs::path folder_ =
      fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
};

// The text goes on to the first of them and keeps it.
TEST_F(GenerationConfig, NamesTheTokensThatEndAText) {
  write(R"({"eos_token_id": [60, 59], "do_sample": true, "temperature": 0.7})");
  const Model model = Model::open(folder_.string());
  EXPECT_EQ(model.spec().ends, (std::vector<std::int64_t>{60, 59}));
  EXPECT_TRUE(model.spec().notes.empty());
  ModelInput input;
  for (std::int64_t i = 0; i < 9; ++i) input.ids.push_back((11 + 7 * i + 3) % 58 + 3);
  const std::vector<std::int64_t> free =
      generate(model, input, {.tokens = 12, .stop_at_end = false});
  const auto end =
      std::find_if(free.begin(), free.end(), [](std::int64_t id) { return id == 59 || id == 60; });
  ASSERT_NE(end, free.end());
  EXPECT_EQ(generate(model, input, {.tokens = 12}),
            (std::vector<std::int64_t>(free.begin(), end + 1)));
}

TEST_F(GenerationConfig, WithoutEndsLeavesThoseOfTheConfiguration) {
  const auto before = Model::open(folder_.string()).spec().ends;
  write(R"({"eos_token_id": null, "num_beams": 1, "repetition_penalty": 1.0})");
  const Model model = Model::open(folder_.string());
  EXPECT_EQ(model.spec().ends, before);
  EXPECT_TRUE(model.spec().notes.empty());
}

TEST_F(GenerationConfig, KeysThatAreNotObeyedAreNoted) {
  write(R"({"bad_words_ids": [[1]], "forced_bos_token_id": 7, "num_beams": 4, "min_length": 0})");
  EXPECT_EQ(
      Model::open(folder_.string()).spec().notes,
      std::vector<std::string>{"generation_config.json: not obeyed by generate: \"bad_words_ids\", "
                               "\"forced_bos_token_id\", \"num_beams\""});
}

TEST_F(GenerationConfig, ThatIsBrokenIsAnErrorThatNamesIt) {
  write("{\"eos_token_id\": [1, \"two\"]}");
  try {
    Model::open(folder_.string());
    FAIL() << "expected an error";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("generation_config.json"), std::string::npos) << what;
    EXPECT_NE(what.find("eos_token_id"), std::string::npos) << what;
  }
}

// Probabilities 0.5, 0.3 and 0.2 of tokens 1, 2 and 0.
TEST(ChooseToken, SamplesFromTheNucleus) {
  const float logits[] = {std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  EXPECT_EQ(choose_token(logits, 3, 1, 1, 0.49), 1);
  EXPECT_EQ(choose_token(logits, 3, 1, 1, 0.51), 2);
  EXPECT_EQ(choose_token(logits, 3, 1, 1, 0.81), 0);
  EXPECT_EQ(choose_token(logits, 3, 1, 0.7f, 0.62), 1);  // 0.5 of the 0.8 that is kept is 0.625
  EXPECT_EQ(choose_token(logits, 3, 1, 0.7f, 0.99), 2);
  EXPECT_EQ(choose_token(logits, 3, 1, 0.1f, 0.99), 1);
  EXPECT_EQ(choose_token(logits, 3, 0, 1, 0.99), 1);
  EXPECT_EQ(choose_token(logits, 3, 0.01f, 1, 0.99), 1);
}

}  // namespace
}  // namespace regard
