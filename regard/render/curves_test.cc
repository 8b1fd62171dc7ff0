// SPDX-License-Identifier: Apache-2.0
// Curves: where points land, and what is drawn of many.
#include "regard/render/curves.h"

#include <gtest/gtest.h>

namespace regard {
namespace {

// The plot is 640 wide from 64 and, in a panel of 240, 166 high from 34.
TEST(Curves, PutsPointsWhereTheirValuesAre) {
  const std::string svg =
      curves_svg("a & b", {{"loss", {{"training", {0, 0, 0}, {{0, 4.0}, {50, 3.0}, {100, 2.0}}}}}});
  EXPECT_NE(svg.find("64.0,34.0 384.0,117.0 704.0,200.0"), std::string::npos) << svg;
  EXPECT_NE(svg.find("<title>a &amp; b</title>"), std::string::npos);
  EXPECT_NE(svg.find(">2.5</text>"), std::string::npos);
  EXPECT_EQ(svg.find("polygon"), std::string::npos);
}

TEST(Curves, DrawsABandWhereThereAreMoreStepsThanColumns) {
  CurvePanel panel{"loss", {{"training", {0, 0, 0}, {}}}};
  for (int i = 0; i < 5000; ++i) panel.curves[0].points.emplace_back(i, i % 2);
  const std::string svg = curves_svg("run", {panel});
  EXPECT_NE(svg.find("polygon"), std::string::npos);
  EXPECT_LT(svg.size(), 30000U);
}

TEST(Curves, DrawsOnePointAndNone) {
  EXPECT_NE(curves_svg("run", {{"loss", {{"held out", {0, 0, 0}, {{7, 1.5}}}}}}).find("<circle"),
            std::string::npos);
  EXPECT_NE(curves_svg("run", {{"loss", {{"held out", {0, 0, 0}, {}}}}}).find("</svg>"),
            std::string::npos);
}

}  // namespace
}  // namespace regard
