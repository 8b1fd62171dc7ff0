// SPDX-License-Identifier: Apache-2.0
// Tests of colours (CIE L* and WCAG contrast by their formulas), terminal text and data formats.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/render/colour.h"
#include "regard/render/data.h"
#include "regard/render/picture.h"
#include "regard/render/terminal.h"

namespace regard {
namespace {

double luminance(Rgb c) {
  const auto linear = [](int channel) {
    const double x = channel / 255.0;
    return x <= 0.04045 ? x / 12.92 : std::pow((x + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
}

View small_view() {
  View view;
  view.model = "toy";
  view.text = "it, \"ran\"";
  for (const char* text : {"it,", "ran"}) {
    view.units.push_back(
        {text, {0, 3}, 0, {static_cast<std::int64_t>(view.units.size())}, false, true});
    view.tokens.push_back({7, text, {0, 3}, 0, 0, false});
  }
  view.words = view.units;
  view.heads.push_back({HeadId{3, 1}, {}, "asked for", 2, 2, {0.25f, 0.75f, 1.0f, 0.0f}});
  view.links.push_back({0, 1, 0.68f, {3, 1}});
  view.notes.push_back("a note");
  return view;
}

TEST(Colour, LightnessFallsStrictlyInTwoHundredSteps) {
  double before = 200;
  for (int i = 0; i <= 200; ++i) {
    const double y = luminance(weight_colour(i / 200.0));
    const double lightness = y > 216.0 / 24389 ? 116 * std::cbrt(y) - 16 : y * 24389 / 27;
    EXPECT_LT(lightness, before) << i;
    before = lightness;
  }
  EXPECT_LT(before, 10);
}

TEST(Colour, TextOnEveryWeightHasContrastOfAtLeastFourAndAHalf) {
  for (int i = 0; i <= 1000; ++i) {
    const Rgb back = weight_colour(i / 1000.0);
    const double a = luminance(back) + 0.05, b = luminance(text_on(back)) + 0.05;
    EXPECT_GE(std::max(a, b) / std::min(a, b), 4.5) << i;
  }
}

TEST(Colour, LogScaleSpansThreeDecades) {
  EXPECT_DOUBLE_EQ(scaled(0.5, 0.5, Scale::kLog), 1);
  EXPECT_NEAR(scaled(0.05, 0.5, Scale::kLog), 2.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(scaled(0.0001, 0.5, Scale::kLog), 0);
  EXPECT_DOUBLE_EQ(scaled(0.25, 0.5, Scale::kLinear), 0.5);
  EXPECT_THROW(scale_named("cubic"), Error);
}

TEST(Terminal, PlainGridHasLabelsNumbersLinkAndNoteAndNoEscapes) {
  EXPECT_EQ(terminal_grid(small_view(), {}),
            "toy  L3H1: asked for\n"
            "query (attends from) ↓   key (attended to) →\n"
            "    it, ran\n"
            "it, .25 .75\n"
            "ran 1.0 .00\n"
            "it, -> ran 0.68 L3H1\n"
            "note: a note\n");
}

TEST(Data, JsonReadsBackWithItsWeights) {
  std::string text;
  write_json(small_view(), [&](std::string_view bytes) { text += bytes; });
  const JsonDocument document = JsonDocument::parse(text, "view.json", true);
  EXPECT_EQ(document.root().at("text").string(), "it, \"ran\"");
  EXPECT_EQ(document.root().at("heads").size(), 1u);
  EXPECT_EQ(document.root().at("links").size(), 1u);
  EXPECT_NE(text.find("[0.25,0.75]"), std::string::npos) << text;
}

TEST(Data, CsvQuotesACommaAsRfc4180Says) {
  std::string text;
  write_csv(small_view(), [&](std::string_view bytes) { text += bytes; });
  EXPECT_EQ(text,
            "query (attends from) \\ key (attended to),\"it,\",ran\r\n"
            "\"it,\",0.25,0.75\r\nran,1,0\r\n");
}

TEST(Npy, FortranOrderBigEndianIsReadInCOrder) {
  const std::string path = testing::TempDir() + "regard_render_fortran.npy";
  std::string header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n";
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  bytes += header + std::string("\0\1\0\4\0\2\0\5\0\3\0\6", 12);
  std::ofstream(path, std::ios::binary) << bytes;
  const NpyArray array = read_npy(path);
  EXPECT_EQ(array.shape, (Shape{2, 3}));
  EXPECT_EQ(array.data, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() - 1);
  EXPECT_THROW(read_npy(path), Error);
  std::filesystem::remove(path);
}

TEST(Npy, HeaderEndsOnAMultipleOf64) {
  const std::int64_t shape[] = {3};
  const std::string header = npy_header(shape);
  EXPECT_EQ(header.size() % 64, 0u);
  EXPECT_EQ(header.substr(10, 56), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), ");
  EXPECT_EQ(header.back(), '\n');
}

TEST(Picture, EqualViewsGiveEqualBytesInEveryFormatAndKind) {
  for (const auto format : {PictureFormat::kPng, PictureFormat::kSvg, PictureFormat::kPdf}) {
    for (const auto kind : {PictureKind::kHeatmap, PictureKind::kRow, PictureKind::kAllHeads}) {
      const PictureStyle style{.kind = kind, .source_date = std::nullopt};
      const std::string first = draw(small_view(), format, style);
      EXPECT_GT(first.size(), 500u);
      EXPECT_EQ(first, draw(small_view(), format, style));
    }
  }
}

}  // namespace
}  // namespace regard
