// SPDX-License-Identifier: Apache-2.0
// The forward pass against what PyTorch says in float64: every checkpoint of tests/golden/bert
// (made by tools/make_golden.py) and the real MiniLM (tools/make_minilm_golden.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "regard/model/golden.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {
namespace {

class BertGolden : public testing::TestWithParam<std::string> {};

TEST_P(BertGolden, ForwardEqualsPyTorchOnEveryInstructionSet) {
  const fs::path folder = kGolden / "bert" / GetParam();
  const SafetensorsFile expected =
      SafetensorsFile::open((folder / "expected.safetensors").string());
  ModelInput input;
  input.ids = integers(expected, "ids");
  input.types = integers(expected, "types");
  for (const std::int64_t valid : integers(expected, "mask")) {
    input.key_valid.push_back(valid != 0);
  }
  const auto n = static_cast<std::int64_t>(input.ids.size());

  for (const std::string& set : instruction_sets()) {
    SCOPED_TRACE(set);
    const OnInstructionSet forced(set);
    const Model model = Model::open(folder.string());
    const ModelSpec& spec = model.spec();
    Trace trace;
    trace.key_valid = input.key_valid;
    Watcher watcher(&trace);
    const Tensor last = model.forward(input, &watcher);

    const std::vector<float> attention =
        floats(expected, "attention", {spec.layers, spec.heads, n, n});
    EXPECT_LE(distance(cells(trace), attention), number(expected, "tolerance.attention"));
    const std::vector<float> hidden = floats(expected, "hidden", {spec.layers + 1, n, spec.width});
    const double tolerance = number(expected, "tolerance.hidden");
    EXPECT_LE(distance(watcher.hidden, hidden), tolerance);
    EXPECT_LE(
        distance(last.span(), std::span(hidden).last(static_cast<std::size_t>(n * spec.width))),
        tolerance);

    EXPECT_EQ(model.has_language_head(), expected.find("logits").has_value());
    if (!model.has_language_head()) continue;
    const Tensor logits = model.language_logits(last.data(), n);
    EXPECT_LE(distance(logits.span(), floats(expected, "logits", {n, spec.vocabulary})),
              number(expected, "tolerance.logits"));
  }
}

// With neither token types nor mask given, all are 0 and all tokens are valid.
TEST_P(BertGolden, InputDefaultsToOneTextWithoutPadding) {
  const fs::path folder = kGolden / "bert" / GetParam();
  const SafetensorsFile expected =
      SafetensorsFile::open((folder / "expected.safetensors").string());
  const auto types = integers(expected, "types"), mask = integers(expected, "mask");
  if (std::count(types.begin(), types.end(), 0) != std::ssize(types) ||
      std::count(mask.begin(), mask.end(), 0) != 0) {
    return;  // the case is about just these
  }
  const Model model = Model::open(folder.string());
  const auto n = std::ssize(types);
  Trace trace;
  Watcher watcher(&trace);
  ModelInput input;
  input.ids = integers(expected, "ids");
  model.forward(input, &watcher);
  EXPECT_LE(distance(watcher.hidden, floats(expected, "hidden", {-1, n, -1})),
            number(expected, "tolerance.hidden"));
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, BertGolden, testing::ValuesIn(cases_of("bert")),
                         [](const auto& golden) { return golden.param; });

TEST(BertGoldenFolder, HoldsEveryKindOfCase) {
  const std::vector<std::string> names = cases_of("bert");
  const std::set<std::string> present(names.begin(), names.end());
  for (const char* name : {"one_layer", "four_layers", "head_size_64", "odd_width", "long", "relu",
                           "tanh", "gelu_new", "large_epsilon", "one_type", "three_types", "pair",
                           "padding", "masked_lm", "masked_lm_untied", "half", "sharded"}) {
    EXPECT_TRUE(present.contains(name)) << name;
  }
}

// The folder of the real model, in REGARD_MINILM.
class MiniLm : public testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("REGARD_MINILM");
    if (folder == nullptr || *folder == '\0') GTEST_SKIP() << "REGARD_MINILM names no folder";
    folder_ = folder;
  }
  std::string folder_;
};

TEST_F(MiniLm, AttentionEqualsPyTorchOnEveryInstructionSet) {
  const SafetensorsFile expected = SafetensorsFile::open((kGolden / "minilm.safetensors").string());
  const double tolerance = number(expected, "tolerance");
  const Tokenizer tokenizer = Tokenizer::open(folder_);
  for (const std::string& set : instruction_sets()) {
    SCOPED_TRACE(set);
    const OnInstructionSet forced(set);
    const Model model = Model::open(folder_);
    for (const std::string sentence : {"0", "1", "2"}) {
      const TensorView bytes =
          expected.at(sentence + ".text", DType::kU8, std::vector<std::int64_t>{-1});
      const std::string text(reinterpret_cast<const char*>(bytes.data),
                             static_cast<std::size_t>(bytes.size()));
      SCOPED_TRACE(text);
      ModelInput input;
      for (const Token& token : tokenizer.encode(text).tokens) input.ids.push_back(token.id);
      ASSERT_EQ(input.ids, integers(expected, sentence + ".ids"));
      Trace trace;
      Recorder recorder(&trace);
      model.forward(input, &recorder);
      const auto n = std::ssize(input.ids);
      EXPECT_LE(distance(cells(trace), floats(expected, sentence + ".attention",
                                              {model.spec().layers, model.spec().heads, n, n})),
                tolerance);
    }
  }
}

// Measured with transformers on the sentence that everything here began with.
TEST_F(MiniLm, ItLooksAtAnimalAndTired) {
  const Tokenizer tokenizer = Tokenizer::open(folder_);
  ModelInput input;
  for (const Token& token :
       tokenizer.encode("The animal didn't cross the street because it was too tired.").tokens) {
    input.ids.push_back(token.id);
  }
  const auto position = [&](const char* word) {
    const auto id = tokenizer.id(word);
    const auto found = std::find(input.ids.begin(), input.ids.end(), id.value_or(-1));
    EXPECT_NE(found, input.ids.end()) << word;
    return found - input.ids.begin();
  };
  Trace trace;
  Recorder recorder(&trace);
  Model::open(folder_).forward(input, &recorder);
  const auto it = position("it"), animal = position("animal"), tired = position("tired");
  EXPECT_NEAR(trace.map({3, 1}).cell(it, animal), 0.6768, 5e-5);
  EXPECT_NEAR(trace.map({5, 11}).cell(it, animal), 0.6733, 5e-5);
  EXPECT_NEAR(trace.map({2, 1}).cell(it, tired), 0.7146, 5e-5);
}

}  // namespace
}  // namespace regard
