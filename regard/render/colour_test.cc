// SPDX-License-Identifier: Apache-2.0
// Tests of colours by the formulas of CIE L* and of WCAG's contrast.
#include "regard/render/colour.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "regard/platform/error.h"

namespace regard {
namespace {

double luminance(Rgb c) {
  const auto linear = [](int channel) {
    const double x = channel / 255.0;
    return x <= 0.04045 ? x / 12.92 : std::pow((x + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
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

TEST(Colour, NotANumberIsGreyAndAMapOfZerosIsLightest) {
  EXPECT_EQ(weight_colour(std::numeric_limits<double>::quiet_NaN()), (Rgb{128, 128, 128}));
  EXPECT_EQ(scaled(0, 0, Scale::kLinear), 0);
  EXPECT_EQ(scaled(0, 0, Scale::kLog), 0);
}

TEST(ColourTable, IsWithinOneOfTheMapInEveryChannelAndExactAtItsEnds) {
  const ColourTable weights(weight_colour, 0), differences(difference_colour, -1);
  const auto apart = [](Rgb a, Rgb b) {
    return std::max({std::abs(a.r - b.r), std::abs(a.g - b.g), std::abs(a.b - b.b)});
  };
  for (int i = -30000; i <= 30000; ++i) {
    const double t = i / 29999.0;
    ASSERT_LE(apart(weights(t), weight_colour(t)), 1) << t;
    ASSERT_LE(apart(differences(t), difference_colour(t)), 1) << t;
  }
  for (const double t : {-1.0, 0.0, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(weights(t), weight_colour(t)) << t;
    EXPECT_EQ(differences(t), difference_colour(t)) << t;
  }
}

TEST(DifferenceColour, IsLightestAtZeroAndEquallyDarkAtEqualDistance) {
  const auto darkness = [](Rgb c) { return 765 - c.r - c.g - c.b; };
  EXPECT_EQ(difference_colour(0), (Rgb{0xf7, 0xf8, 0xf9}));
  EXPECT_EQ(difference_colour(-1), (Rgb{0xa3, 0x3e, 0x04}));
  EXPECT_EQ(difference_colour(1), (Rgb{0x1b, 0x55, 0x9c}));
  EXPECT_EQ(difference_colour(7), difference_colour(1));
  EXPECT_EQ(difference_colour(std::nan("")), (Rgb{128, 128, 128}));
  for (int i = 1; i <= 10; ++i)
    for (const int sign : {-1, 1})
      EXPECT_GT(darkness(difference_colour(sign * i / 10.0)),
                darkness(difference_colour(sign * (i - 1) / 10.0)));
}

}  // namespace
}  // namespace regard
