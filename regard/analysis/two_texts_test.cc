// SPDX-License-Identifier: Apache-2.0
// Maps whose rows and columns are two texts (cross-attention), on matrices small enough to do by
// hand.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "regard/analysis/head_choice.h"
#include "regard/analysis/long_text.h"
#include "regard/analysis/unit_rows.h"
#include "regard/analysis/view.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

Trace with_weights(TokenSide rows, TokenSide columns, std::vector<float> weights) {
  Trace trace;
  static_cast<TokenSide&>(trace) = std::move(rows);
  trace.kind = AttentionKind::kCross;
  trace.keys_side = std::move(columns);
  const auto owned = std::make_shared<std::vector<float>>(std::move(weights));
  trace.keep(owned);
  LayerTrace layer;
  layer.head_ids = {0};
  layer.queries = std::ssize(trace.tokens);
  layer.keys = std::ssize(trace.columns().tokens);
  layer.weights = {DType::kF32,
                   {1, layer.queries, layer.keys},
                   reinterpret_cast<const std::byte*>(owned->data())};
  trace.layers[0] = layer;
  return trace;
}

// <pad> le ch ##at attend to the ca ##t </s>.
Trace le_chat() {
  const TokenSide rows{"le chat",
                       {},
                       {{0, "<pad>", {0, 0}, -1, 0, true},
                        {1, "le", {0, 2}, 0, 0, false},
                        {2, "ch", {3, 5}, 0, 0, false},
                        {3, "##at", {5, 7}, 0, 0, false}},
                       {}};
  const TokenSide columns{"the cat",
                          {},
                          {{4, "the", {0, 3}, 0, 0, false},
                           {5, "ca", {4, 6}, 0, 0, false},
                           {6, "##t", {6, 7}, 0, 0, false},
                           {7, "</s>", {0, 0}, -1, 0, true}},
                          {}};
  return with_weights(rows, columns,
                      {0.1f, 0.2f, 0.2f, 0.5f, 0.8f, 0.0f, 0.1f, 0.1f,  //
                       0.1f, 0.3f, 0.5f, 0.1f, 0.3f, 0.1f, 0.3f, 0.3f});
}

TEST(TwoTexts, RowsAndColumnsHaveTheirOwnWords) {
  const Trace trace = le_chat();
  const std::vector<Unit> rows = units_of(trace, Level::kWord),
                          columns = units_of(trace.columns(), Level::kWord);
  ASSERT_EQ(rows.size(), 3u);
  ASSERT_EQ(columns.size(), 3u);
  EXPECT_EQ(rows[2].text, "chat");
  EXPECT_EQ(columns[1].text, "cat");
  const HeadMap map = head_map(trace, {0, 0}, {rows, columns});
  // Summed over ca and ##t, the mean of ch and ##at.
  const std::vector<float> expected = {0.1f, 0.4f, 0.5f, 0.8f, 0.1f, 0.1f, 0.2f, 0.6f, 0.2f};
  ASSERT_EQ(map.weights.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(map.weights[i], expected[i], 1e-6) << i;
  EXPECT_EQ(mean_map(trace, {{0, 0}, {0, 0}}, {rows, columns}).weights, map.weights);
}

TEST(TwoTexts, UnitsOfTheWrongSideAreAnError) {
  const Trace trace =
      with_weights({"", {}, {{1, "a", {0, 0}, 0, 0, false}}, {}},
                   {"", {}, {{2, "b", {0, 0}, 0, 0, false}, {3, "c", {0, 0}}}, {}}, {0.5f, 0.5f});
  const std::vector<Unit> columns = units_of(trace.columns(), Level::kToken);
  EXPECT_THROW(head_map(trace, {0, 0}, columns), Error);
}

TEST(TwoTexts, ALinkStandsOutByItsContrastAloneWhateverItsPlace) {
  const Trace trace = le_chat();
  const std::vector<Unit> rows = units_of(trace, Level::kWord),
                          columns = units_of(trace.columns(), Level::kWord);
  const HeadChoice choice = choose_head(trace, trace.heads(), {rows, columns});
  // 0.8 - (0.1 + 0.2) / 2.
  EXPECT_EQ(choice.why, "chosen for le -> the: 0.80, 0.65 above the mean of the other rows");
  const std::vector<Link> links = strongest_links(trace, trace.heads(), {rows, columns}, 9);
  ASSERT_EQ(links.size(), 2u);
  EXPECT_EQ(links[1].query, 2);  // chat -> cat: 0.6 - (0.4 + 0.1) / 2
  EXPECT_EQ(links[1].key, 1);
  EXPECT_NEAR(links[1].weight, 0.6, 1e-6);
}

TEST(TwoTexts, WordsOfThePlacesIJAndJIAreTwoLinks) {
  std::vector<Token> tokens(3, Token{1, "a", {0, 0}, 0, 0, false});
  const Trace trace = with_weights({"", {}, tokens, {}}, {"", {}, tokens, {}},
                                   {0.8f, 0.1f, 0.1f, 0.1f, 0.1f, 0.8f, 0.1f, 0.8f, 0.1f});
  const std::vector<Unit> rows = units_of(trace, Level::kWord),
                          columns = units_of(trace.columns(), Level::kWord);
  EXPECT_EQ(strongest_links(trace, trace.heads(), {rows, columns}, 9).size(), 3u);
}

TEST(TwoTexts, AreCutStreamedAndPooledEachOnItsOwnAxis) {
  const Trace trace = le_chat();
  const std::vector<Unit> rows = units_of(trace, Level::kToken),
                          columns = units_of(trace.columns(), Level::kToken);
  const Kept keep{{false, true, true, false}, {true, false, false, true}};
  const std::vector<float> expected = {0.8f, 0.1f, 0.1f, 0.1f};
  EXPECT_EQ(partial_map(trace, {{0, 0}}, {rows, columns}, keep).weights, expected);
  const HeadMap streamed = streamed_map(trace, {{0, 0}}, {rows, columns}, keep, std::nullopt);
  std::vector<float> read(4);
  streamed.read(0, 2, read.data());
  EXPECT_EQ(read, expected);

  View view;
  view.units = rows;
  view.keys_side.emplace().units = columns;
  view.heads = {head_map(trace, {0, 0}, view.axes())};
  view.links = {{2, 0, 0.1f, {}}, {1, 1, 0.0f, {}}};
  view.row = 2;
  keep_units(&view, keep);
  EXPECT_EQ(view.heads[0].weights, expected);
  EXPECT_EQ(view.row, 1);
  ASSERT_EQ(view.links.size(), 1u);
  EXPECT_EQ(view.links[0].query, 1);
  EXPECT_EQ(view.columns().units[1].text, "</s>");

  double held = 0;
  EXPECT_EQ(most_attended(trace, {{0, 0}}, {rows, columns}, 2, 2, &held),
            (std::vector<std::int64_t>{1, 2}));
  EXPECT_NEAR(held, 0.8, 1e-6);
}

}  // namespace
}  // namespace regard
