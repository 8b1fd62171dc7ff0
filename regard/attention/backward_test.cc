// SPDX-License-Identifier: Apache-2.0
// Gradients of attention against PyTorch's (tools/make_training_golden.py), and against finite
// differences of the definition in double precision, on every instruction set of the machine.
#include "regard/attention/backward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "regard/checkpoint/safetensors.h"
#include "regard/platform/cpu.h"

namespace regard {
namespace {

class AttentionBackward : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_instruction_set(GetParam()); }
  void TearDown() override { force_instruction_set(""); }
};
INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, AttentionBackward,
                         testing::ValuesIn(instruction_sets()));

const SafetensorsFile& golden() {
  static const SafetensorsFile file = SafetensorsFile::open(
      std::string(REGARD_SOURCE_DIR) + "/tests/golden/training/attention.safetensors");
  return file;
}

constexpr const char* kParts[] = {"query",          "key",         "value", "bias", "sinks",
                                  "query_relative", "key_relative"};

// Inputs by part, an attention over them, and where its gradients go.
struct Gradients {
  std::map<std::string, std::vector<float>> array, gradient;
  std::vector<std::int32_t> slot;
  std::vector<float> slopes, out, out_gradient;
  std::vector<double> lse;
  std::vector<std::uint8_t> valid;
  AttentionInput in;

  void point() {
    const auto at = [&](const char* part) -> const float* {
      const auto found = array.find(part);
      return found == array.end() ? nullptr : found->second.data();
    };
    in.query = at("query"), in.key = at("key"), in.value = at("value");
    in.terms.bias = at("bias"), in.terms.sinks = at("sinks");
    in.terms.query_relative = at("query_relative"), in.terms.key_relative = at("key_relative");
    in.terms.slot = slot.empty() ? nullptr : slot.data();
    in.terms.slopes = slopes.empty() ? nullptr : slopes.data();
    in.key_valid = valid.empty() ? nullptr : valid.data();
  }

  void backward() {
    point();
    out.assign(static_cast<std::size_t>(in.queries * in.heads * in.value_dim), 0.0f);
    lse.assign(static_cast<std::size_t>(in.heads * in.queries), 0.0);
    attention_forward(in, {out.data(), lse.data()});
    const auto room = [&](const char* part) -> float* {
      if (!array.contains(part)) return nullptr;
      // Whatever was there is overwritten.
      gradient[part].assign(array[part].size(), std::numeric_limits<float>::quiet_NaN());
      return gradient[part].data();
    };
    attention_backward(in, {out.data(), lse.data(), out_gradient.data()},
                       {room("query"), room("key"), room("value"), room("bias"), room("sinks"),
                        room("query_relative"), room("key_relative")});
  }
};

std::vector<float> floats(const std::string& name, Shape* shape = nullptr) {
  const TensorView view = golden().find(name).value();
  std::vector<float> values(static_cast<std::size_t>(view.size()));
  convert_to_f32(view, values);
  if (shape != nullptr) *shape = view.shape;
  return values;
}

Gradients golden_run(const std::string& name) {
  Gradients run;
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

TEST_P(AttentionBackward, EqualsPyTorchForEveryOptionOfAScore) {
  int cases = 0, arrays = 0;
  for (const auto& [key, spec] : golden().metadata()) {
    if (!key.starts_with("score.")) continue;
    const std::string name = key.substr(6);
    SCOPED_TRACE(name);
    ++cases;
    Gradients run = golden_run(name);
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

// Sum of out * out_gradient from the scalar definition of a score, in double precision.
double loss_of(const Gradients& run) {
  const AttentionInput& in = run.in;
  double loss = 0;
  for (std::int64_t h = 0; h < in.heads; ++h)
    for (std::int64_t q = 0; q < in.queries; ++q) {
      std::vector<double> logits;
      double top = in.terms.sinks == nullptr ? -std::numeric_limits<double>::infinity()
                                             : static_cast<double>(in.terms.sinks[h]);
      for (std::int64_t k = 0; k < in.keys; ++k) {
        logits.push_back(reference_logit(in.head(h), q, k));
        top = std::max(top, logits.back());
      }
      double total =
          in.terms.sinks == nullptr ? 0 : std::exp(static_cast<double>(in.terms.sinks[h]) - top);
      for (const double x : logits) total += std::exp(x - top);
      for (std::int64_t k = 0; k < in.keys; ++k) {
        const double weight = std::exp(logits[static_cast<std::size_t>(k)] - top) / total;
        const float* value = in.value + (h / (in.heads / in.kv_heads) * in.keys + k) * in.value_dim;
        const auto at = static_cast<std::size_t>((q * in.heads + h) * in.value_dim);
        for (std::int64_t i = 0; i < in.value_dim; ++i)
          loss += weight * static_cast<double>(value[i]) *
                  static_cast<double>(run.out_gradient[at + static_cast<std::size_t>(i)]);
      }
    }
  return loss;
}

TEST_P(AttentionBackward, EqualsFiniteDifferencesInDoublePrecision) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const float cap : {0.0f, 3.0f}) {
    Gradients run;
    run.in.heads = 2, run.in.kv_heads = 1, run.in.queries = 5, run.in.keys = 7;
    run.in.dim = 3, run.in.value_dim = 2;
    run.in.score.scale = 0.7f, run.in.score.cap = cap, run.in.score.causal = true;
    run.in.terms.bias_reach = 2;
    run.in.terms.slots = 4, run.in.terms.slot_reach = 3;
    run.slot = {0, 1, 2, 3, 3, 1, 0};
    run.valid = {1, 0, 1, 1, 1, 1, 1};
    const std::map<std::string, std::size_t> sizes = {
        {"query", 30},          {"key", 21},         {"value", 14}, {"bias", 10}, {"sinks", 2},
        {"query_relative", 40}, {"key_relative", 56}};
    for (const auto& [part, size] : sizes)
      for (std::size_t i = 0; i < size; ++i) run.array[part].push_back(normal(random));
    for (int i = 0; i < 20; ++i) run.out_gradient.push_back(normal(random));
    run.backward();
    for (const auto& [part, size] : sizes)
      for (std::size_t i = 0; i < size; ++i) {
        float& x = run.array[part][i];
        const float before = x, above = before + 0x1p-9f, below = before - 0x1p-9f;
        x = above;
        const double high = loss_of(run);
        x = below;
        const double low = loss_of(run);
        x = before;
        const double slope = (high - low) / (static_cast<double>(above) - below);
        ASSERT_NEAR(run.gradient[part][i], slope, 2e-5 * (1 + std::abs(slope)))
            << part << " " << i << ", cap " << cap;
      }
  }
}

TEST_P(AttentionBackward, OfARowThatSeesNothingIsZero) {
  Gradients run;
  run.in.heads = run.in.kv_heads = 1, run.in.queries = run.in.keys = 3;
  run.in.dim = run.in.value_dim = 2;
  run.valid = {0, 0, 0};
  for (const char* part : {"query", "key", "value"}) run.array[part] = {1, 2, 3, 4, 5, 6};
  run.out_gradient.assign(6, 1.0f);
  run.backward();
  for (const auto& [part, values] : run.gradient)
    for (const float x : values) EXPECT_EQ(x, 0.0f) << part;
}

}  // namespace
}  // namespace regard
