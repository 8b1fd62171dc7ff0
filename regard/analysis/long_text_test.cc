// SPDX-License-Identifier: Apache-2.0
// Pooled, partial and streamed maps, and the rows that are looked at in a long text.
#include "regard/analysis/long_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

#include "regard/analysis/head_choice.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

// Given weights [head, n, n] over the tokens #0, #1, ..
Trace given(std::int64_t n, std::vector<std::vector<float>> heads) {
  Trace trace;
  for (std::int64_t i = 0; i < n; ++i)
    trace.tokens.push_back({i, fmt::format("#{}", i), {0, 0}, 0, 0, false});
  auto all = std::make_shared<std::vector<float>>();
  LayerTrace layer;
  for (std::size_t h = 0; h < heads.size(); ++h) {
    layer.head_ids.push_back(static_cast<int>(h));
    all->insert(all->end(), heads[h].begin(), heads[h].end());
  }
  layer.queries = layer.keys = n;
  layer.weights = {DType::kF32,
                   {static_cast<std::int64_t>(heads.size()), n, n},
                   reinterpret_cast<const std::byte*>(all->data())};
  trace.layers[0] = layer;
  trace.keep(all);
  return trace;
}

// Five tokens; head 0 attends to itself and, less, to the token before.
Trace five() {
  std::vector<float> a(25, 0.0f), b(25, 0.2f);
  for (std::size_t q = 0; q < 5; ++q) {
    a[q * 5 + q] = 0.7f;
    a[q * 5 + (q + 4) % 5] = 0.3f;
  }
  return given(5, {a, b});
}

TEST(LongText, IsOneOfMoreThan4096UnitsOrManyHeads) {
  EXPECT_FALSE(too_large_to_hold(4096, 4096, 1));
  EXPECT_TRUE(too_large_to_hold(4097, 4097, 1));
  EXPECT_FALSE(too_large_to_hold(2048, 2048, 64));
  EXPECT_TRUE(too_large_to_hold(2048, 2048, 65));
  EXPECT_TRUE(too_large_to_hold(std::size_t{1} << 40, std::size_t{1} << 40, 1));
  EXPECT_FALSE(too_large_to_hold(std::size_t{1} << 20, 16, 1));
  EXPECT_TRUE(too_large_to_hold(std::size_t{1} << 20, 17, 1));
}

TEST(LongText, PoolsRunsOfTokensByTheirLargestWeight) {
  const Trace trace = five();
  const std::vector<Unit> runs = runs_of_tokens(trace, 2);  // 0 1, 2 3 4
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].text, "0-1 #0");
  EXPECT_EQ(runs[1].text, "2-4 #2");
  EXPECT_EQ(runs[1].tokens, (std::vector<std::int64_t>{2, 3, 4}));
  const HeadMap map = pooled_map(trace, {0, 0}, 2);
  EXPECT_EQ(map.id, (HeadId{0, 0}));
  EXPECT_EQ(map.weights, (std::vector<float>{0.7f, 0.3f, 0.3f, 0.7f}));
  // The mean of both heads: 0.7 * 2 + 0.3 over 4 cells of head 0 and 0.2 of head 1, and so on.
  const HeadMap mean = pooled_mean(trace, {{0, 0}, {0, 1}}, 2);
  EXPECT_FALSE(mean.id);
  EXPECT_NEAR(mean.weights[0], (1.7 / 4 + 0.2) / 2, 1e-6);
  EXPECT_NEAR(mean.weights[1], (0.3 / 6 + 0.2) / 2, 1e-6);
  EXPECT_NEAR(mean.weights[2], (0.3 / 6 + 0.2) / 2, 1e-6);
  EXPECT_NEAR(mean.weights[3], (2.7 / 9 + 0.2) / 2, 1e-6);
}

TEST(LongText, ShowsOfARowWhatItAttendsToMost) {
  const Trace trace = five();
  const std::vector<Unit> units = units_of(trace, Level::kToken);
  double held = 0;
  const auto chosen = most_attended(trace, {{0, 0}}, units, 3, 1, &held);
  EXPECT_EQ(chosen, (std::vector<std::int64_t>{3}));
  EXPECT_NEAR(held, 0.7, 1e-6);
  const auto two = most_attended(trace, {{0, 0}}, units, 0, 2, &held);
  EXPECT_EQ(two, (std::vector<std::int64_t>{0, 4}));
  EXPECT_NEAR(held, 1.0, 1e-6);
  // Rows 0 and 4, columns 0 and 4.
  const std::vector<bool> ends = {true, false, false, false, true};
  EXPECT_EQ(partial_map(trace, {{0, 0}}, units, {ends, ends}).weights,
            (std::vector<float>{0.7f, 0.3f, 0.0f, 0.7f}));
  EXPECT_EQ(partial_map(trace, {{0, 0}}, units, {{false, true, false, false, false}, ends}).weights,
            (std::vector<float>{0.3f, 0.0f}));
}

TEST(LongText, StreamedRowsAreThoseOfTheMapThatIsHeld) {
  const Trace trace = five();
  const std::vector<Unit> units = units_of(trace, Level::kToken);
  const auto rows_of = [&](const HeadMap& map) {
    std::vector<float> all(static_cast<std::size_t>(map.rows * map.columns));
    map.read(0, 1, all.data());
    map.read(1, map.rows, all.data() + map.columns);
    return all;
  };
  const std::vector<bool> all(5, true), tail = {false, true, true, true, true};
  const Kept every{all, all};
  const HeadMap one = streamed_map(trace, {{0, 0}}, units, every, std::nullopt);
  EXPECT_TRUE(one.weights.empty());
  EXPECT_EQ(rows_of(one), head_map(trace, {0, 0}, units).weights);
  const std::vector<HeadId> both = {{0, 0}, {0, 1}};
  EXPECT_EQ(rows_of(streamed_map(trace, both, units, every, std::nullopt)),
            mean_map(trace, both, units).weights);
  // Without the first unit, and of each row what makes 60 % of what is left: row 1 keeps 0.7,
  // row 2 its 0.7 of 1.0, row 4 its 0.7.
  const HeadMap cut = streamed_map(trace, {{0, 0}}, units, {tail, tail}, 0.6);
  EXPECT_EQ(rows_of(cut),
            (std::vector<float>{0.7f, 0, 0, 0, 0, 0.7f, 0, 0, 0, 0, 0.7f, 0, 0, 0, 0, 0.7f}));
  EXPECT_THROW(streamed_map(trace, {{0, 0}}, units, every, 1.5), Error);
}

// 2,100 units: 4,410,000 cells, more than 2^22, so every second run of 64 rows is looked at: not
// the run of rows 960 to 1023.
TEST(LongText, EverySecondRunOfRowsIsLookedAtWhenThereAreMoreThan2To22Cells) {
  constexpr std::int64_t n = 2100;
  std::vector<float> weights(static_cast<std::size_t>(n * n), 1.0f / n);
  weights[1001 * n + 10] = 0.9f;  // in a row that is not looked at
  weights[1024 * n + 20] = 0.5f;
  const Trace trace = given(n, {weights});
  const std::vector<Unit> units = units_of(trace, Level::kToken);
  const auto links = strongest_links(trace, {{0, 0}}, units, 1);
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].query, 1024);
  EXPECT_EQ(links[0].key, 20);
  EXPECT_EQ(choose_head(trace, {{0, 0}}, units).link.query, 1024);
  // A row that somebody asks for is looked at in any case.
  const auto asked = strongest_links(trace, {{0, 0}}, units, 5, 1001);
  ASSERT_FALSE(asked.empty());
  EXPECT_EQ(asked[0].query, 1001);
  EXPECT_EQ(asked[0].key, 10);
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(strongest_links(trace, {{0, 0}}, units, 1, std::nullopt, &cancel), Error);
}

}  // namespace
}  // namespace regard
