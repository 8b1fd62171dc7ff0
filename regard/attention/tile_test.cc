// SPDX-License-Identifier: Apache-2.0
// Tests of tiles whose cells have a given extent, on weights counted by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "regard/attention/attention_map.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

using ::testing::ElementsAre;

TEST(Tile, CellsOfAGivenExtentEndWithTheRegion) {
  const float weights[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};  // 3 x 4
  const AttentionMap map(weights, 3, 4);
  const Region region{0, 3, 1, 4};
  const AttentionMap::Tile tile = map.tile(region, {2, 2}, Pool::kSum);
  EXPECT_EQ(tile.rows, 2);
  EXPECT_EQ(tile.columns, 2);
  EXPECT_THAT(tile.cells, ElementsAre(2 + 3 + 6 + 7, 4 + 8, 10 + 11, 12));
  EXPECT_THAT(map.tile(region, {2, 2}, Pool::kMean).cells, ElementsAre(4.5, 6, 10.5, 12));
  EXPECT_THAT(map.tile(region, {9, 1}, Pool::kMax).cells, ElementsAre(10, 11, 12));
  EXPECT_EQ(AttentionMap::shape(region, {1, 2}), std::pair(std::int64_t{3}, std::int64_t{2}));
  EXPECT_THROW(map.tile(region, {0, 3}, Pool::kMax), Error);
  EXPECT_THROW(map.tile(region, 0, Pool::kMax), Error);
}

}  // namespace
}  // namespace regard
