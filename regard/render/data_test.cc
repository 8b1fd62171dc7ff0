// SPDX-License-Identifier: Apache-2.0
// Tests of JSON (RFC 8259) and CSV (RFC 4180): what a reader finds in them.
#include "regard/render/data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/render/comparison.h"
#include "regard/render/measures.h"
#include "regard/render/test_views.h"

namespace regard {
namespace {

using ::testing::HasSubstr;

std::string json_of(const View& view) {
  std::string text;
  write_json(view, [&](std::string_view bytes) { text += bytes; });
  return text;
}

std::string csv_of(const View& view) {
  std::string text;
  write_csv(view, [&](std::string_view bytes) { text += bytes; });
  return text;
}

TEST(Json, ReadsBackWithItsWeights) {
  const std::string text = json_of(small_view());
  const JsonDocument document = JsonDocument::parse(text, "view.json", true);
  EXPECT_EQ(document.root().at("text").string(), "it, \"ran\"");
  EXPECT_EQ(document.root().at("heads").size(), 1u);
  EXPECT_EQ(document.root().at("links").size(), 1u);
  EXPECT_THAT(text, HasSubstr("\"format\":1"));
  EXPECT_THAT(text, HasSubstr("\"level\":\"word\""));
  EXPECT_THAT(text, HasSubstr("[0.25,0.75]"));
}

TEST(Json, FloatsHaveTheFewestDigitsThatReadBackToThem) {
  View view = small_view();
  // 0.1f is 0.100000001490116...; its neighbours are 7e-9 away.
  view.heads[0].weights = {0.1f, 1e-10f, 16777216.f, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THAT(json_of(view), HasSubstr("[0.1,1e-10],\n[16777216,null]"));
}

TEST(Json, AMeanOfHeadsHasNullForLayerAndHeadAndNamesItsHeads) {
  View view = small_view();
  view.heads[0].id.reset();
  view.heads[0].of = {{0, 1}, {2, 3}};
  EXPECT_THAT(json_of(view),
              HasSubstr("{\"layer\":null,\"head\":null,\"of\":[\"L0H1\",\"L2H3\"],\"why\":"));
}

TEST(Json, APairHasItsSecondTextAndEachTokenItsSequence) {
  View view = small_view();
  view.pair = "second";
  view.tokens[0].sequence = -1;
  view.tokens[1].sequence = 1;
  const std::string text = json_of(view);
  EXPECT_THAT(text, HasSubstr("\"pair\":\"second\""));
  EXPECT_THAT(text, HasSubstr("\"sequence\":null"));
  EXPECT_THAT(text, HasSubstr("\"sequence\":1"));
}

TEST(Json, AnExplanationHasItsStepsItsScoreAndItsNotes) {
  Trace trace;
  trace.model = "toy";
  trace.text = "a\tb";
  trace.tokens = small_view().tokens;
  trace.notes = {"L3H1: asked for"};
  Explanation e;
  e.head = {3, 1};
  e.dim = 2;
  e.query = {1, 2};
  e.output = {0.5f, 0.25f};
  Explanation::Step step;
  step.key = {3, 4};
  step.product = {3, 8};
  step.dot = 11;
  step.scaled = 5.5;
  step.weight = 1;
  e.steps.push_back(step);
  step.token = 1;
  step.masked = true;
  e.steps.push_back(step);
  std::string text;
  write_json(trace, e, [&](std::string_view bytes) { text += bytes; });
  const JsonDocument document = JsonDocument::parse(text, "explanation.json", true);
  EXPECT_EQ(document.root().at("text").string(), "a\tb");
  EXPECT_EQ(document.root().at("steps").size(), 2u);
  EXPECT_EQ(document.root().at("notes").size(), 1u);
  EXPECT_THAT(text, HasSubstr("\"product\":[3,8],\"dot\":11,\"scaled\":5.5,\"masked\":false,"));
  EXPECT_THAT(text, HasSubstr("\"masked\":true"));
}

TEST(Csv, QuotesACommaAsRfc4180Says) {
  EXPECT_EQ(csv_of(small_view()),
            "query (attends from) \\ key (attended to),\"it,\",ran\r\n"
            "\"it,\",0.25,0.75\r\nran,1,0\r\n");
}

TEST(Csv, QuotesInAFieldAreDoubledAndALineBreakIsQuoted) {
  const std::string text = csv_of(view_of({"\"", "a\nb"}));
  EXPECT_THAT(text, HasSubstr(",\"\"\"\",\"a\nb\"\r\n"));
}

TEST(Csv, ALabelLikeAFormulaIsTextForASpreadsheetAndALoneSignIsLeft) {
  const std::string text = csv_of(view_of({"=HYPERLINK(1,2)", "-"}));
  EXPECT_THAT(text, HasSubstr("\r\n\"'=HYPERLINK(1,2)\",0.5,0.5\r\n-,0.5,0.5\r\n"));
}

TEST(Csv, NoLabelCommandsATerminal) {
  std::string text;
  write_csv(
      view_of({"\x1b]0;title\x07", "a\nb"}), [&](std::string_view part) { text += part; }, true);
  EXPECT_EQ(text.find_first_of("\x1b\x07"), std::string::npos);
  EXPECT_THAT(text, HasSubstr(",\\x1B]0;title\\x07,a b\r\n"));
}

TEST(Csv, AViewWithoutAMapIsAnError) {
  View view = small_view();
  view.heads.clear();
  EXPECT_THROW(csv_of(view), Error);
}

Trace two_words() {
  Trace trace;
  trace.model = "m";
  trace.text = "=a, b";
  trace.tokens = {{1, "=a,", {0, 3}, 0, 0, false}, {2, "b", {4, 5}, 0, 0, false}};
  trace.layers[0].head_ids = {0, 1};  // given weights: the tokens are the words
  static const float weights[8] = {};
  trace.layers[0].weights =
      TensorView{DType::kF32, {2, 2, 2}, reinterpret_cast<const std::byte*>(weights)};
  return trace;
}

TEST(Measures, AsDataNameTheWordsOfTheirLinkAndWhatThereIsNoneOf) {
  HeadMeasures with, without;
  with.head = {0, 1};
  with.entropy = 1.5;
  with.link = Link{1, 0, 0.25f, {0, 1}};
  without.distance = std::numeric_limits<double>::quiet_NaN();
  const Trace trace = two_words();
  std::string json, csv;
  write_json(trace, {with, without}, [&](std::string_view bytes) { json += bytes; });
  const JsonDocument document = JsonDocument::parse(json, "heads.json", true);
  EXPECT_EQ(document.root().at("words").size(), 2u);
  EXPECT_THAT(json, HasSubstr("\"entropy\":1.5"));
  EXPECT_THAT(json, HasSubstr("\"link\":{\"query\":1,\"key\":0,\"weight\":0.25}"));
  EXPECT_THAT(json, HasSubstr("\"distance\":null"));
  EXPECT_THAT(json, HasSubstr("\"link\":null"));
  write_csv(trace, {with, without}, [&](std::string_view bytes) { csv += bytes; });
  EXPECT_THAT(csv, HasSubstr("L0H1,1.5,0,0,0,0,0,0,b,\"'=a,\",0.25\r\n"));
  EXPECT_THAT(csv, HasSubstr("L0H0,0,,0,0,0,0,0,,,\r\n"));
  EXPECT_THAT(terminal_measures(trace, {with, without}, {}), HasSubstr("  b -> =a, 0.25\n"));
}

// Rows and columns "a" and "b / c"; the second map has no second column.
Comparison small_comparison() {
  Comparison c;
  c.model[0] = "one";
  c.model[1] = "two";
  c.head[0] = c.head[1] = "L0H1";
  c.rows = {{0, 0, true}, {1, 1, false}};
  c.columns = {{0, 0, true}, {1, -1, false}};
  c.row_names = {"a", "b / <c>"};
  c.column_names = {"a", "b / –"};
  const float none = std::numeric_limits<float>::quiet_NaN();
  c.weights[0] = {0.75f, 0.25f, 0.5f, 0.5f};
  c.weights[1] = {0.5f, none, 1.0f, none};
  c.difference = {-0.25f, none, 0.5f, none};
  return c;
}

TEST(Comparisons, AsJsonHaveNullWhereAMapHasNoSuchWord) {
  std::string json;
  write_json(small_comparison(), [&](std::string_view bytes) { json += bytes; });
  const JsonDocument document = JsonDocument::parse(json, "comparison.json", true);
  EXPECT_EQ(document.root().at("rows").size(), 2u);
  EXPECT_THAT(json, HasSubstr("{\"first\":1,\"second\":null,\"same\":false"));
  EXPECT_THAT(json, HasSubstr("\"difference\":[\n[-0.25,null],\n[0.5,null]]"));
}

TEST(Comparisons, InATerminalAreThreeGridsAndTheLargestDifferences) {
  const std::string text = terminal_comparison(small_comparison(), {.columns = 0});
  EXPECT_THAT(text, HasSubstr("first: one, L0H1"));
  EXPECT_THAT(text, HasSubstr("b / <c> -> a 0.50 1.00 +0.50\na -> a 0.75 0.50 -0.25\n"));
  EXPECT_THAT(text, HasSubstr("-.2"));
}

TEST(Comparisons, AsPicturesKeepTheirWordsAsTextAndNoMarkup) {
  const std::string svg = draw(small_comparison(), PictureFormat::kSvg, {});
  EXPECT_THAT(svg, HasSubstr("b / &lt;c"));
  EXPECT_THAT(svg, HasSubstr("second minus first"));
  EXPECT_EQ(svg, draw(small_comparison(), PictureFormat::kSvg, {}));
}

}  // namespace
}  // namespace regard
