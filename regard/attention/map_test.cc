// SPDX-License-Identifier: Apache-2.0
// Looking at a map: tiles at every zoom against weights in double precision, recomputed logits
// against the score's own order of operations, and a head of 131,072 tokens.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "regard/attention/attention_map.h"
#include "regard/attention/forward.h"
#include "regard/kernels/testing.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"
#include "regard/tensor/tensor.h"

namespace regard {
namespace {

// A head of n tokens with everything recorded, and its weights in double precision.
struct Recorded {
  std::int64_t n, dim;
  ScoreSpec score;
  Tensor query, key, value, out, sum, max;
  Buffer<double> lse;
  std::vector<double> weights;  // [n, n]

  Recorded(std::int64_t tokens, const ScoreSpec& spec, std::int64_t d = 16)
      : n(tokens), dim(d), score(spec) {
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    const std::int64_t blocks = (n + overview_edge(n) - 1) / overview_edge(n);
    query = Tensor({1, n, dim}), key = Tensor({1, n, dim}), value = Tensor({1, n, dim});
    for (Tensor* t : {&query, &key, &value})
      for (float& x : t->span()) x = normal(random);
    out = Tensor({n, 1, dim}), lse = Buffer<double>({1, n});
    sum = Tensor({1, blocks, blocks}), max = Tensor({1, blocks, blocks});
    AttentionInput in;
    in.query = query.data(), in.key = key.data(), in.value = value.data();
    in.heads = in.kv_heads = 1, in.queries = in.keys = n, in.dim = in.value_dim = dim;
    in.score = score;
    attention_forward(in, {out.data(), lse.data(), sum.data(), max.data()});
    weights.resize(static_cast<std::size_t>(n * n));
    for (std::int64_t q = 0; q < n; ++q) {
      double total = 0;
      double* row = weights.data() + q * n;
      for (std::int64_t k = 0; k < n; ++k) {
        double dot = 0;
        for (std::int64_t i = 0; i < dim; ++i)
          dot += static_cast<double>(query.data()[q * dim + i]) * key.data()[k * dim + i];
        const bool hidden =
            (score.causal && k > q) || (score.window > 0 && std::abs(q - k) >= score.window);
        row[k] = hidden ? 0 : std::exp(dot * score.scale);
        total += row[k];
      }
      for (std::int64_t k = 0; k < n; ++k) row[k] /= total;
    }
  }
  HeadView head() const {
    HeadView view;
    view.query = query.data(), view.key = key.data(), view.lse = lse.data();
    view.queries = view.keys = n, view.dim = dim, view.score = score;
    return view;
  }
  OverviewView overview() const { return {sum.data(), max.data(), overview_edge(n), n, n}; }
  // A cell of a tile, pooled by the definition: rows [q0, q1), columns [k0, k1).
  double pooled(std::int64_t q0, std::int64_t q1, std::int64_t k0, std::int64_t k1,
                Pool pool) const {
    double total = 0, top = 0;
    for (std::int64_t q = q0; q < q1; ++q)
      for (std::int64_t k = k0; k < k1; ++k) {
        const double w = weights[static_cast<std::size_t>(q * n + k)];
        total += w;
        top = std::max(top, w);
      }
    if (pool == Pool::kMax) return top;
    return pool == Pool::kSum ? total : total / static_cast<double>((q1 - q0) * (k1 - k0));
  }
};

void expect_tile(const Recorded& r, const AttentionMap::Tile& tile, const Region& region,
                 Pool pool) {
  const std::int64_t h = (region.row_end - region.row_begin) / tile.rows;
  const std::int64_t w = (region.column_end - region.column_begin) / tile.columns;
  for (std::int64_t i = 0; i < tile.rows; ++i)
    for (std::int64_t j = 0; j < tile.columns; ++j) {
      const std::int64_t q = region.row_begin + i * h, k = region.column_begin + j * w;
      const double expected = r.pooled(q, i + 1 == tile.rows ? region.row_end : q + h, k,
                                       j + 1 == tile.columns ? region.column_end : k + w, pool);
      ASSERT_NEAR(tile.cells[static_cast<std::size_t>(i * tile.columns + j)], expected,
                  2e-6 + 1e-5 * expected)
          << "cell " << i << ", " << j;
    }
}

class Map : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_instruction_set(GetParam()); }
  void TearDown() override {
    force_instruction_set("");
    set_thread_count(0);
  }
};
INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Map, testing::ValuesIn(instruction_sets()));

TEST_P(Map, TilesAtEveryZoomAndPoolingEqualDoublePrecision) {
  const Region regions[] = {{0, 300, 0, 300},  {64, 256, 128, 300}, {3, 290, 1, 299},
                            {64, 300, 5, 261}, {299, 300, 0, 300},  {10, 200, 77, 78}};
  for (const ScoreSpec& spec : {ScoreSpec{.scale = 0.25f}, ScoreSpec{.scale = 0.5f, .causal = true},
                                ScoreSpec{.scale = 0.25f, .window = 40}}) {
    const Recorded r(300, spec, 5);
    // Two thousand loops over threads are slow on a busy machine; the first mask has them.
    set_thread_count(spec.causal || spec.window > 0 ? 1 : 0);
    for (const bool with_overview : {true, false}) {
      const AttentionMap map(r.head(), with_overview ? r.overview() : OverviewView{});
      for (const Region& region : regions)
        for (const std::int64_t size : {1, 2, 3, 7, 64, 512})
          for (const Pool pool : {Pool::kMean, Pool::kMax, Pool::kSum}) {
            SCOPED_TRACE(testing::Message()
                         << region.row_begin << ":" << region.row_end << " x "
                         << region.column_begin << ":" << region.column_end << " to " << size);
            expect_tile(r, map.tile(region, size, pool), region, pool);
          }
    }
  }
}

TEST_P(Map, CellsMadeOfWholeBlocksComeFromTheOverviewAlone) {
  const Recorded r(300, ScoreSpec{.scale = 0.25f});
  // Queries that would fail any recomputation.
  Tensor broken({1, r.n, r.dim});
  for (float& x : broken.span()) x = std::numeric_limits<float>::quiet_NaN();
  HeadView head = r.head();
  head.query = broken.data();
  const AttentionMap map(head, r.overview());
  for (const Pool pool : {Pool::kMean, Pool::kMax, Pool::kSum}) {
    expect_tile(r, map.tile({0, 256, 64, 192}, 2, pool), {0, 256, 64, 192}, pool);
    expect_tile(r, map.tile({0, 300, 0, 300}, 1, pool), {0, 300, 0, 300}, pool);
    expect_tile(r, map.estimate({64, 300, 0, 300}, 1, pool), {64, 300, 0, 300}, pool);
  }
  EXPECT_THROW(map.tile({1, 256, 64, 192}, 2, Pool::kMax), Error);
}

TEST_P(Map, RecomputedLogitsAreTheBitsOfOneOrderOfOperations) {
  const Recorded r(200, ScoreSpec{.scale = 0.3f}, 33);
  const AttentionMap map(r.head());
  std::vector<float> row(200), column(200), logits(200);
  for (const std::int64_t at : {0, 1, 63, 64, 150, 199}) {
    map.row(at, row);
    map.column(at, column);
    map.logits(at, logits);
    for (std::int64_t i = 0; i < 200; ++i) {
      const auto k = static_cast<std::size_t>(i);
      ASSERT_EQ(map.cell(at, i), row[k]);
      ASSERT_EQ(map.cell(i, at), column[k]);
      ASSERT_EQ(map.logit(at, i), logits[k]);
    }
    const auto tile = map.tile({at, at + 1, 50, 60}, 512, Pool::kMean);
    for (std::size_t j = 0; j < 10; ++j) ASSERT_EQ(tile.cells[j], row[50 + j]);
  }
}

// One valid key at a time, so that each log-sum-exp is the logit that the pass computed in a block.
TEST_P(Map, LogitsWithEveryTermAreTheBitsOfThePass) {
  const std::int64_t n = 150, keys = 170, dim = 40, slots = 9, reach = 60;
  const auto query = kernels::normal_floats(n * dim, 1),
             key = kernels::normal_floats(keys * dim, 2);
  const auto bias = kernels::normal_floats(2 * reach + 1, 3);
  const auto query_relative = kernels::normal_floats(n * slots, 4);
  const auto key_relative = kernels::normal_floats(keys * slots, 5);
  std::vector<std::int32_t> slot;
  for (std::int32_t i = 0; i <= 2 * reach; ++i) slot.push_back(i * 7 % static_cast<int>(slots));
  const float slope = 0.3f;
  std::vector<float> out(static_cast<std::size_t>(n * dim)), row(static_cast<std::size_t>(keys));
  std::vector<double> lse(static_cast<std::size_t>(n));
  std::vector<std::uint8_t> valid(static_cast<std::size_t>(keys));
  for (const Alibi alibi : {Alibi::kDistance, Alibi::kFalcon}) {
    AttentionInput in;
    in.query = query.data(), in.key = in.value = key.data();
    in.heads = in.kv_heads = 1, in.queries = n, in.keys = keys, in.dim = in.value_dim = dim;
    in.score.scale = 0.3f, in.score.cap = 6.0f, in.score.alibi = alibi;
    in.terms.slopes = &slope;
    in.terms.bias = bias.data(), in.terms.bias_reach = reach;
    in.terms.query_relative = query_relative.data(), in.terms.key_relative = key_relative.data();
    in.terms.slot = slot.data(), in.terms.slots = slots, in.terms.slot_reach = reach;
    const AttentionMap map(in.head(0));
    in.key_valid = valid.data();
    for (std::int64_t k = 0; k < keys; k += k % 60 == 0 ? 1 : 7) {
      valid[static_cast<std::size_t>(k)] = 1;
      attention_forward(in, {out.data(), lse.data(), nullptr, nullptr});
      valid[static_cast<std::size_t>(k)] = 0;
      for (std::int64_t q = 0; q < n; ++q)
        ASSERT_EQ(lse[static_cast<std::size_t>(q)], static_cast<double>(map.logit(q, k)))
            << q << ", " << k;
    }
    for (const std::int64_t q : {0, 63, 64, 149}) {
      map.logits(q, row);
      for (std::int64_t k = 0; k < keys; ++k)
        ASSERT_EQ(row[static_cast<std::size_t>(k)], map.logit(q, k)) << q << ", " << k;
    }
  }
}

TEST_P(Map, SumsOfRowsAndColumnsEqualDoublePrecision) {
  const Recorded r(300, ScoreSpec{.scale = 0.5f, .causal = true});
  const AttentionMap map(r.head(), r.overview());
  const Region region{10, 290, 5, 300};
  const auto rows = map.row_sums(region), columns = map.column_sums(region);
  ASSERT_EQ(rows.size(), 280u);
  ASSERT_EQ(columns.size(), 295u);
  for (std::int64_t i = 0; i < 280; ++i)
    ASSERT_NEAR(rows[static_cast<std::size_t>(i)], r.pooled(10 + i, 11 + i, 5, 300, Pool::kSum),
                1e-5);
  for (std::int64_t j = 0; j < 295; ++j) {
    const double expected = r.pooled(10, 290, 5 + j, 6 + j, Pool::kSum);
    ASSERT_NEAR(columns[static_cast<std::size_t>(j)], expected, 1e-5 * (1 + expected));
  }
}

TEST(Map, TopKeysAreTheLargestAndEqualOnesComeByKey) {
  const float weights[] = {0.1f, 0.3f, 0.05f, 0.3f, 0.25f, 0.0f};
  const AttentionMap map(weights, 1, 6);
  std::vector<std::int64_t> keys;
  for (const WeightedKey& key : map.top(0, 4)) keys.push_back(key.key);
  EXPECT_EQ(keys, (std::vector<std::int64_t>{1, 3, 4, 0}));
  EXPECT_EQ(map.top(0, 100).size(), 6u);
  EXPECT_TRUE(map.top(0, 0).empty());
}

TEST(Map, TheFewestKeysThatHoldAShareOfARowAreFound) {
  const float weights[] = {0.1f, 0.3f, 0.05f, 0.3f, 0.25f, 0.0f};
  const AttentionMap map(weights, 1, 6);
  EXPECT_EQ(map.holding(0, 0.3).size(), 1u);
  EXPECT_EQ(map.holding(0, 0.31).size(), 2u);
  EXPECT_EQ(map.holding(0, 0.6).size(), 2u);
  EXPECT_EQ(map.holding(0, 0.85).size(), 3u);
  EXPECT_EQ(map.holding(0, 1.0).size(), 5u);  // a weight of 0 holds nothing
  for (const double bad : {0.0, -1.0, 1.1, std::nan("")}) EXPECT_THROW(map.holding(0, bad), Error);
}

TEST(Map, AShareThatNeedsThousandsOfKeysTakesNoMoreThanItMust) {
  std::vector<float> weights(5000, 1.0f / 5000);
  const auto keys = fewest_holding(weights, 0.5);
  EXPECT_NEAR(static_cast<double>(keys.size()), 2500.0, 1.0);
  EXPECT_EQ(keys.front().key, 0);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end(),
                             [](const auto& a, const auto& b) { return a.key < b.key; }));
}

TEST(Map, TilesOfSeveralHeadsAreThoseOfEach) {
  const Recorded a(150, ScoreSpec{.scale = 0.25f}), b(150, ScoreSpec{.scale = 0.9f});
  const AttentionMap maps[] = {AttentionMap(a.head(), a.overview()), AttentionMap(b.head())};
  const Region region{1, 149, 0, 150};
  const auto tiles = AttentionMap::tiles(maps, region, 10, Pool::kMax);
  ASSERT_EQ(tiles.size(), 2u);
  EXPECT_EQ(tiles[0].cells, maps[0].tile(region, 10, Pool::kMax).cells);
  EXPECT_EQ(tiles[1].cells, maps[1].tile(region, 10, Pool::kMax).cells);
  EXPECT_NE(tiles[0].cells, tiles[1].cells);
}

TEST(Map, SharpensFromTheOverviewToTheExactTile) {
  const Recorded r(400, ScoreSpec{.scale = 0.25f});
  const AttentionMap map(r.head(), r.overview());
  const Region region{3, 397, 7, 390};
  for (const Pool pool : {Pool::kMean, Pool::kMax}) {
    std::vector<double> done;
    AttentionMap::Tile last;
    map.sharpen(region, 60, pool, [&](const AttentionMap::Tile& tile, double share) {
      if (done.empty()) {
        EXPECT_EQ(tile.cells, map.estimate(region, 60, pool).cells);
      }
      done.push_back(share);
      last = tile;
    });
    ASSERT_GE(done.size(), 3u);
    EXPECT_EQ(done.front(), 0.0);
    EXPECT_EQ(done.back(), 1.0);
    EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
    expect_tile(r, last, region, pool);
  }
  // The estimate of a maximum is never below it, that of a sum keeps the whole.
  const auto bound = map.estimate(region, 60, Pool::kMax), exact = map.tile(region, 60, Pool::kMax);
  for (std::size_t i = 0; i < exact.cells.size(); ++i)
    ASSERT_GE(bound.cells[i], exact.cells[i] - 1e-6f);
  double total = 0;
  for (const float cell : map.estimate({0, 400, 0, 400}, 60, Pool::kSum).cells) total += cell;
  EXPECT_NEAR(total, 400.0, 1e-3);
}

TEST(Map, SharpeningStopsWhenItIsCancelled) {
  const Recorded r(400, ScoreSpec{.scale = 0.25f});
  const AttentionMap map(r.head(), r.overview());
  CancelToken cancel;
  int visits = 0;
  try {
    map.sharpen(
        {1, 400, 1, 400}, 399, Pool::kMax,
        [&](const AttentionMap::Tile&, double) {
          if (++visits == 2) cancel.cancel();
        },
        &cancel);
    FAIL() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kCancelled);
  }
  EXPECT_EQ(visits, 2);
}

TEST(Map, ARecordWhosePartsDoNotBelongTogetherIsAnErrorWithItsPlace) {
  const Recorded r(100, ScoreSpec{.scale = 0.25f});
  const auto error_of = [&](const HeadView& head, std::int64_t q) -> std::string {
    std::vector<float> row(100);
    try {
      AttentionMap(head, {}, "t.safetensors: L0H0").row(q, row);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  std::vector<double> lse(r.lse.span().begin(), r.lse.span().end());
  HeadView head = r.head();
  head.lse = lse.data();
  EXPECT_EQ(error_of(head, 5), "");
  for (const double bad : {std::nan(""), -1e3, -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::infinity()}) {
    lse[5] = bad;
    EXPECT_NE(error_of(head, 5).find("t.safetensors: L0H0: query 5, key "), std::string::npos)
        << bad << ": " << error_of(head, 5);
    EXPECT_EQ(error_of(head, 6), "");
  }
  Tensor key({r.n, r.dim});
  std::copy(r.key.span().begin(), r.key.span().end(), key.data());
  key.data()[70 * r.dim] = std::numeric_limits<float>::quiet_NaN();
  head = r.head();
  head.key = key.data();
  EXPECT_NE(error_of(head, 0).find("query 0, key 70"), std::string::npos) << error_of(head, 0);
  // An overview that is no overview.
  std::vector<float> sums(r.sum.span().begin(), r.sum.span().end());
  sums[1] = std::nanf("");
  OverviewView overview = r.overview();
  overview.sum = sums.data();
  EXPECT_THROW(AttentionMap(r.head(), overview).tile({0, 100, 0, 100}, 1, Pool::kSum), Error);
}

TEST(Map, WhatLiesOutsideIsAnErrorOfUse) {
  const Recorded r(20, ScoreSpec{});
  const AttentionMap map(r.head(), r.overview());
  std::vector<float> row(20), short_row(19);
  const auto kind_of = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.kind();
    }
    return Error::Kind::kFailed;
  };
  EXPECT_EQ(kind_of([&] { map.cell(20, 0); }), Error::Kind::kUsage);
  EXPECT_EQ(kind_of([&] { map.row(-1, row); }), Error::Kind::kUsage);
  EXPECT_EQ(kind_of([&] { map.column(20, row); }), Error::Kind::kUsage);
  EXPECT_EQ(kind_of([&] { map.row(0, short_row); }), Error::Kind::kUsage);
  EXPECT_EQ(kind_of([&] { map.tile({0, 21, 0, 20}, 4, Pool::kMax); }), Error::Kind::kUsage);
  EXPECT_EQ(kind_of([&] { map.tile({5, 5, 0, 20}, 4, Pool::kMax); }), Error::Kind::kUsage);
  EXPECT_EQ(kind_of([&] { map.tile({0, 20, 0, 20}, 0, Pool::kMax); }), Error::Kind::kUsage);
}

// 131,072 tokens: log-sum-exps of the rows that are looked at only, by a plain sum.
TEST(Map, AHeadOf131072TokensIsExactWhereverOneLooks) {
  constexpr std::int64_t kN = 131072, kDim = 8;
  Tensor query({kN, kDim}), key({kN, kDim});
  std::uint32_t state = 1;
  for (Tensor* t : {&query, &key})
    for (float& x : t->span()) {
      state = state * 1664525u + 1013904223u;
      x = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31f;
    }
  Buffer<double> lse({kN});
  for (double& x : lse.span()) x = 30;
  HeadView head;
  head.query = query.data(), head.key = key.data(), head.lse = lse.data();
  head.queries = head.keys = kN, head.dim = kDim;
  const AttentionMap map(head);
  for (const std::int64_t corner : {std::int64_t{0}, std::int64_t{70003}, kN - 40}) {
    const std::int64_t k0 = kN - 40 - corner;
    std::vector<double> expected(40 * 40);
    for (std::int64_t i = 0; i < 40; ++i) {
      std::vector<double> logits(static_cast<std::size_t>(kN));
      double total = 0;
      for (std::int64_t k = 0; k < kN; ++k) {
        double dot = 0;
        for (std::int64_t d = 0; d < kDim; ++d)
          dot +=
              static_cast<double>(query.data()[(corner + i) * kDim + d]) * key.data()[k * kDim + d];
        logits[static_cast<std::size_t>(k)] = dot;
        total += std::exp(dot);
      }
      lse.data()[corner + i] = std::log(total);
      for (std::int64_t j = 0; j < 40; ++j)
        expected[static_cast<std::size_t>(i * 40 + j)] =
            std::exp(logits[static_cast<std::size_t>(k0 + j)]) / total;
    }
    const auto tile = map.tile({corner, corner + 40, k0, k0 + 40}, 512, Pool::kMean);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(tile.cells[i], expected[i], 2e-6 * expected[i] + 1e-12);
    EXPECT_NEAR(map.row_sums({corner, corner + 1, 0, kN}).front(), 1.0, 1e-5);
  }
}

// The measures by their definition, over dense weights in double precision.
MapMeasures measured(const std::vector<double>& weights, std::int64_t rows, std::int64_t columns,
                     const std::vector<std::uint8_t>& marked) {
  MapMeasures mean;
  for (std::int64_t q = 0; q < rows; ++q) {
    const double* row = weights.data() + q * columns;
    double total = 0;
    for (std::int64_t k = 0; k < columns; ++k) total += row[k];
    if (total == 0) continue;
    ++mean.rows;
    const std::int64_t position = q + columns - rows;
    for (std::int64_t k = 0; k < columns; ++k) {
      const double p = row[k] / total;
      if (p > 0) mean.entropy -= p * std::log2(p);
      mean.distance += p * static_cast<double>(std::abs(k - position));
      if (k == position - 1) mean.previous += row[k];
      if (k == position + 1) mean.next += row[k];
      if (k == position) mean.same += row[k];
      if (k == 0) mean.first += row[k];
      if (!marked.empty() && marked[static_cast<std::size_t>(k)] != 0) mean.marked += row[k];
    }
  }
  for (double* value : {&mean.entropy, &mean.distance, &mean.previous, &mean.next, &mean.same,
                        &mean.first, &mean.marked})
    *value /= static_cast<double>(std::max<std::int64_t>(1, mean.rows));
  return mean;
}

void expect_measures(const MapMeasures& found, const MapMeasures& expected) {
  EXPECT_EQ(found.rows, expected.rows);
  EXPECT_NEAR(found.entropy, expected.entropy, 1e-5 * (1 + expected.entropy));
  EXPECT_NEAR(found.distance, expected.distance, 1e-5 * (1 + expected.distance));
  EXPECT_NEAR(found.previous, expected.previous, 1e-6);
  EXPECT_NEAR(found.next, expected.next, 1e-6);
  EXPECT_NEAR(found.same, expected.same, 1e-6);
  EXPECT_NEAR(found.first, expected.first, 1e-6);
  EXPECT_NEAR(found.marked, expected.marked, 1e-6);
}

TEST_P(Map, MeasuresEqualThoseOfDenseWeightsInDoublePrecision) {
  for (const ScoreSpec& spec : {ScoreSpec{.scale = 0.25f}, ScoreSpec{.scale = 4.0f, .causal = true},
                                ScoreSpec{.scale = 0.25f, .window = 40}})
    for (const std::int64_t n : {1, 2, 65, 600}) {
      SCOPED_TRACE(n);
      const Recorded r(n, spec);
      std::vector<std::uint8_t> marked(static_cast<std::size_t>(n));
      marked.front() = marked.back() = 1;
      expect_measures(AttentionMap(r.head()).measures(marked), measured(r.weights, n, n, marked));
      expect_measures(AttentionMap(r.head()).measures({}), measured(r.weights, n, n, {}));
    }
}

TEST(Map, SaysHowManyWeightsATileRecomputes) {
  const Recorded r(300, ScoreSpec{.scale = 0.25f}, 5);  // blocks of 64
  const AttentionMap map(r.head(), r.overview());
  EXPECT_EQ(map.recomputed({0, 256, 0, 128}, 2), 0);           // whole blocks
  EXPECT_EQ(map.recomputed({0, 300, 0, 300}, 1), 0);           // up to the map's end
  EXPECT_EQ(map.recomputed({0, 256, 0, 128}, 64), 256 * 128);  // cells smaller than a block
  EXPECT_EQ(map.recomputed({1, 256, 0, 256}, 1), 63 * 256);    // a strip above the blocks
  EXPECT_EQ(AttentionMap(r.head()).recomputed({0, 256, 0, 256}, 1), 256 * 256);
}

TEST(GivenWeights, MeasuresLeaveOutRowsThatSeeNothingAndCountPositionsFromTheEnd) {
  // Two queries at positions 1 and 2 of three keys; the second sees nothing.
  const std::vector<float> weights = {0.5f, 0.25f, 0.25f, 0, 0, 0};
  const MapMeasures one =
      AttentionMap(weights.data(), 2, 3).measures(std::vector<std::uint8_t>{0, 0, 1});
  EXPECT_EQ(one.rows, 1);
  EXPECT_NEAR(one.entropy, 1.5, 1e-6);
  EXPECT_NEAR(one.distance, 0.75, 1e-6);
  EXPECT_EQ(one.previous, 0.5);
  EXPECT_EQ(one.same, 0.25);
  EXPECT_EQ(one.next, 0.25);
  EXPECT_EQ(one.first, 0.5);
  EXPECT_EQ(one.marked, 0.25);
  EXPECT_THROW(AttentionMap(weights.data(), 2, 3).measures(std::vector<std::uint8_t>{0}), Error);
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(AttentionMap(weights.data(), 2, 3).measures({}, &cancel), Error);
}

}  // namespace
}  // namespace regard
