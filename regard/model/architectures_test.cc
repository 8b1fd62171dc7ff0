// SPDX-License-Identifier: Apache-2.0
// Every architecture's forward pass against what PyTorch says in float64: each checkpoint of
// tests/golden/models (made by tools/make_model_golden.py).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "regard/model/model_golden.h"

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
  for (const std::string& set : sets()) {
    SCOPED_TRACE(set);
    const OnInstructionSet forced(set);
    const Model model = Model::open(folder.string());
    const double worst = expect_golden(model, expected);
    // For tools/make_models_doc.py.
    RecordProperty("architecture", model.spec().architecture);
    RecordProperty("attention_difference", std::to_string(worst * 1e6));
    EXPECT_TRUE(model.has_language_head() || !expected.find("logits"));
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, ModelGolden, testing::ValuesIn(cases_of("models")),
                         [](const auto& golden) { return golden.param; });

}  // namespace
}  // namespace regard
