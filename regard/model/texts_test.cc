// SPDX-License-Identifier: Apache-2.0
// Several texts in one pass against each text alone, bit for bit; and what an observer sees of MLP
// and language head.
#include <gtest/gtest.h>

#include "regard/model/golden.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

class Texts : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Texts, testing::ValuesIn(instruction_sets()));

TEST_P(Texts, InOnePassAreTheSameBitsAsEachAlone) {
  const OnInstructionSet forced(GetParam());
  for (const char* name :
       {"bert/masked_lm", "models/modernbert", "models/gpt2", "models/llama_dynamic",
        "models/mpnet", "models/mpt", "models/gpt_oss", "models/gemma2", "models/roberta"}) {
    SCOPED_TRACE(name);
    const Model model = Model::open((kGolden / name).string());
    for (const std::vector<std::int64_t>& lengths :
         {std::vector<std::int64_t>{5, 1, 30, 7}, {2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}) {
      ModelInput all;
      std::vector<float> expected;
      for (const std::int64_t length : lengths) {
        ModelInput one;
        for (std::int64_t i = 0; i < length; ++i) one.ids.push_back((7 * i + 3 * length) % 50 + 3);
        all.starts.push_back(static_cast<std::int64_t>(all.ids.size()));
        all.ids.insert(all.ids.end(), one.ids.begin(), one.ids.end());
        const Tensor hidden = model.forward(one);
        expected.insert(expected.end(), hidden.span().begin(), hidden.span().end());
      }
      const Tensor hidden = model.forward(all);
      EXPECT_EQ(std::vector<float>(hidden.span().begin(), hidden.span().end()), expected);
    }
  }
}

// Positions that are left out are as tokens there that nobody sees.
TEST_P(Texts, WithGapsInTheirPositionsAreAsWithMaskedTokensInTheGaps) {
  const OnInstructionSet forced(GetParam());
  for (const char* name : {"models/nomic_bert", "models/llama"}) {
    SCOPED_TRACE(name);
    const Model model = Model::open((kGolden / name).string());
    ModelInput gapped, masked;
    for (const std::int64_t position : {0, 1, 4, 5, 9, 17, 18}) {
      for (auto i = std::ssize(masked.ids); i <= position; ++i) {
        masked.ids.push_back(7 + i);
        masked.key_valid.push_back(i == position);
      }
      gapped.ids.push_back(masked.ids.back());
      gapped.positions.push_back(position);
    }
    const Tensor a = model.forward(gapped), b = model.forward(masked);
    const auto width = static_cast<std::size_t>(model.spec().width);
    float apart = 0;
    for (std::size_t i = 0; i < gapped.ids.size(); ++i)
      for (std::size_t k = 0; k < width; ++k)
        apart = std::max(
            apart, std::abs(a.data()[i * width + k] -
                            b.data()[static_cast<std::size_t>(gapped.positions[i]) * width + k]));
    EXPECT_LT(apart, 2e-4f);
    gapped.positions.clear();
    const Tensor without = model.forward(gapped);
    const std::size_t last = 6 * width;
    EXPECT_GT(std::abs(without.data()[last] - a.data()[last]), 1e-3f);
  }
}

// Keeps what the points show.
struct Keeper : Observer {
  void at(Point point, int layer, MutableView view) override {
    auto& values = seen[{point, layer}];
    values.insert(values.end(), view.data, view.data + element_count(view.shape));
    columns[point] = view.shape[1];
  }
  std::map<std::pair<Point, int>, std::vector<float>> seen;
  std::map<Point, std::int64_t> columns;
};

TEST(TextsOnce, ShowTheMlpBeforeItsActivationForEveryRow) {
  const Model model = Model::open((kGolden / "models/llama").string());
  const ModelSpec& spec = model.spec();
  ModelInput input;
  for (std::int64_t i = 0; i < 2100; ++i) input.ids.push_back(i % 61);  // two runs of rows
  Keeper keeper;
  const Tensor hidden = model.forward(input, &keeper);
  const auto n = input.ids.size(), width = static_cast<std::size_t>(spec.width);
  for (int layer = 0; layer < static_cast<int>(spec.layers); ++layer) {
    const std::vector<float>& up = keeper.seen.at({Point::kMlpUp, layer});
    const std::vector<float>& gate = keeper.seen.at({Point::kMlpGate, layer});
    ASSERT_EQ(up.size(), n * static_cast<std::size_t>(spec.mlp_width));
    ASSERT_EQ(gate.size(), up.size());
    // The MLP's output is down(silu(gate) * up), here of the last row in double precision.
    const TensorView down = model.checkpoint().at(
        "model.layers." + std::to_string(layer) + ".mlp.down_proj.weight", Shape{-1, -1});
    const auto middle = static_cast<std::size_t>(spec.mlp_width);
    for (std::size_t i = 0; i < width; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < middle; ++j) {
        const double g = gate[(n - 1) * middle + j];
        sum += g / (1 + std::exp(-g)) * up[(n - 1) * middle + j] *
               static_cast<double>(down.f32()[i * middle + j]);
      }
      EXPECT_NEAR(keeper.seen.at({Point::kMlpOut, layer})[(n - 1) * width + i], sum, 1e-4);
    }
  }
}

TEST(TextsOnce, ShowTheHeadBeforeItsActivation) {
  const Model model = Model::open((kGolden / "bert/masked_lm").string());
  ModelInput input;
  input.ids = {5, 6, 7};
  const Tensor hidden = model.forward(input);
  Keeper keeper;
  model.language_logits(hidden.data(), 3, &keeper);
  const std::pair key{Point::kHeadDense, static_cast<int>(model.spec().layers)};
  EXPECT_EQ(keeper.seen.at(key).size(), static_cast<std::size_t>(3 * model.spec().width));
}

TEST(TextsOnce, HavePositionsOfTheirOwnWhereTheseAreRotaryAlone) {
  ModelInput input;
  input.ids = {5, 6, 7, 8};
  input.starts = {0, 2};
  const Model llama = Model::open((kGolden / "models/llama").string());
  for (const std::vector<std::int64_t>& wrong :
       {std::vector<std::int64_t>{0, 1, 0}, {0, 0, 0, 1}, {-1, 0, 0, 1}, {0, 1, 1, 0}}) {
    input.positions = wrong;
    EXPECT_THROW(llama.forward(input), Error);
  }
  input.positions = {0, 3, 0, 2};
  EXPECT_NO_THROW(llama.forward(input));
  for (const char* name : {"models/gpt2", "models/mpnet", "models/mpt", "models/modernbert"})
    EXPECT_THROW(Model::open((kGolden / name).string()).forward(input), Error) << name;
}

TEST(TextsOnce, ThatCannotBeAreErrors) {
  const Model model = Model::open((kGolden / "models/gpt2").string());
  ModelInput input;
  input.ids = {5, 6, 7, 8};
  for (const std::vector<std::int64_t>& starts :
       {std::vector<std::int64_t>{1, 2}, {0, 2, 2}, {0, 3, 1}, {0, 4}, {0, -1}}) {
    input.starts = starts;
    EXPECT_THROW(model.forward(input), Error);
  }
  input.ids.assign(60, 5);  // more positions than 48 together, not each
  input.starts = {0, 40};
  EXPECT_NO_THROW(model.forward(input));
  input.starts = {0, 50};
  EXPECT_THROW(model.forward(input), Error);
  input.starts = {0, 40};
  Trace trace;
  Recorder recorder(&trace);  // wants an overview, which is of one text
  EXPECT_THROW(model.forward(input, &recorder), Error);
  input.key_valid.assign(60, 1);
  EXPECT_THROW(model.forward(input), Error);
}

}  // namespace
}  // namespace regard
