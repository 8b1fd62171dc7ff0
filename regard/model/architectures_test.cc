// SPDX-License-Identifier: Apache-2.0
// Every architecture's forward pass against what PyTorch says in float64: each checkpoint of
// tests/golden/models (made by tools/make_model_golden.py).
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "regard/model/model_golden.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

constexpr std::size_t kChangedTokens = 32;
constexpr std::int64_t kChangedRows = 2;
const std::set<std::string> kWithoutChanges = {"mixtral_fused"};

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

// changed.safetensors: the configuration with one key changed, and the last rows of the results on
// the first tokens (tools/model_golden_changes.py).
TEST_P(ModelGolden, EachKeyMovesTheResultAsInPyTorch) {
  const fs::path folder = kGolden / "models" / GetParam();
  if (!fs::exists(folder / "changed.safetensors")) {
    // Another case of the same architecture has its keys.
    EXPECT_TRUE(GetParam().ends_with("_usual") || GetParam().ends_with("_mxfp4") ||
                kWithoutChanges.contains(GetParam()));
    return;
  }
  const SafetensorsFile expected =
      SafetensorsFile::open((folder / "expected.safetensors").string());
  const SafetensorsFile changed = SafetensorsFile::open((folder / "changed.safetensors").string());
  const TemporaryFolder other;
  fs::create_symlink(folder / "model.safetensors", other.path() / "model.safetensors");
  EXPECT_TRUE(changed.metadata().contains("0.key"));
  for (int i = 0; changed.metadata().contains(std::to_string(i) + ".key"); ++i) {
    const std::string prefix = std::to_string(i) + ".";
    const std::string& config = changed.metadata().at(prefix + "config");
    SCOPED_TRACE(changed.metadata().at(prefix + "key") + " in " + config);
    std::ofstream(other.path() / "config.json") << config;
    const Model model = Model::open(other.path().string());
    const double tolerance = number(changed, prefix + "tolerance");
    ModelInput input = golden_input(expected);
    for (auto* part : {&input.ids, &input.types, &input.target})
      if (part->size() > kChangedTokens) part->resize(kChangedTokens);
    if (input.key_valid.size() > kChangedTokens) input.key_valid.resize(kChangedTokens);
    Tensor last;
    for (const GoldenKind& kind : golden_kinds(model.spec())) {
      SCOPED_TRACE(kind.prefix);
      input.kind = kind.kind;
      Trace trace;
      if (kind.kind != AttentionKind::kDecoder) trace.key_valid = input.key_valid;
      Recorder recorder(&trace);
      last = model.forward(input, &recorder);
      EXPECT_LE(
          distance(last_rows(trace, kChangedRows),
                   floats(changed, prefix + kind.prefix + "attention", {-1, -1, kChangedRows, -1})),
          tolerance);
    }
    if (!changed.find(prefix + "logits") || !model.has_language_head()) continue;
    const Tensor logits = model.language_logits(last.data() + last.size() - model.spec().width, 1);
    EXPECT_LE(
        distance(logits.span(), floats(changed, prefix + "logits", {1, model.spec().vocabulary})),
        tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, ModelGolden, testing::ValuesIn(cases_of("models")),
                         [](const auto& golden) { return golden.param; });

}  // namespace
}  // namespace regard
