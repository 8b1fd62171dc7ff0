// SPDX-License-Identifier: Apache-2.0
// Curves: where points land, and what is drawn of many.
#include "regard/render/curves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

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

TEST(Curves, LeavesOutWhatIsNotFinite) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const std::string svg =
      curves_svg("run", {{"loss",
                          {{"training",
                            {0, 0, 0},
                            {{0, 4.0}, {20, 3.0}, {40, nan}, {60, 3.0}, {80, 2.0}, {100, inf}}}}}});
  // Axes to step 100 and from 2 to 4; the curve is broken at step 40.
  EXPECT_NE(svg.find("\"64.0,34.0 192.0,117.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("\"448.0,117.0 576.0,200.0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("training (2 not finite)"), std::string::npos);
  for (const char* word : {"nan,", "inf,", ",nan", ",inf", "polygon"})
    EXPECT_EQ(svg.find(word), std::string::npos) << word;
  for (const double one : {nan, inf, -inf})
    EXPECT_NE(curves_svg("run", {{"loss", {{"", {0, 0, 0}, {{1, one}, {2, one}}}}}}).find("</svg>"),
              std::string::npos);
}

TEST(Curves, DrawsNumbersOfAnySize) {
  const double most = std::numeric_limits<double>::max();
  for (const auto& [a, b] : {std::pair{1e17, 1e17},
                             {1e30, 1e30},
                             {most, most},
                             {-most, most},
                             {1e17, 1e17 + 16},
                             {5e-324, 5e-324},
                             {0.0, 5e-324},
                             {-1e30, -1e30}}) {
    const std::string svg =
        curves_svg("run", {{"loss", {{"", {0, 0, 0}, {{1e15, a}, {1e15, b}}}}}});
    EXPECT_NE(svg.find("</svg>"), std::string::npos);
    EXPECT_LT(svg.size(), 5000U) << a << ' ' << b;
    EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  }
}

}  // namespace
}  // namespace regard
