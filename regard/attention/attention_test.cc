// SPDX-License-Identifier: Apache-2.0
// Attention against softmax(cap(scale Q K^T) + mask) V in double precision, written down plainly,
// on every instruction set of the machine.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "regard/attention/attention_map.h"
#include "regard/attention/forward.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"
#include "regard/tensor/tensor.h"

namespace regard {
namespace {

struct Case {
  std::int64_t heads, kv_heads, queries, keys, dim, value_dim;
  ScoreSpec score;
  std::int64_t invalid_tail = 0;  // keys at the end that are padding
  float spread = 1.0f;
};

struct Recorded {
  Case c;
  Tensor query, key, value, out, overview_sum, overview_max;
  Buffer<double> lse;
  std::vector<std::uint8_t> valid;
  std::int64_t edge = 0, blocks_q = 0, blocks_k = 0;

  HeadView head(std::int64_t h) const {
    HeadView view;
    view.query = query.data() + h * c.queries * c.dim;
    view.key = key.data() + h / (c.heads / c.kv_heads) * c.keys * c.dim;
    view.lse = lse.data() + h * c.queries;
    view.key_valid = valid.empty() ? nullptr : valid.data();
    view.queries = c.queries, view.keys = c.keys, view.dim = c.dim, view.score = c.score;
    return view;
  }
};

Recorded run(const Case& c, unsigned seed = 7) {
  Recorded r;
  r.c = c;
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, c.spread);
  const auto fill = [&](Shape shape) {
    Tensor t(std::move(shape));
    for (float& x : t.span()) x = normal(random);
    return t;
  };
  r.query = fill({c.heads, c.queries, c.dim});
  r.key = fill({c.kv_heads, c.keys, c.dim});
  r.value = fill({c.kv_heads, c.keys, c.value_dim});
  r.out = Tensor({c.queries, c.heads, c.value_dim});
  r.lse = Buffer<double>({c.heads, c.queries});
  r.edge = overview_edge(std::max(c.queries, c.keys));
  r.blocks_q = (c.queries + r.edge - 1) / r.edge;
  r.blocks_k = (c.keys + r.edge - 1) / r.edge;
  r.overview_sum = Tensor({c.heads, r.blocks_q, r.blocks_k});
  r.overview_max = Tensor({c.heads, r.blocks_q, r.blocks_k});
  if (c.invalid_tail > 0) {
    r.valid.assign(static_cast<std::size_t>(c.keys), 1);
    std::fill(r.valid.end() - c.invalid_tail, r.valid.end(), 0);
  }
  AttentionInput in;
  in.query = r.query.data(), in.key = r.key.data(), in.value = r.value.data();
  in.key_valid = r.valid.empty() ? nullptr : r.valid.data();
  in.heads = c.heads, in.kv_heads = c.kv_heads, in.queries = c.queries, in.keys = c.keys;
  in.dim = c.dim, in.value_dim = c.value_dim, in.score = c.score;
  attention_forward(in, {r.out.data(), r.lse.data(), r.overview_sum.data(), r.overview_max.data()});
  return r;
}

// Row q of head h: weights and log-sum-exp in double precision.
std::vector<double> reference_row(const Recorded& r, std::int64_t h, std::int64_t q, double* lse) {
  const Case& c = r.c;
  const HeadView view = r.head(h);
  std::vector<double> row(static_cast<std::size_t>(c.keys));
  double top = -std::numeric_limits<double>::infinity();
  for (std::int64_t k = 0; k < c.keys; ++k) {
    double dot = 0;
    for (std::int64_t i = 0; i < c.dim; ++i)
      dot += static_cast<double>(view.query[q * c.dim + i]) * view.key[k * c.dim + i];
    double x = dot * c.score.scale;
    if (c.score.cap > 0) x = c.score.cap * std::tanh(x / c.score.cap);
    const std::int64_t position = q + c.keys - c.queries;
    if (c.score.causal && k > position) x = -std::numeric_limits<double>::infinity();
    if (c.score.window > 0 && std::abs(position - k) >= c.score.window)
      x = -std::numeric_limits<double>::infinity();
    if (!r.valid.empty() && r.valid[static_cast<std::size_t>(k)] == 0)
      x = -std::numeric_limits<double>::infinity();
    row[static_cast<std::size_t>(k)] = x;
    top = std::max(top, x);
  }
  double sum = 0;
  for (double x : row) sum += std::isinf(top) ? 0 : std::exp(x - top);
  *lse = std::isinf(top) ? top : top + std::log(sum);
  for (double& x : row) x = std::isinf(*lse) ? 0 : std::exp(x - *lse);
  return row;
}

const std::vector<Case>& cases() {
  const float s = 0.25f;
  static const std::vector<Case> all = {
      {1, 1, 1, 1, 1, 1, {s, 0, false, 0}},
      {2, 2, 16, 16, 32, 32, {s, 0, false, 0}},
      {3, 1, 65, 65, 24, 20, {s, 0, true, 0}},
      {4, 2, 130, 130, 80, 80, {s, 0, true, 17}},
      {2, 2, 70, 200, 16, 7, {s, 0, true, 0}},        // a key-value cache
      {2, 1, 200, 70, 33, 16, {s, 0, false, 0}},      // cross-attention
      {1, 1, 300, 300, 64, 64, {s, 5.0f, false, 0}},  // soft cap
      {2, 2, 90, 90, 16, 16, {s, 0, false, 9}, 20},   // window and padding: some rows see nothing
      {1, 1, 64, 64, 32, 32, {s, 0, false, 0}, 64},   // all padding
      {1, 1, 100, 100, 32, 32, {1.0f, 0, false, 0}, 0, 12.0f},  // logits of hundreds
  };
  return all;
}

class Attention : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_instruction_set(GetParam()); }
  void TearDown() override { force_instruction_set(""); }
};
INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Attention, testing::ValuesIn(instruction_sets()));

TEST_P(Attention, OutputsLseAndCellsEqualDoublePrecision) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message() << c.queries << " x " << c.keys << ", d " << c.dim);
    const Recorded r = run(c);
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const AttentionMap map(r.head(h));
      std::vector<float> row(static_cast<std::size_t>(c.keys));
      for (std::int64_t q = 0; q < c.queries; ++q) {
        double lse = 0;
        const std::vector<double> expected = reference_row(r, h, q, &lse);
        const double found = r.lse.data()[h * c.queries + q];
        // fp32 logits of size s carry an error of a few s * 2^-24.
        const double slack = std::isinf(lse) ? 0 : 2e-6 + std::abs(lse) * 1e-6;
        if (std::isinf(lse))
          ASSERT_EQ(found, lse);
        else
          ASSERT_NEAR(found, lse, slack);
        map.row(q, row);
        std::vector<double> mixed(static_cast<std::size_t>(c.value_dim), 0.0);
        for (std::int64_t k = 0; k < c.keys; ++k) {
          const double p = expected[static_cast<std::size_t>(k)];
          ASSERT_NEAR(row[static_cast<std::size_t>(k)], p, 2e-6 + 2 * slack * p) << q << ", " << k;
          for (std::int64_t i = 0; i < c.value_dim; ++i)
            mixed[static_cast<std::size_t>(i)] +=
                p * r.value.data()[(h / (c.heads / c.kv_heads) * c.keys + k) * c.value_dim + i];
        }
        for (std::int64_t i = 0; i < c.value_dim; ++i)
          ASSERT_NEAR(r.out.data()[(q * c.heads + h) * c.value_dim + i],
                      mixed[static_cast<std::size_t>(i)], 1e-5 * c.spread + 10 * slack * c.spread);
      }
    }
  }
}

TEST_P(Attention, RowsSumToOneOrAreZeros) {
  for (const Case& c : cases()) {
    const Recorded r = run(c);
    const AttentionMap map(r.head(0));
    std::vector<float> row(static_cast<std::size_t>(c.keys));
    for (std::int64_t q = 0; q < c.queries; ++q) {
      map.row(q, row);
      double sum = 0;
      for (float w : row) sum += w;
      const bool sees_nothing = std::isinf(r.lse.data()[q]);
      ASSERT_NEAR(sum, sees_nothing ? 0.0 : 1.0, 1e-5);
    }
  }
}

TEST_P(Attention, OverviewHoldsTheSumAndTheMaximumOfEachBlock) {
  for (const Case& c : cases()) {
    const Recorded r = run(c);
    for (std::int64_t h = 0; h < c.heads; ++h) {
      std::vector<double> sum(static_cast<std::size_t>(r.blocks_q * r.blocks_k)), top(sum.size());
      for (std::int64_t q = 0; q < c.queries; ++q) {
        double lse = 0;
        const std::vector<double> row = reference_row(r, h, q, &lse);
        for (std::int64_t k = 0; k < c.keys; ++k) {
          const auto cell = static_cast<std::size_t>(q / r.edge * r.blocks_k + k / r.edge);
          sum[cell] += row[static_cast<std::size_t>(k)];
          top[cell] = std::max(top[cell], row[static_cast<std::size_t>(k)]);
        }
      }
      for (std::size_t i = 0; i < sum.size(); ++i) {
        const auto at = static_cast<std::size_t>(h * r.blocks_q * r.blocks_k) + i;
        ASSERT_NEAR(r.overview_sum.data()[at], sum[i],
                    2e-3 * (1 + sum[i]) * (c.spread > 1 ? 1 : .01));
        ASSERT_NEAR(r.overview_max.data()[at], top[i], c.spread > 1 ? 2e-3 : 2e-5);
      }
    }
  }
}

TEST_P(Attention, ALogitIsTheSameBitsFromACellAndFromARow) {
  const Recorded r = run(cases()[3]);
  const AttentionMap map(r.head(1));
  std::vector<float> row(130);
  for (std::int64_t q : {0, 1, 63, 64, 129}) {
    map.row(q, row);
    for (std::int64_t k = 0; k < 130; ++k)
      ASSERT_EQ(map.cell(q, k), row[static_cast<std::size_t>(k)]);
  }
}

TEST_P(Attention, TilesPoolWhatRowsSay) {
  const Recorded r = run(cases()[5]);
  const AttentionMap map(r.head(0));
  std::vector<float> all(200 * 70);
  map.read_rows(0, 200, all.data());
  const AttentionMap given(all.data(), 200, 70);
  const Region region{3, 190, 2, 69};
  for (Pool pool : {Pool::kMean, Pool::kMax, Pool::kSum}) {
    const auto tile = map.tile(region, 10, pool);
    const auto same = given.tile(region, 10, pool);
    ASSERT_EQ(tile.rows, 10);
    ASSERT_EQ(tile.columns, 10);
    for (std::int64_t i = 0; i < 10; ++i)
      for (std::int64_t j = 0; j < 10; ++j) {
        // 187 rows: ten of 18, the last takes 25; 67 columns: ten of 6, the last takes 13.
        const std::int64_t q0 = 3 + i * 18, q1 = i == 9 ? 190 : q0 + 18;
        const std::int64_t k0 = 2 + j * 6, k1 = j == 9 ? 69 : k0 + 6;
        double sum = 0, top = 0;
        for (std::int64_t q = q0; q < q1; ++q)
          for (std::int64_t k = k0; k < k1; ++k) {
            const double w = all[static_cast<std::size_t>(q * 70 + k)];
            sum += w;
            top = std::max(top, w);
          }
        const double expected = pool == Pool::kMax ? top
                                : pool == Pool::kSum
                                    ? sum
                                    : sum / static_cast<double>((q1 - q0) * (k1 - k0));
        const auto at = static_cast<std::size_t>(i * 10 + j);
        ASSERT_NEAR(tile.cells[at], expected, 1e-6);
        ASSERT_NEAR(tile.cells[at], same.cells[at], 1e-6 * (1 + expected));
      }
  }
  EXPECT_EQ(map.tile({0, 5, 0, 7}, 512, Pool::kMax).rows, 5);
}

TEST_P(Attention, LogitsOfTenThousandKeepCellsExact) {
  // q.k = 1e4 for the first key and 1e4 - 1 for the second: weights 1/(1+e^-1) and e^-1/(1+e^-1).
  const float query[1] = {100.0f}, key[2] = {100.0f, 99.99f}, value[2] = {1.0f, 0.0f};
  float out = 0;
  double lse = 0;
  AttentionInput in{query, key, value, nullptr, 1, 1, 1, 2, 1, 1, {}, {}};
  attention_forward(in, {&out, &lse, nullptr, nullptr});
  HeadView head{query, key, &lse, nullptr, 1, 2, 1, {}, {}};
  const double gap = static_cast<double>(100.0f * 100.0f) - static_cast<double>(100.0f * 99.99f);
  EXPECT_NEAR(AttentionMap(head).cell(0, 0), 1 / (1 + std::exp(-gap)), 1e-6);
  EXPECT_NEAR(AttentionMap(head).cell(0, 1), std::exp(-gap) / (1 + std::exp(-gap)), 1e-6);
}

TEST_P(Attention, NanAndInfinityAreErrorsThatNameHeadAndQuery) {
  for (float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> query(2 * 3 * 4, 0.5f), key(query), value(query), out(query);
    std::vector<double> lse(6);
    query[(1 * 3 + 2) * 4] = bad;
    AttentionInput in{query.data(), key.data(), value.data(), nullptr, 2, 2, 3, 3, 4, 4, {}, {}};
    try {
      attention_forward(in, {out.data(), lse.data(), nullptr, nullptr});
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("head 1, query 2"), std::string::npos)
          << error.what();
    }
  }
}

TEST(Overview, HasAtMost512Blocks) {
  EXPECT_EQ(overview_edge(1), 64);
  EXPECT_EQ(overview_edge(32768), 64);
  EXPECT_EQ(overview_edge(32769), 128);
  EXPECT_EQ(overview_edge(131072), 256);
}

// bfloat16 has 8 bits, binary16 11; ties go to the even one. One key: its logit is the log-sum-exp
// and its value the output.
TEST_P(Attention, KeysAndValuesAreRoundedBeforeTheyAreMultiplied) {
  struct Rounding {
    DType type;
    float given, rounded;
  };
  for (const Rounding& c : {Rounding{DType::kBF16, 1 + 3 * 0x1p-8f, 1 + 0x1p-6f},
                            Rounding{DType::kBF16, 1 + 0x1p-8f, 1.0f},
                            Rounding{DType::kF16, 1 + 3 * 0x1p-11f, 1 + 0x1p-9f},
                            Rounding{DType::kF16, -0x1.8p-24f, -0x1p-23f}}) {
    const float one = 1.0f;
    float out = 0, key = 0, value = 0;
    double lse = 0;
    AttentionInput in;
    in.query = &one, in.key = in.value = &c.given;
    in.heads = in.kv_heads = in.queries = in.keys = in.dim = in.value_dim = 1;
    in.score.scale = 1.0f;
    in.key_value_type = c.type;
    AttentionOutput result{&out, &lse};
    result.key = &key, result.value = &value;
    attention_forward(in, result);
    EXPECT_EQ(key, c.rounded);
    EXPECT_EQ(value, c.rounded);
    EXPECT_EQ(out, c.rounded);
    EXPECT_EQ(lse, static_cast<double>(c.rounded));
  }
}

// The logit is 2. With the log-sum-exp 1 the weight would be e.
TEST_P(Attention, AWeightAboveOneIsAnErrorThatNamesItsCell) {
  const float query[] = {0, 1}, key[] = {0, 2};
  const double lse[] = {std::log(2.0), 1.0};
  HeadView head;
  head.query = query, head.key = key, head.lse = lse;
  head.queries = head.keys = 2, head.dim = 1;
  head.score.scale = 1.0f;
  const AttentionMap map(head, {}, "L0H0");
  EXPECT_NEAR(map.cell(0, 1), 0.5, 1e-6);
  try {
    map.cell(1, 1);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("L0H0: query 1, key 1: expected a weight of 0 to 1"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace regard
