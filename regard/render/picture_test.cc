// SPDX-License-Identifier: Apache-2.0
// Tests of pictures: equal bytes for equal views, sizes, and what an SVG's text says.
#include "regard/render/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "regard/platform/error.h"
#include "regard/render/heads_page.h"
#include "regard/render/links_picture.h"
#include "regard/render/page.h"
#include "regard/render/strip.h"
#include "regard/render/svg.h"
#include "regard/render/test_views.h"

namespace regard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr PictureFormat kFormats[] = {PictureFormat::kPng, PictureFormat::kSvg,
                                      PictureFormat::kPdf};
constexpr PictureKind kKinds[] = {PictureKind::kHeatmap, PictureKind::kRow, PictureKind::kAllHeads};

std::string svg_of(const View& view, PictureStyle style = {}) {
  return draw(view, PictureFormat::kSvg, style);
}

// Big-endian, as in a PNG's header: width at byte 16, height at 20.
std::uint32_t png_number(const std::string& png, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(png.at(at + i));
  }
  return value;
}

TEST(Picture, EqualViewsGiveEqualBytesInEveryFormatAndKind) {
  for (const auto format : kFormats) {
    for (const auto kind : kKinds) {
      const PictureStyle style{.kind = kind, .source_date = std::nullopt};
      const std::string first = draw(small_view(), format, style);
      EXPECT_GT(first.size(), 500u);
      EXPECT_EQ(first, draw(small_view(), format, style));
    }
  }
}

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Picture, LinksAreLinesWiderWhereTheWeightIsLarger) {
  const View view = small_view();  // weights 0.25, 0.75, 1, 0
  for (const auto format : kFormats)
    EXPECT_EQ(draw_links(view, format, {}), draw_links(view, format, {}));
  const std::string svg = draw_links(view, PictureFormat::kSvg, {});
  EXPECT_EQ(count_of(svg, "<line "), 3u);
  // Half a point and two times the share; the strongest last, in its head's full colour.
  EXPECT_LT(svg.find("stroke-width=\"1\""), svg.find("stroke-width=\"2\""));
  EXPECT_LT(svg.find("stroke-width=\"2\""), svg.find("stroke=\"#007acf\" stroke-width=\"2.5\""));
  EXPECT_EQ(count_of(svg, ">ran</text>"), 2u);
  EXPECT_THAT(svg, HasSubstr("are left out"));
}

TEST(Picture, LinksOfSeveralHeadsHaveAColourAndAnEntryInTheLegendEach) {
  View view = small_view();
  view.heads.push_back(view.heads[0]);
  view.heads[1].id = HeadId{2, 0};
  const std::string svg = draw_links(view, PictureFormat::kSvg, {});
  EXPECT_EQ(count_of(svg, "<line "), 6u);
  EXPECT_THAT(svg, HasSubstr("stroke=\"#c23a41\" stroke-width=\"2.5\""));
  EXPECT_THAT(svg, HasSubstr(">L3H1</text>"));
  EXPECT_THAT(svg, HasSubstr(">L2H0</text>"));
}

TEST(Picture, OnlyThePdfHoldsADateAndItIsTheSourceDate) {
  // 86,400 seconds after 1970 began.
  const PictureStyle style{.source_date = 86400};
  EXPECT_THAT(draw(small_view(), PictureFormat::kPdf, style), HasSubstr("19700102"));
  for (const auto format : {PictureFormat::kPng, PictureFormat::kSvg}) {
    EXPECT_EQ(draw(small_view(), format, style), draw(small_view(), format, {}));
  }
}

TEST(Picture, SvgHoldsItsWordsTitlesAndCaptionAsText) {
  const std::string svg = svg_of(small_view());
  EXPECT_THAT(svg, HasSubstr(">query (attends from)</text>"));
  EXPECT_THAT(svg, HasSubstr(">key (attended to)</text>"));
  EXPECT_THAT(svg, HasSubstr(">attention weight</text>"));
  EXPECT_THAT(svg, HasSubstr(">ran</text>"));
  EXPECT_THAT(svg, HasSubstr(">.75</text>"));
  EXPECT_THAT(svg, HasSubstr("Note: a note</text>"));
  EXPECT_THAT(svg, HasSubstr("<title>toy, layer 3, head 1 (L3H1), word level</title>"));
  EXPECT_THAT(svg, HasSubstr("DejaVu Sans"));
}

TEST(Picture, MarkupAndControlsInAWordAreOnlyText) {
  View view = view_of({"<script>&\"", "a\x01\u202e"});
  view.model = "</svg>";
  const std::string svg = svg_of(view);
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&amp;&quot;</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, HasSubstr("&lt;/svg&gt;, layer"));
  EXPECT_THAT(svg, Not(HasSubstr("\x01")));
  EXPECT_THAT(svg, Not(HasSubstr("\u202e")));
}

TEST(Picture, XmlHoldsNoCharacterThatItForbids) {
  EXPECT_EQ(xml_escaped("a\tb"), "a\tb");
  EXPECT_EQ(xml_escaped(std::string("\0\x1b", 2)), "\ufffd\ufffd");
  EXPECT_EQ(xml_escaped("\xef\xbf\xbe"), "\ufffd");  // U+FFFE
  EXPECT_EQ(xml_escaped("\xff"), "\ufffd");
  EXPECT_EQ(xml_escaped("日本語 👩‍🔬"), "日本語 👩‍🔬");
}

TEST(Picture, Base64OfAnImageIsRfc4648) {
  SvgPage page(1, 1, "", "x");
  page.image("fooba", 0, 0, 1, 1);
  EXPECT_THAT(page.finish(), HasSubstr("base64,Zm9vYmE=\""));
  SvgPage other(1, 1, "", "x");
  other.image("foob", 0, 0, 1, 1);
  EXPECT_THAT(other.finish(), HasSubstr("base64,Zm9vYg==\""));
}

TEST(Picture, ADarkPageHasTheSameCells) {
  const std::string light = svg_of(small_view()), dark = svg_of(small_view(), {.dark = true});
  for (const std::string& svg : {light, dark}) {
    EXPECT_THAT(svg, HasSubstr("fill=\"#071331\""));
    EXPECT_THAT(svg, HasSubstr("fill=\"#f7fafd\""));
  }
  EXPECT_THAT(light, Not(HasSubstr("fill=\"#161a20\"/>")));
  EXPECT_THAT(dark, HasSubstr("fill=\"#161a20\"/>"));
}

TEST(Picture, MoreThan128UnitsAreOneImageAndFewerLabels) {
  const std::string svg = svg_of(view_of_words(129));
  EXPECT_THAT(svg, HasSubstr("<image"));
  EXPECT_THAT(svg, HasSubstr(">word128</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">word127</text>")));
  EXPECT_THAT(svg, HasSubstr("One word in 2 is written."));
  EXPECT_THAT(svg_of(view_of_words(128)), HasSubstr(">word127</text>"));
}

TEST(Picture, EveryNumberOfWordsFromOneToSeveralHundredDraws) {
  for (const int words : {1, 2, 24, 25, 60, 61, 400}) {
    const std::string png = draw(view_of_words(words), PictureFormat::kPng, {});
    EXPECT_EQ(png.substr(1, 3), "PNG");
    EXPECT_LT(png_number(png, 16), 4000u) << words;
  }
}

TEST(Picture, ARowTooLongForTwoPixelsAPointHasOne) {
  // 1,700 bars of 10 points: 34,000 pixels would be too many.
  const std::string png =
      draw(view_of_words(1700), PictureFormat::kPng, {.kind = PictureKind::kRow});
  EXPECT_GT(png_number(png, 20), 17000u);
  EXPECT_LT(png_number(png, 20), 18000u);
  EXPECT_THROW(draw(view_of_words(3400), PictureFormat::kPng, {.kind = PictureKind::kRow}), Error);
}

TEST(Picture, ALongLabelIsElided) {
  const std::string svg = svg_of(view_of({std::string(200, 'x'), "日本語", "שלום"}));
  EXPECT_THAT(svg, HasSubstr(">" + std::string(27, 'x') + "…</text>"));
  EXPECT_THAT(svg, HasSubstr(">日本語</text>"));
  EXPECT_THAT(svg, HasSubstr(">שלום</text>"));
}

TEST(Picture, AMapOfZerosOrNotANumberDraws) {
  View view = small_view();
  view.heads[0].weights.assign(4, 0.f);
  for (const auto kind : kKinds) EXPECT_THAT(svg_of(view, {.kind = kind}), HasSubstr("</svg>"));
  view.heads[0].weights.assign(4, std::numeric_limits<float>::quiet_NaN());
  for (const auto kind : kKinds) EXPECT_THAT(svg_of(view, {.kind = kind}), HasSubstr("</svg>"));
}

TEST(Picture, TheLogarithmicBarNamesItsDecades) {
  const std::string svg = svg_of(small_view(), {.scale = Scale::kLog});
  EXPECT_THAT(svg, HasSubstr(">0.1</text>"));
  EXPECT_THAT(svg, HasSubstr(">0.01</text>"));
  EXPECT_THAT(svg, HasSubstr(">≤ 0.001</text>"));
}

TEST(Picture, ThePageOfHeadsHasAPlaceForEachAndNoneForAMean) {
  View view = small_view();
  view.heads.push_back(view.heads[0]);
  view.heads[1].id = HeadId{0, 10};
  const std::string svg = svg_of(view, {.kind = PictureKind::kAllHeads});
  for (const char* name : {">L0</text>", ">L3</text>", ">H1</text>", ">H10</text>"}) {
    EXPECT_THAT(svg, HasSubstr(name));
  }
  view.heads[1].id.reset();
  EXPECT_THROW(svg_of(view, {.kind = PictureKind::kAllHeads}), Error);
}

TEST(Picture, AThumbnailIsTheLargestWeightOfEachBlock) {
  HeadMap map{HeadId{0, 0}, {}, "", 3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {}};
  // Rows 0 and 1 fall into the first of two, row 2 into the second.
  EXPECT_THAT(thumbnail(map, 2).weights, ElementsAre(5, 6, 8, 9));
  EXPECT_THAT(thumbnail(map, 3).weights, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(Picture, TicksAreRoundNumbersUpToTheTop) {
  EXPECT_THAT(round_ticks(1), ElementsAre(0, 0.2, 0.4, testing::DoubleNear(0.6, 1e-12), 0.8, 1));
  EXPECT_THAT(round_ticks(0.3), testing::SizeIs(7));    // 0, 0.05, .. 0.3
  EXPECT_THAT(round_ticks(0.065), testing::SizeIs(4));  // 0, 0.02, 0.04, 0.06
}

TEST(Picture, ARowThatIsNotThereIsAnError) {
  EXPECT_THROW(svg_of(small_view(), {.kind = PictureKind::kRow, .row = 2}), Error);
  EXPECT_THROW(svg_of(small_view(), {.kind = PictureKind::kRow, .row = -1}), Error);
}

TEST(Strip, ShowsTheMapsInOrderOnOneScale) {
  View weak = small_view(), strong = small_view();
  weak.heads[0].weights = {0.1f, 0.2f, 0.0f, 0.0f};
  const std::string svg =
      draw({{"step 0", "", weak}, {"step 10", "loss 2.5", strong}}, PictureFormat::kSvg, {});
  EXPECT_LT(svg.find("step 0<"), svg.find("step 10<"));
  EXPECT_THAT(svg, HasSubstr("loss 2.5"));
  EXPECT_THAT(svg, HasSubstr("Linear scale from 0 to 1, the"));
  EXPECT_THAT(svg, HasSubstr("through training"));
}

TEST(Strip, RefusesNoMapsAndMapsOfOtherWords) {
  const std::vector<StripFrame> none,
      apart = {{"a", "", small_view()}, {"b", "", view_of_words(3)}};
  EXPECT_THROW(draw(none, PictureFormat::kSvg, {}), Error);
  EXPECT_THROW(draw(apart, PictureFormat::kSvg, {}), Error);
}

}  // namespace
}  // namespace regard
