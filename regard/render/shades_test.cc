// SPDX-License-Identifier: Apache-2.0
// Shades by size and by rank, worked out by hand.
#include "regard/render/shades.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "regard/render/picture.h"
#include "regard/render/terminal.h"
#include "regard/render/test_views.h"

namespace regard {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

HeadMap map_of(std::int64_t columns, std::vector<float> weights) {
  const auto rows = static_cast<std::int64_t>(weights.size()) / columns;
  return {HeadId{0, 0}, {}, "", rows, columns, std::move(weights)};
}

TEST(Shades, ByRankCountEachRowForItselfAndLeaveOutWhatIsNoNumber) {
  const HeadMap map = map_of(4, {0.3f, kNone, 0.1f, 0.6f, 0.001f, 0, 0.002f, 0.002f});
  const std::vector<float> shades = shaded(map, 0.6, Scale::kRank, Top::kMap).weights;
  const std::vector<float> expected = {2.f / 3, kNone, 1.f / 3, 1, 0.5f, 0, 0.75f, 1};
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (std::isnan(expected[i]))
      EXPECT_TRUE(std::isnan(shades[i])) << i;
    else
      EXPECT_FLOAT_EQ(shades[i], expected[i]) << i;
}

TEST(Shades, AreSharesOfTheMapsOrOfEachRowsLargest) {
  const HeadMap map = map_of(2, {0.5f, 0.25f, 0.1f, 0.01f, 0, 0});
  EXPECT_EQ(shaded(map, 0.5, Scale::kLinear, Top::kMap).weights,
            (std::vector<float>{1, 0.5f, 0.2f, 0.02f, 0, 0}));
  const std::vector<float> rows = shaded(map, 0.5, Scale::kLog, Top::kRow).weights;
  EXPECT_FLOAT_EQ(rows[2], 1);
  EXPECT_NEAR(rows[3], 2.0 / 3, 1e-6);
  EXPECT_EQ(rows[5], 0);
}

TEST(Shades, AreNamedInEveryPictureOfThem) {
  const View view = small_view();
  EXPECT_NE(terminal_grid(view, {.colours = Colours::kTrue, .scale = Scale::kRank}).find("by rank"),
            std::string::npos);
  const std::string rank = draw(view, PictureFormat::kSvg, {.scale = Scale::kRank});
  EXPECT_NE(rank.find("Shades by rank"), std::string::npos);
  EXPECT_NE(rank.find(">highest</text>"), std::string::npos);
  const std::string row =
      terminal_grid(view, {.columns = 0, .colours = Colours::kTrue, .top = Top::kRow});
  EXPECT_NE(row.find("to the largest weight of each row."), std::string::npos);
}

TEST(Shades, ACellThatIsNoNumberIsNotPainted) {
  View view = small_view();
  view.heads[0].weights[1] = kNone;
  const std::string text = terminal_grid(view, {.colours = Colours::kNone});
  EXPECT_EQ(text.find("nan"), std::string::npos);
  EXPECT_EQ(terminal_row(view, 0, {.colours = Colours::kNone}).find("nan"), std::string::npos);
  const auto cells = [](const std::string& svg) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = svg.find("<rect", at)) != std::string::npos; ++at) ++count;
    for (std::size_t at = 0; (at = svg.find("<path", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  EXPECT_EQ(cells(draw(view, PictureFormat::kSvg, {})) + 1,
            cells(draw(small_view(), PictureFormat::kSvg, {})));
}

}  // namespace
}  // namespace regard
