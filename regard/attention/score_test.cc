// SPDX-License-Identifier: Apache-2.0
// Every option of a score against what PyTorch's models make of it (tools/make_score_golden.py).
#include "regard/attention/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "regard/attention/attention_map.h"
#include "regard/attention/forward.h"
#include "regard/attention/relative.h"
#include "regard/checkpoint/safetensors.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

const SafetensorsFile& golden() {
  static const SafetensorsFile file = SafetensorsFile::open(
      std::string(REGARD_SOURCE_DIR) + "/tests/golden/score/scores.safetensors");
  return file;
}

template <typename T>
std::vector<T> numbers(const std::string& name, Shape* shape = nullptr) {
  const TensorView view = golden().find(name).value();
  std::vector<T> values(static_cast<std::size_t>(view.size()));
  std::memcpy(values.data(), view.data, values.size() * sizeof(T));
  if (shape != nullptr) *shape = view.shape;
  return values;
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& [key, value] : golden().metadata())
    if (key.starts_with("score.")) names.push_back(key.substr(6));
  return names;
}

// A case with its arrays, spread over distances as ScoreTerms wants them.
struct Golden {
  explicit Golden(const std::string& name) {
    Shape shape, keys;
    query = numbers<float>(name + ".query", &shape);
    key = numbers<float>(name + ".key", &keys);
    weights = numbers<double>(name + ".weights");
    lse = numbers<double>(name + ".lse");
    in.heads = in.kv_heads = shape[0], in.queries = shape[1], in.keys = keys[1];
    in.dim = in.value_dim = shape[2];
    in.query = query.data();
    in.key = in.value = key.data();
    in.score = score_spec_from_json(golden().metadata().at("score." + name), "golden", name);
    const auto floats = [&](const char* part, std::vector<float>* into) {
      if (!golden().find(name + part)) return static_cast<const float*>(nullptr);
      *into = numbers<float>(name + part);
      return static_cast<const float*>(into->data());
    };
    in.terms.slopes = floats(".slopes", &slopes);
    in.terms.sinks = floats(".sinks", &sinks);
    if (floats(".table", &table) != nullptr) {
      bias = t5_bias(table.data(), 16, in.heads, 20, !in.score.causal);
      in.terms.bias = bias.data();
      in.terms.bias_reach = 20;
    }
    if (golden().find(name + ".shape")) {
      in.terms.query_relative = floats(".query_relative", &query_relative);
      in.terms.key_relative = floats(".key_relative", &key_relative);
      const auto sizes = numbers<std::int64_t>(name + ".shape");
      in.terms.slots = 2 * sizes[0];
      in.terms.slot_reach = in.keys - 1;
      slot = deberta_slots(in.keys - 1, sizes[0], sizes[1], sizes[2]);
      in.terms.slot = slot.data();
    }
  }
  double weight(std::int64_t h, std::int64_t q, std::int64_t k) const {
    return weights[static_cast<std::size_t>((h * in.queries + q) * in.keys + k)];
  }

  AttentionInput in;
  std::vector<float> query, key, slopes, sinks, table, bias, query_relative, key_relative;
  std::vector<double> weights, lse;
  std::vector<std::int32_t> slot;
};

TEST(ScoreGolden, DoublePrecisionEqualsPyTorch) {
  ASSERT_GE(cases().size(), 20U);
  for (const std::string& name : cases()) {
    SCOPED_TRACE(name);
    const Golden g(name);
    // Arrays that PyTorch had in double precision are recorded in single.
    const double tolerance = name.starts_with("deberta") ? 2e-6 : 1e-9;
    for (std::int64_t h = 0; h < g.in.heads; ++h)
      for (std::int64_t q = 0; q < g.in.queries; ++q) {
        const double lse = g.lse[static_cast<std::size_t>(h * g.in.queries + q)];
        double sum = g.in.terms.sinks == nullptr ? 0 : std::exp(g.in.terms.sinks[h] - lse);
        for (std::int64_t k = 0; k < g.in.keys; ++k) {
          const double logit = reference_logit(g.in.head(h), q, k);
          ASSERT_NEAR(std::exp(logit - lse), g.weight(h, q, k), tolerance) << q << ", " << k;
          sum += std::exp(logit - lse);
        }
        ASSERT_NEAR(sum, 1.0, 10 * tolerance);
      }
  }
}

class Score : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_instruction_set(GetParam()); }
  void TearDown() override { force_instruction_set(""); }
};
INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Score, testing::ValuesIn(instruction_sets()));

TEST_P(Score, ForwardAndMapEqualPyTorch) {
  for (const std::string& name : cases()) {
    SCOPED_TRACE(name);
    const Golden g(name);
    std::vector<float> out(g.query.size());
    std::vector<double> lse(g.lse.size());
    attention_forward(g.in, {out.data(), lse.data(), nullptr, nullptr});
    for (std::int64_t h = 0; h < g.in.heads; ++h) {
      HeadView view = g.in.head(h);
      view.lse = lse.data() + h * g.in.queries;
      const AttentionMap map(view);
      std::vector<float> row(static_cast<std::size_t>(g.in.keys));
      for (std::int64_t q = 0; q < g.in.queries; ++q) {
        const auto at = static_cast<std::size_t>(h * g.in.queries + q);
        ASSERT_NEAR(lse[at], g.lse[at], 1e-5);
        map.row(q, row);
        std::vector<double> mixed(static_cast<std::size_t>(g.in.dim));
        for (std::int64_t k = 0; k < g.in.keys; ++k) {
          ASSERT_NEAR(row[static_cast<std::size_t>(k)], g.weight(h, q, k), 5e-6) << q << ", " << k;
          for (std::int64_t i = 0; i < g.in.dim; ++i)
            mixed[static_cast<std::size_t>(i)] +=
                g.weight(h, q, k) * g.in.head(h).key[k * g.in.dim + i];
        }
        for (std::int64_t i = 0; i < g.in.dim; ++i)
          ASSERT_NEAR(out[static_cast<std::size_t>((q * g.in.heads + h) * g.in.dim + i)],
                      mixed[static_cast<std::size_t>(i)], 2e-5);
      }
    }
  }
}

TEST(Relative, T5BucketsAreTransformers) {
  int tables = 0;
  for (const auto& [name, view] : golden().tensors()) {
    std::int64_t buckets = 0, distance = 0;
    int both = 0;
    if (std::sscanf(name.c_str(), "t5_buckets.%ld.%ld.%d", &buckets, &distance, &both) != 3)
      continue;
    ++tables;
    const auto expected = numbers<std::int64_t>(name);
    for (std::int64_t i = 0; i < 2001; ++i)
      ASSERT_EQ(t5_bucket(i - 1000, buckets, distance, both == 1),
                expected[static_cast<std::size_t>(i)])
          << name << " at " << i - 1000;
  }
  EXPECT_EQ(tables, 8);
}

TEST(Relative, DebertaBucketsAreTransformers) {
  int tables = 0;
  for (const auto& [name, view] : golden().tensors()) {
    std::int64_t buckets = 0, positions = 0;
    if (std::sscanf(name.c_str(), "deberta_buckets.%ld.%ld", &buckets, &positions) != 2) continue;
    ++tables;
    const auto expected = numbers<std::int64_t>(name);
    const std::int64_t span = 4096;  // no clamping
    for (std::int64_t i = 0; i < 1201; ++i)
      ASSERT_EQ(deberta_slot(-(i - 600), span, buckets, positions) - span,
                expected[static_cast<std::size_t>(i)])
          << name << " at " << i - 600;
  }
  EXPECT_EQ(tables, 3);
}

TEST(Relative, AlibiSlopesAreThoseOfBloom) {
  for (const std::int64_t heads : {3, 4}) {
    const auto expected = numbers<float>("alibi_bloom_" + std::to_string(heads) + ".slopes");
    const auto found = alibi_slopes(heads);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_FLOAT_EQ(found[i], expected[i]);
  }
}

TEST(ScoreSpec, IsTheSameAfterAJourneyThroughJson) {
  ScoreSpec spec;
  spec.scale = 0.17677669f, spec.cap = 50.0f, spec.causal = true, spec.window = 4096;
  spec.chunk = 8192, spec.prefix = 3, spec.alibi = Alibi::kFalcon;
  EXPECT_EQ(score_spec_from_json(to_json(spec), "t", "p"), spec);
  EXPECT_EQ(score_spec_from_json(to_json(ScoreSpec{}), "t", "p"), ScoreSpec{});
  EXPECT_EQ(score_spec_from_json(R"({"scale": 0.5})", "t", "p").scale, 0.5f);
}

TEST(ScoreSpec, RefusesWhatItDoesNotKnow) {
  for (const char* wrong :
       {R"({"scale": 1, "sink": 2})", R"({"alibi": "other"})", R"({"window": -1})",
        R"({"chunk": 1.5})", R"({"prefix": -2})", R"({"cap": -1})", R"({"scale": 1e300})",
        R"({"scale": 1, "scale": 1})", R"({"causal": 1})", R"([])", R"({"window": 1)"})
    EXPECT_THROW(score_spec_from_json(wrong, "t", "p"), Error) << wrong;
}

TEST(ScoreSpec, SeesTheKeysOfEachMask) {
  ScoreSpec causal, window, both, chunk, prefix;
  causal.causal = window.causal = chunk.causal = prefix.causal = true;
  window.window = 3, both.window = 2, chunk.chunk = 4, prefix.prefix = 4;
  EXPECT_EQ(causal.visible(2, 5, 5).end, 3);
  EXPECT_EQ(causal.visible(0, 1, 10).end, 10);  // one query at the end of ten keys
  EXPECT_EQ(window.visible(4, 5, 5).begin, 2);
  EXPECT_EQ(both.visible(2, 5, 5).begin, 1);
  EXPECT_EQ(both.visible(2, 5, 5).end, 4);
  EXPECT_EQ(chunk.visible(6, 9, 9).begin, 4);
  EXPECT_EQ(chunk.visible(6, 9, 9).end, 7);
  EXPECT_EQ(prefix.visible(0, 9, 9).end, 4);
  EXPECT_EQ(prefix.visible(6, 9, 9).end, 7);
  EXPECT_EQ(causal.visible(0, 5, 3).end, 0);  // two queries stand before the first key
}

}  // namespace
}  // namespace regard
