// SPDX-License-Identifier: Apache-2.0
// Gradients of attention against PyTorch's (tools/make_training_golden.py), on every instruction
// set of the machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "regard/attention/backward_testing.h"
#include "regard/checkpoint/safetensors.h"
#include "regard/platform/cpu.h"

namespace regard {
namespace {

class AttentionBackwardGolden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_instruction_set(GetParam()); }
  void TearDown() override { force_instruction_set(""); }
};
INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, AttentionBackwardGolden,
                         testing::ValuesIn(instruction_sets()));

const SafetensorsFile& golden() {
  static const SafetensorsFile file = SafetensorsFile::open(
      std::string(REGARD_SOURCE_DIR) + "/tests/golden/training/attention.safetensors");
  return file;
}

constexpr const char* kParts[] = {"query",          "key",         "value", "bias", "sinks",
                                  "query_relative", "key_relative"};

std::vector<float> floats(const std::string& name, Shape* shape = nullptr) {
  const TensorView view = golden().find(name).value();
  std::vector<float> values(static_cast<std::size_t>(view.size()));
  convert_to_f32(view, values);
  if (shape != nullptr) *shape = view.shape;
  return values;
}

GradientRun golden_run(const std::string& name) {
  GradientRun run;
  Shape query, key, value, part_shape;
  for (const char* part : kParts)
    if (golden().find(name + "." + part)) run.array[part] = floats(name + "." + part);
  floats(name + ".query", &query);
  floats(name + ".key", &key);
  floats(name + ".value", &value);
  run.out_gradient = floats(name + ".out_gradient");
  run.in.heads = query[0], run.in.queries = query[1], run.in.dim = query[2];
  run.in.kv_heads = key[0], run.in.keys = key[1], run.in.value_dim = value[2];
  run.in.score = score_spec_from_json(golden().metadata().at("score." + name), "golden", name);
  if (run.array.contains("bias")) run.in.terms.bias_reach = 20;
  if (const auto slot = golden().find(name + ".slot")) {
    run.slot.resize(static_cast<std::size_t>(slot->size()));
    std::memcpy(run.slot.data(), slot->data, run.slot.size() * sizeof(std::int32_t));
    run.in.terms.slots = 16;
    run.in.terms.slot_reach = 20;
  }
  if (golden().find(name + ".slopes")) run.slopes = floats(name + ".slopes");
  const auto padding = std::stoul(golden().metadata().at("padding." + name));
  if (padding > 0) {
    run.valid.assign(static_cast<std::size_t>(run.in.keys), 1);
    std::fill(run.valid.end() - static_cast<std::ptrdiff_t>(padding), run.valid.end(), 0);
  }
  return run;
}

TEST_P(AttentionBackwardGolden, EqualsPyTorchForEveryOptionOfAScore) {
  int cases = 0, arrays = 0;
  for (const auto& [key, spec] : golden().metadata()) {
    if (!key.starts_with("score.")) continue;
    const std::string name = key.substr(6);
    SCOPED_TRACE(name);
    ++cases;
    GradientRun run = golden_run(name);
    run.backward();
    for (const auto& [part, found] : run.gradient) {
      const std::vector<float> expected = floats(name + "." + part + "_gradient");
      ASSERT_EQ(found.size(), expected.size());
      float largest = 0;
      for (const float x : expected) largest = std::max(largest, std::abs(x));
      ASSERT_GT(largest, 0.01f);
      for (std::size_t i = 0; i < found.size(); ++i)
        ASSERT_NEAR(found[i], expected[i], 5e-6f * largest) << part << " " << i;
      ++arrays;
    }
  }
  EXPECT_EQ(cases, 17);
  EXPECT_EQ(arrays, 17 * 3 + 2 * 2 + 1 + 2);
}

}  // namespace
}  // namespace regard
