// SPDX-License-Identifier: Apache-2.0
// Units, word maps, the choice of a head and explanations, on matrices small enough to do by hand.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "regard/analysis/explain.h"
#include "regard/analysis/head_choice.h"
#include "regard/analysis/head_measures.h"
#include "regard/analysis/view.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

TensorView floats(Trace* trace, Shape shape, std::vector<float> values) {
  const auto owned = std::make_shared<std::vector<float>>(std::move(values));
  trace->keep(owned);
  return TensorView{DType::kF32, std::move(shape),
                    reinterpret_cast<const std::byte*>(owned->data())};
}

// Given weights [head, n, n] as layer 0.
void give_weights(Trace* trace, int heads, std::int64_t n, std::vector<float> weights) {
  LayerTrace layer;
  layer.layer = 0;
  for (int h = 0; h < heads; ++h) layer.head_ids.push_back(h);
  layer.queries = layer.keys = n;
  layer.weights = floats(trace, {heads, n, n}, std::move(weights));
  trace->layers[0] = layer;
}

// "ab c!" in the pieces [CLS] a ##b c ! [SEP].
Trace pieces() {
  Trace trace;
  trace.text = "ab c!";
  trace.tokens = {{1, "[CLS]", {0, 0}, -1, 0, true}, {2, "a", {0, 1}, 0, 0, false},
                  {3, "##b", {1, 2}, 0, 0, false},   {4, "c", {3, 4}, 0, 0, false},
                  {5, "!", {4, 5}, 0, 0, false},     {6, "[SEP]", {0, 0}, -1, 0, true}};
  return trace;
}

// Tokens without a text, as without a tokenizer: units at word level are the tokens.
Trace ids(int n) {
  Trace trace;
  for (int i = 0; i < n; ++i)
    trace.tokens.push_back({i, fmt::format("#{}", i), {0, 0}, 0, 0, false});
  return trace;
}

TEST(Levels, AreNamedAndUnknownNamesAreUsageErrors) {
  for (const Level level : {Level::kToken, Level::kWord, Level::kSentence})
    EXPECT_EQ(level_named(name_of(level)), level);
  try {
    level_named("letter");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kUsage);
    EXPECT_NE(std::string(error.what()).find("token, word or sentence"), std::string::npos);
  }
}

TEST(Units, AWordHoldsItsPiecesAndPunctuationStandsApart) {
  const std::vector<Unit> units = units_of(pieces(), Level::kWord);
  ASSERT_EQ(units.size(), 5u);
  EXPECT_EQ(units[0].text, "[CLS]");
  EXPECT_TRUE(units[0].special);
  EXPECT_EQ(units[0].sequence, -1);
  EXPECT_EQ(units[1].text, "ab");
  EXPECT_EQ(units[1].tokens, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(units[1].span, (Span{0, 2}));
  EXPECT_TRUE(units[1].wordlike);
  EXPECT_EQ(units[3].text, "!");
  EXPECT_FALSE(units[3].wordlike);
  EXPECT_EQ(units_of(pieces(), Level::kToken).size(), 6u);
  EXPECT_EQ(units_of(pieces(), Level::kSentence)[1].text, "ab c!");
}

TEST(Units, APairIsSegmentedEachTextOnItsOwnAndPaddingIsNoWord) {
  Trace trace;
  trace.text = "ab";
  trace.pair = "cd";
  trace.tokens = {{1, "ab", {0, 2}, 0, 0, false},
                  {2, "cd", {0, 2}, 1, 1, false},
                  {0, "[PAD]", {0, 0}, -1, 0, true}};
  trace.key_valid = {1, 1, 0};
  const std::vector<Unit> units = units_of(trace, Level::kWord);
  ASSERT_EQ(units.size(), 2u);
  EXPECT_EQ(units[1].text, "cd");
  EXPECT_EQ(units[1].sequence, 1);
  EXPECT_EQ(units_of(trace, Level::kToken).size(), 3u);
}

TEST(Units, WithoutATextAreTheTokens) {
  const std::vector<Unit> units = units_of(ids(3), Level::kWord);
  ASSERT_EQ(units.size(), 3u);
  EXPECT_EQ(units[2].text, "#2");
  EXPECT_TRUE(units[2].wordlike);
}

TEST(WordMap, SumsOverPiecesAttendedToAndAveragesOverPiecesAttendedFrom) {
  Trace trace = ids(3);
  give_weights(&trace, 2, 3,
               {0.5f, 0.25f, 0.25f, 0.0f, 0.5f, 0.5f, 0.125f, 0.125f, 0.75f,  // head 0
                1.0f, 0.0f, 0.0f, 1.0f, 0.0f, 0.0f, 1.0f, 0.0f, 0.0f});       // head 1
  std::vector<Unit> units = units_of(trace, Level::kToken);
  units[0].tokens = {0, 1};  // the first two tokens as one word
  units[1] = units[2];
  units.pop_back();
  const HeadMap map = head_map(trace, {0, 0}, units);
  // Row of tokens 0 and 1: ((0.5 + 0.25) + (0 + 0.5)) / 2 and (0.25 + 0.5) / 2.
  EXPECT_EQ(map.weights, (std::vector<float>{0.625f, 0.375f, 0.25f, 0.75f}));
  const HeadMap mean = mean_map(trace, {{0, 0}, {0, 1}}, units);
  EXPECT_EQ(mean.weights, (std::vector<float>{0.8125f, 0.1875f, 0.625f, 0.375f}));
  EXPECT_FALSE(mean.id.has_value());
  EXPECT_EQ(mean.of.size(), 2u);
}

TEST(WordMap, RowsSumAsTokenRowsDoOverManyBands) {
  constexpr int n = 150;
  Trace trace = ids(n);
  std::vector<float> weights(n * n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)  // 2 (j + 1) / (n (n + 1)) turned by i: rows sum to 1
      weights[static_cast<std::size_t>(i * n + j)] =
          2.0f * static_cast<float>((i + j) % n + 1) / (n * (n + 1.0f));
  give_weights(&trace, 1, n, weights);
  std::vector<Unit> units;  // words of 1, 2, 3, .. 70 and the remaining tokens
  for (std::int64_t begin = 0, size = 1; begin < n; begin += size, size = size * 2 + 1) {
    Unit unit;
    for (std::int64_t t = begin; t < std::min<std::int64_t>(n, begin + size); ++t)
      unit.tokens.push_back(t);
    units.push_back(unit);
  }
  const HeadMap map = head_map(trace, {0, 0}, units);
  for (std::int64_t i = 0; i < map.rows; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < map.columns; ++j)
      sum += static_cast<double>(map.weights[static_cast<std::size_t>(i * map.columns + j)]);
    EXPECT_NEAR(sum, 1.0, 1e-5) << i;
  }
}

// Head 0: every row looks at token 0 (a sink). Head 1: uniform but 4 -> 0 alone at 0.8.
Trace sink_and_link() {
  Trace trace = ids(5);
  std::vector<float> weights;
  for (int i = 0; i < 5; ++i) weights.insert(weights.end(), {1.0f, 0.0f, 0.0f, 0.0f, 0.0f});
  for (int i = 0; i < 4; ++i) weights.insert(weights.end(), 5, 0.2f);
  weights.insert(weights.end(), {0.8f, 0.05f, 0.05f, 0.05f, 0.05f});
  give_weights(&trace, 2, 5, weights);
  return trace;
}

TEST(HeadChoice, PrefersALoneFarLinkToASink) {
  const Trace trace = sink_and_link();
  const HeadChoice choice = choose_head(trace, trace.heads(), units_of(trace, Level::kWord));
  EXPECT_EQ(choice.head, (HeadId{0, 1}));
  EXPECT_EQ(choice.link.query, 4);
  EXPECT_EQ(choice.link.key, 0);
  EXPECT_EQ(choice.link.weight, 0.8f);
  // 0.8 - 4 * 0.2 / 4 = 0.6.
  EXPECT_EQ(choice.why,
            "chosen for #4 -> #0: 0.80, 0.60 above the mean of the other rows, "
            "4 words apart");
}

TEST(HeadChoice, UnderACausalMaskTheFirstTokenIsNoKeyOfALink) {
  constexpr std::int64_t n = 5;
  // The keys are unit vectors, so a query is its row of logits, and a log-sum-exp of 0 fits.
  const std::vector<float> weights = {1,     0,    0,     0,    0,     0.5f,  0.5f,  0,     0,
                                      0,     0.4f, 0.3f,  0.3f, 0,     0,     0.25f, 0.25f, 0.25f,
                                      0.25f, 0,    0.75f, 0.1f, 0.05f, 0.05f, 0.05f};
  std::vector<float> query, key(static_cast<std::size_t>(n * n), 0.0f);
  for (const float w : weights) query.push_back(w > 0 ? std::log(w) : 0.0f);
  for (std::size_t i = 0; i < n; ++i) key[i * n + i] = 1;
  Trace trace = ids(n);
  LayerTrace layer;
  layer.head_ids = layer.kv_of = {0};
  layer.queries = layer.keys = layer.dim = n;
  layer.query = floats(&trace, {1, n, n}, query);
  layer.key = floats(&trace, {1, n, n}, key);
  const auto lse = std::make_shared<std::vector<double>>(n, 0.0);
  trace.keep(lse);
  layer.lse = TensorView{DType::kF64, {1, n}, reinterpret_cast<const std::byte*>(lse->data())};
  layer.score.causal = true;
  trace.layers[0] = layer;
  const std::vector<Unit> units = units_of(trace, Level::kWord);
  EXPECT_NE(choose_head(trace, trace.heads(), units).link.key, 0);
  for (const Link& link : strongest_links(trace, trace.heads(), units, 9)) EXPECT_NE(link.key, 0);
}

TEST(HeadChoice, NeverFallsOnTwoCopiesOfOneWordWhateverTheirCase) {
  const Trace trace = sink_and_link();
  std::vector<Unit> units = units_of(trace, Level::kWord);
  units[0].text = "Straße";
  units[4].text = "STRASSE";
  EXPECT_NE(choose_head(trace, trace.heads(), units).link.query, 4);
  for (const Link& link : strongest_links(trace, trace.heads(), units, 9))
    EXPECT_FALSE(link.query == 4 && link.key == 0);
}

TEST(HeadChoice, NeverFallsOnNeighboursOrSpecialTokensOrPunctuation) {
  Trace trace = ids(3);
  give_weights(&trace, 1, 3, {0, 0, 1, 0, 1, 0, 1, 0, 0});
  std::vector<Unit> units = units_of(trace, Level::kWord);
  EXPECT_EQ(choose_head(trace, trace.heads(), units).link.weight, 1.0f);
  units[0].wordlike = false;
  const HeadChoice none = choose_head(trace, trace.heads(), units);
  EXPECT_EQ(none.head, (HeadId{0, 0}));
  EXPECT_EQ(none.link.weight, 0.0f);
  EXPECT_TRUE(strongest_links(trace, trace.heads(), units, 9).empty());
}

TEST(StrongestLinks, NameEachPairOnceWithItsBestHead) {
  const Trace trace = sink_and_link();
  const std::vector<Link> links =
      strongest_links(trace, trace.heads(), units_of(trace, Level::kWord), 12);
  ASSERT_FALSE(links.empty());
  EXPECT_EQ(links[0].query, 4);
  EXPECT_EQ(links[0].key, 0);
  EXPECT_EQ(links[0].head, (HeadId{0, 1}));
  for (std::size_t i = 0; i < links.size(); ++i)
    for (std::size_t j = i + 1; j < links.size(); ++j)
      EXPECT_NE(std::minmax(links[i].query, links[i].key),
                std::minmax(links[j].query, links[j].key));
  EXPECT_EQ(strongest_links(trace, trace.heads(), units_of(trace, Level::kWord), 1).size(), 1u);
}

TEST(HeadMeasures, SayWhatEachHeadDoes) {
  Trace trace = sink_and_link();
  trace.tokens[0].special = true;
  const std::vector<HeadMeasures> heads = measure_heads(trace, trace.heads());
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[0].head, (HeadId{0, 0}));  // the sink
  EXPECT_EQ(heads[0].entropy, 0);
  EXPECT_EQ(heads[0].distance, 2);  // (0 + 1 + 2 + 3 + 4) / 5
  EXPECT_EQ(heads[0].first, 1);
  EXPECT_EQ(heads[0].special, 1);
  EXPECT_NEAR(heads[0].same, 0.2, 1e-6);
  EXPECT_NEAR(heads[0].previous, 0.2, 1e-6);
  EXPECT_FALSE(heads[0].link.has_value());
  // Four uniform rows of ln 5, one of 0.8 and four times 0.05.
  const double last = -(0.8 * std::log2(0.8) + 0.2 * std::log2(0.05));
  EXPECT_NEAR(heads[1].entropy, (4 * std::log2(5.0) + last) / 5, 1e-5);
  EXPECT_NEAR(heads[1].next, 4 * 0.2 / 5, 1e-6);
  EXPECT_NEAR(heads[1].previous, (3 * 0.2 + 0.05) / 5, 1e-6);
}

TEST(HeadMeasures, NameTheStrongestLinkOfEachHeadAndSortByAnyMeasure) {
  const Trace trace = sink_and_link();
  std::vector<HeadMeasures> heads = measure_heads(trace, trace.heads());
  EXPECT_FALSE(heads[0].link.has_value());
  ASSERT_TRUE(heads[1].link.has_value());
  EXPECT_EQ(heads[1].link->query, 4);
  EXPECT_EQ(heads[1].link->key, 0);
  EXPECT_EQ(heads[1].link->weight, 0.8f);
  sort_heads("entropy", &heads);
  EXPECT_EQ(heads[0].head, (HeadId{0, 1}));
  sort_heads("first", &heads);
  EXPECT_EQ(heads[0].head, (HeadId{0, 0}));
  sort_heads("link", &heads);
  EXPECT_EQ(heads[0].head, (HeadId{0, 1}));
  EXPECT_THROW(sort_heads("beauty", &heads), Error);
}

TEST(HeadMeasures, OfCrossAttentionHaveNoPositions) {
  Trace trace = sink_and_link();
  trace.kind = AttentionKind::kCross;
  trace.keys_side = TokenSide{};
  trace.keys_side->tokens = trace.tokens;
  const std::vector<HeadMeasures> heads = measure_heads(trace, {{0, 0}});
  EXPECT_EQ(heads[0].first, 1);
  EXPECT_TRUE(std::isnan(heads[0].distance));
  EXPECT_TRUE(std::isnan(heads[0].previous));
}

View view_of(std::vector<float> weights, std::size_t n) {
  View view;
  view.units.resize(n);
  for (std::size_t i = 0; i < n; ++i) view.units[i].text = std::to_string(i);
  HeadMap map;
  map.rows = map.columns = static_cast<std::int64_t>(n);
  map.weights = std::move(weights);
  view.heads = {map};
  return view;
}

TEST(KeepUnits, TakesRowsColumnsAndLinksOut) {
  View view = view_of({1, 2, 3, 4, 5, 6, 7, 8, 9}, 3);
  view.links = {{2, 0, 7.0f, {}}, {1, 0, 4.0f, {}}};
  keep_units(&view, {{true, false, true}, {true, false, true}});
  EXPECT_EQ(view.heads[0].weights, (std::vector<float>{1, 3, 7, 9}));
  EXPECT_EQ(view.units[1].text, "2");
  ASSERT_EQ(view.links.size(), 1u);
  EXPECT_EQ(view.links[0].query, 1);
  EXPECT_THROW(keep_units(&view, {{true}, {true}}), Error);
  EXPECT_THROW(keep_units(&view, {{true, false}, {true, true}}), Error);
}

TEST(KeepMass, KeepsTheFewestLargestWeightsThatReachIt) {
  View view = view_of({0.4f, 0.3f, 0.3f, 0.1f, 0.1f, 0.8f, 0, 0, 0}, 3);
  keep_mass(&view, 0.7);
  EXPECT_EQ(view.heads[0].weights, (std::vector<float>{0.4f, 0.3f, 0, 0, 0, 0.8f, 0, 0, 0}));
  EXPECT_EQ(view.notes.size(), 1u);
  EXPECT_THROW(keep_mass(&view, 0), Error);
  EXPECT_THROW(keep_mass(&view, 1.5), Error);
}

TEST(Sinks, GoWithTheirColumnsAndEachRowIsDividedByWhatIsLeft) {
  View view = view_of({0.5f, 0.3f, 0.2f, 0.8f, 0.1f, 0.1f, 1, 0, 0}, 3);
  view.links = {{2, 0, 0.9f, {}}, {1, 2, 0.1f, {}}};
  view.row = 1;
  View marked = view;
  without_sinks(&view);  // no special token comes first, so the first unit goes
  EXPECT_EQ(view.units.size(), 3u);
  ASSERT_EQ(view.columns().units.size(), 2u);
  EXPECT_EQ(view.columns().units[0].text, "1");
  const std::vector<float> expected = {0.6f, 0.4f, 0.5f, 0.5f, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_FLOAT_EQ(view.heads[0].weights[i], expected[i]) << i;
  ASSERT_EQ(view.links.size(), 1u);
  EXPECT_EQ(view.links[0].key, 1);
  EXPECT_EQ(view.row, 1);
  EXPECT_NE(view.notes.at(0).find("first word"), std::string::npos);
  marked.units[0].special = marked.units[2].special = true;
  without_sinks(&marked);
  EXPECT_EQ(marked.heads[0].weights, (std::vector<float>{1, 1, 0}));
  View one = view_of({1}, 1);
  EXPECT_THROW(without_sinks(&one), Error);
}

TEST(Part, LeavesCellsWithinATextOrAcrossTheTwo) {
  View view = view_of({1, 2, 3, 4, 5, 6, 7, 8, 9}, 3);
  EXPECT_THROW(only_part(&view, Part::kWithin), Error);
  view.pair = "b";
  view.units[1].sequence = 1;
  view.units[2].sequence = -1;
  View across = view;
  only_part(&view, Part::kWithin);
  only_part(&across, Part::kAcross);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(!std::isnan(view.heads[0].weights[i]), i == 0 || i == 4) << i;
    EXPECT_EQ(!std::isnan(across.heads[0].weights[i]), i == 1 || i == 3) << i;
  }
}

TEST(Explain, WorksOneCausalRowThrough) {
  Trace trace = ids(3);
  LayerTrace layer;
  layer.head_ids = {0};
  layer.kv_of = {0};
  layer.queries = layer.keys = 3;
  layer.dim = 2;
  layer.value_dim = 1;
  layer.score.scale = 0.5f;
  layer.score.causal = true;
  layer.query = floats(&trace, {1, 3, 2}, {0, 0, 2, 4, 0, 0});
  layer.key = floats(&trace, {1, 3, 2}, {1, 1, 3, 0, 5, 5});
  layer.value = floats(&trace, {1, 3, 1}, {8, 4, 2});
  // Row 1: dots 6 and 6, logits 3 and 3, lse = 3 + ln 2.
  const auto lse = std::make_shared<std::vector<double>>(
      std::vector<double>{0.0, 3.0 + std::log(2.0), std::log(3.0)});
  trace.keep(lse);
  layer.lse = TensorView{DType::kF64, {1, 3}, reinterpret_cast<const std::byte*>(lse->data())};
  trace.layers[0] = layer;

  const Explanation one = explain(trace, {0, 0}, 1);
  EXPECT_EQ(one.query, (std::vector<float>{2, 4}));
  ASSERT_EQ(one.steps.size(), 3u);
  EXPECT_EQ(one.steps[0].product, (std::vector<float>{2, 4}));
  EXPECT_EQ(one.steps[0].dot, 6.0);
  EXPECT_EQ(one.steps[0].scaled, 3.0);
  EXPECT_NEAR(one.steps[0].weight, 0.5, 1e-12);
  EXPECT_NEAR(one.steps[1].weight, 0.5, 1e-12);
  EXPECT_TRUE(one.steps[2].masked);
  EXPECT_EQ(one.steps[2].weight, 0.0);
  EXPECT_NEAR(one.output.at(0), 6.0f, 1e-6f);
  const Explanation few = explain(trace, {0, 0}, 2, 1);  // of three equal weights the first
  ASSERT_EQ(few.steps.size(), 1u);
  EXPECT_EQ(few.steps[0].token, 0);
  EXPECT_NEAR(few.output.at(0), 14.0f / 3, 1e-6f);  // of all of them
  EXPECT_THROW(explain(trace, {0, 0}, 3), Error);
  EXPECT_THROW(explain(trace, {0, 7}, 0), Error);
}

// docs/mathematics.md, "Logit": chains of 32 whose sums are added in order.
float in_chains(const float* a, const float* b, std::int64_t dim, bool fused) {
  float sum = 0;
  for (std::int64_t begin = 0; begin < dim; begin += 32) {
    float chain = 0;
    for (std::int64_t i = begin; i < std::min(dim, begin + 32); ++i)
      chain = fused ? std::fma(a[i], b[i], chain) : chain + a[i] * b[i];
    sum = begin == 0 ? chain : sum + chain;
  }
  return sum;
}

TEST(Explain, ADotProductIsAddedUpInChainsWithOneRoundingAStepWhereTheSetHasFusedMultiplyAdd) {
  constexpr std::int64_t n = 9, dim = 37;
  Trace trace = ids(n);
  std::vector<float> query, key;
  for (int i = 0; i < n * dim; ++i) {
    query.push_back(std::sin(1.7f * static_cast<float>(i)));
    key.push_back(std::cos(0.9f * static_cast<float>(i)));
  }
  LayerTrace layer;
  layer.head_ids = {0};
  layer.kv_of = {0};
  layer.queries = layer.keys = n;
  layer.dim = dim;
  layer.score.scale = 0.25f;
  layer.score.cap = 2.0f;
  layer.score.causal = true;
  layer.query = floats(&trace, {1, n, dim}, query);
  layer.key = floats(&trace, {1, n, dim}, key);
  const auto lse = std::make_shared<std::vector<double>>(n, 1.0);
  trace.keep(lse);
  layer.lse = TensorView{DType::kF64, {1, n}, reinterpret_cast<const std::byte*>(lse->data())};
  trace.layers[0] = layer;
  for (const std::string& set : instruction_sets()) {
    force_instruction_set(set);
    for (std::int64_t q = 0; q < n; ++q)
      for (const Explanation::Step& step : explain(trace, {0, 0}, q).steps)
        EXPECT_EQ(step.dot, in_chains(&query[static_cast<std::size_t>(q * dim)],
                                      &key[static_cast<std::size_t>(step.token * dim)], dim,
                                      set.starts_with("avx") || set.starts_with("neon")))
            << set << " " << q << " " << step.token;
  }
  force_instruction_set("");
}

}  // namespace
}  // namespace regard
