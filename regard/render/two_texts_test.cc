// SPDX-License-Identifier: Apache-2.0
// Every output of a view whose rows and columns are two texts: 2 rows, 3 columns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "regard/platform/json.h"
#include "regard/render/data.h"
#include "regard/render/heads_page.h"
#include "regard/render/picture.h"
#include "regard/render/terminal.h"
#include "regard/render/test_views.h"

namespace regard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

View two_texts() {
  View view = view_of({"le", "chat"});
  view.kind = AttentionKind::kCross;
  view.text = "le chat";
  const View other = view_of({"the", "cat", "."});
  view.keys_side = other;
  view.keys_side->text = "the cat.";
  view.heads[0].columns = 3;
  view.heads[0].weights = {0.5f, 0.25f, 0.25f, 0.125f, 0.75f, 0.125f};
  view.links = {{1, 1, 0.75f, {3, 1}}};
  return view;
}

TEST(TwoTexts, TheGridHasRowsOfOneAndColumnsOfTheOther) {
  EXPECT_EQ(terminal_grid(two_texts(), {}),
            "toy, cross-attention, layer 3, head 1 (L3H1), word level. Head: asked for.\n"
            "query (attends from) ↓   key (attended to) →\n"
            "     the cat .\n"
            "  le .50 .25 .25\n"
            "chat .12 .75 .12\n"
            "what stands out: query -> key, weight, head\n"
            "chat -> cat 0.75 L3H1\n");
}

TEST(TwoTexts, ARowNamesItsWordAndTheWordsOfTheOther) {
  const std::string text = terminal_row(two_texts(), 1, {});
  EXPECT_THAT(text, HasSubstr("query (attends from): chat\n"));
  EXPECT_THAT(text, HasSubstr("the 0.125 "));
  EXPECT_THAT(text, HasSubstr("cat 0.750 "));
  EXPECT_THAT(text, Not(HasSubstr("\n le 0")));
}

TEST(TwoTexts, TheHeadsPageKeepsBothAxes) {
  const View view = two_texts();
  const Thumbnail whole = thumbnail(view.heads[0], 3);
  EXPECT_EQ(whole.rows, 2u);
  EXPECT_EQ(whole.columns, 3u);
  EXPECT_EQ(whole.weights, view.heads[0].weights);
  // Columns 0 and 1 fall into the first of two, column 2 into the second.
  EXPECT_THAT(thumbnail(view.heads[0], 2).weights, ElementsAre(0.5f, 0.25f, 0.75f, 0.125f));
  EXPECT_THAT(terminal_heads(view, {}), HasSubstr("H1"));
}

TEST(TwoTexts, PicturesHoldTheWordsOfBoth) {
  for (const PictureKind kind : {PictureKind::kHeatmap, PictureKind::kAllHeads}) {
    const std::string svg = draw(two_texts(), PictureFormat::kSvg, {.kind = kind});
    EXPECT_THAT(svg, HasSubstr("cross-attention"));
    if (kind != PictureKind::kHeatmap) continue;
    for (const char* word : {">le<", ">chat<", ">the<", ">cat<"}) EXPECT_THAT(svg, HasSubstr(word));
  }
  const std::string row =
      draw(two_texts(), PictureFormat::kSvg, {.kind = PictureKind::kRow, .row = 1});
  EXPECT_THAT(row, HasSubstr("query (attends from): chat"));
  EXPECT_THAT(row, HasSubstr(">cat<"));
  EXPECT_THAT(row, Not(HasSubstr(">le<")));
}

TEST(TwoTexts, JsonHasTheColumnsTextTokensAndWordsAndCsvTheirNames) {
  std::string text;
  write_json(two_texts(), [&](std::string_view bytes) { text += bytes; });
  const JsonDocument document = JsonDocument::parse(text, "view.json", true);
  const Json root = document.root();
  EXPECT_EQ(root.at("kind").string(), "cross");
  EXPECT_EQ(root.at("text").string(), "le chat");
  EXPECT_EQ(root.at("tokens").size(), 2u);
  EXPECT_EQ(root.at("columns").at("text").string(), "the cat.");
  EXPECT_EQ(root.at("columns").at("tokens").size(), 3u);
  EXPECT_EQ(root.at("columns").at("words").size(), 3u);
  EXPECT_THAT(text, HasSubstr("[0.5,0.25,0.25],\n[0.125,0.75,0.125]"));

  std::string plain;
  write_json(small_view(), [&](std::string_view bytes) { plain += bytes; });
  EXPECT_THAT(plain, Not(HasSubstr("\"columns\"")));
  EXPECT_THAT(plain, Not(HasSubstr("\"kind\"")));

  std::string csv;
  write_csv(two_texts(), [&](std::string_view bytes) { csv += bytes; });
  EXPECT_EQ(csv,
            "query (attends from) \\ key (attended to),the,cat,.\r\n"
            "le,0.5,0.25,0.25\r\nchat,0.125,0.75,0.125\r\n");
}

}  // namespace
}  // namespace regard
