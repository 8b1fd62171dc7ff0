// SPDX-License-Identifier: Apache-2.0
// Gradients of attention against finite differences of the definition in double precision, on every
// instruction set of the machine.
#include "regard/attention/backward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "regard/attention/backward_testing.h"
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

// Sum of out * out_gradient from the scalar definition of a score, in double precision.
double loss_of(const GradientRun& run) {
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
    GradientRun run;
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
  GradientRun run;
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
