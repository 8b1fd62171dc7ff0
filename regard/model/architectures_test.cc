// SPDX-License-Identifier: Apache-2.0
// Every architecture's forward pass against what PyTorch says in float64: each checkpoint of
// tests/golden/models (made by tools/make_model_golden.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "regard/model/golden.h"

namespace regard {
namespace {

class ModelGolden : public testing::TestWithParam<std::string> {
 protected:
  struct Kind {
    AttentionKind kind;
    std::string prefix, hidden;
  };
  static std::vector<Kind> kinds(const ModelSpec& spec) {
    if (!spec.decoder) return {{AttentionKind::kEncoder, "", "hidden"}};
    return {{AttentionKind::kEncoder, "encoder_", "encoder_hidden"},
            {AttentionKind::kCross, "cross_", ""},
            {AttentionKind::kDecoder, "decoder_", "decoder_hidden"}};
  }
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
  if (expected.find("target")) input.target = integers(expected, "target");
  const auto n = std::ssize(expected.find("target") ? input.target : input.ids);
  for (const std::string& set : sets()) {
    SCOPED_TRACE(set);
    const OnInstructionSet forced(set);
    const Model model = Model::open(folder.string());
    const ModelSpec& spec = model.spec();
    Tensor last;
    double worst = 0;
    for (const Kind& kind : kinds(spec)) {
      SCOPED_TRACE(kind.prefix);
      input.kind = kind.kind;
      Trace trace;
      if (kind.kind != AttentionKind::kDecoder) trace.key_valid = input.key_valid;
      Watcher watcher(&trace);
      last = model.forward(input, &watcher);
      const std::string attention = kind.prefix + "attention";
      const double difference =
          distance(cells(trace), floats(expected, attention, {-1, -1, -1, -1}));
      EXPECT_LE(difference, number(expected, "tolerance." + attention));
      worst = std::max(worst, difference);
      if (kind.hidden.empty() || !expected.find(kind.hidden)) continue;
      const StackSpec& stack =
          spec.decoder && kind.kind != AttentionKind::kEncoder ? *spec.decoder : spec;
      const std::vector<float> hidden =
          floats(expected, kind.hidden, {stack.layers + 1, -1, spec.width});
      // The last hidden state is after the final norm.
      const bool all = !spec.decoder || kind.kind != AttentionKind::kEncoder;
      if (all)
        std::copy(last.span().begin(), last.span().end(), watcher.hidden.end() - last.size());
      const std::size_t layers = static_cast<std::size_t>(stack.layers);
      const std::size_t rows = all ? hidden.size() : hidden.size() / (layers + 1) * layers;
      ASSERT_EQ(watcher.hidden.size(), hidden.size());
      EXPECT_LE(distance(std::span(watcher.hidden).first(rows), std::span(hidden).first(rows)),
                number(expected, "tolerance." + kind.hidden));
    }
    // For tools/make_models_doc.py.
    RecordProperty("architecture", spec.architecture);
    RecordProperty("attention_difference", std::to_string(worst * 1e6));
    // A base model whose decoder is tied gives logits too.
    if (!expected.find("logits")) continue;
    ASSERT_TRUE(model.has_language_head());
    const Tensor logits = model.language_logits(last.data(), n);
    EXPECT_LE(distance(logits.span(), floats(expected, "logits", {n, spec.vocabulary})),
              number(expected, "tolerance.logits"));
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, ModelGolden, testing::ValuesIn(cases_of("models")),
                         [](const auto& golden) { return golden.param; });

}  // namespace
}  // namespace regard
