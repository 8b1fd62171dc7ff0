// SPDX-License-Identifier: Apache-2.0
// Every architecture's forward pass against what PyTorch says in float64: each checkpoint of
// tests/golden/models (made by tools/make_model_golden.py).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "regard/model/golden.h"

namespace regard {
namespace {

class ModelGolden : public testing::TestWithParam<std::string> {
 protected:
  // The default set for all, every set for a few.
  std::vector<std::string> sets() const {
    return GetParam() == "llama" || GetParam() == "gemma3" ? instruction_sets()
                                                           : std::vector<std::string>{""};
  }
};

TEST_P(ModelGolden, ForwardEqualsPyTorch) {
  const fs::path folder = kGolden / "models" / GetParam();
  const SafetensorsFile expected =
      SafetensorsFile::open((folder / "expected.safetensors").string());
  ModelInput input;
  input.ids = integers(expected, "ids");
  if (expected.find("types")) input.types = integers(expected, "types");
  if (expected.find("mask"))
    for (const std::int64_t valid : integers(expected, "mask"))
      input.key_valid.push_back(valid != 0);
  const auto n = std::ssize(input.ids);
  for (const std::string& set : sets()) {
    SCOPED_TRACE(set);
    const OnInstructionSet forced(set);
    const Model model = Model::open(folder.string());
    const ModelSpec& spec = model.spec();
    Trace trace;
    trace.key_valid = input.key_valid;
    Watcher watcher(&trace);
    const Tensor last = model.forward(input, &watcher);
    EXPECT_LE(
        distance(cells(trace), floats(expected, "attention", {spec.layers, spec.heads, n, n})),
        number(expected, "tolerance.attention"));
    // The last hidden state is after the final norm.
    std::copy(last.span().begin(), last.span().end(), watcher.hidden.end() - last.size());
    EXPECT_LE(distance(watcher.hidden, floats(expected, "hidden", {spec.layers + 1, n, -1})),
              number(expected, "tolerance.hidden"));
    ASSERT_EQ(model.has_language_head(), expected.find("logits").has_value());
    if (!model.has_language_head()) continue;
    const Tensor logits = model.language_logits(last.data(), n);
    EXPECT_LE(distance(logits.span(), floats(expected, "logits", {n, spec.vocabulary})),
              number(expected, "tolerance.logits"));
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, ModelGolden, testing::ValuesIn(cases_of("models")),
                         [](const auto& golden) { return golden.param; });

}  // namespace
}  // namespace regard
