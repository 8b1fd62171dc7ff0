// SPDX-License-Identifier: Apache-2.0
// Alignments and differences small enough to do by hand; align() on the cases of the page's twin.
#include "regard/analysis/compare.h"

#include <gtest/gtest.h>

#include <cmath>

#include "regard/platform/error.h"

namespace regard {
namespace {

std::vector<Unit> units(const std::vector<std::string>& texts) {
  std::vector<Unit> out;
  for (const std::string& text : texts) {
    Unit unit;
    unit.text = text;
    unit.special = text.starts_with('[');
    out.push_back(unit);
  }
  return out;
}

std::string aligned(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::string out;
  for (const Pairing& pair : align(units(a), units(b)))
    out += (pair.a < 0 ? "-" : a[static_cast<std::size_t>(pair.a)]) + (pair.same ? "=" : ":") +
           (pair.b < 0 ? "-" : b[static_cast<std::size_t>(pair.b)]) + " ";
  return out;
}

View view_of(const std::vector<std::string>& texts, std::vector<float> weights) {
  View view;
  view.model = "m";
  view.units = units(texts);
  HeadMap map;
  map.id = HeadId{1, 2};
  map.rows = map.columns = static_cast<std::int64_t>(texts.size());
  map.weights = std::move(weights);
  view.heads = {map};
  return view;
}

TEST(Align, PairsEqualWordsAndWhatStandsBetweenThem) {
  EXPECT_EQ(aligned({"too", "tired", "."}, {"too", "wide", "."}), "too=too tired:wide .=. ");
  EXPECT_EQ(aligned({"The", "big", "red", "dog"}, {"the", "dog"}), "The=the big:- red:- dog=dog ");
  EXPECT_EQ(aligned({}, {"a"}), "-:a ");
  EXPECT_EQ(aligned({"a", "b"}, {"b", "a"}), "a:- b=b -:a ");
  EXPECT_EQ(aligned({"Straße"}, {"STRASSE"}), "Straße=STRASSE ");
}

TEST(Align, ASpecialTokenIsNoWord) {
  std::vector<Unit> a = units({"x"}), b = units({"x"});
  b[0].special = true;
  EXPECT_FALSE(align(a, b).at(0).same);
}

TEST(Align, RefusesTextsTooLongToCompareWordByWord) {
  EXPECT_THROW(align(std::vector<Unit>(4097), {}), Error);
}

TEST(Compare, SubtractsTheFirstFromTheSecondWhereBothHaveTheWords) {
  const Comparison c = compare(view_of({"a", "b"}, {0.75f, 0.25f, 0.5f, 0.5f}),
                               view_of({"a", "c", "b"}, {0.5f, 0, 0.5f, 0, 1, 0, 1, 0, 0}));
  ASSERT_EQ(c.rows.size(), 3u);
  EXPECT_EQ(c.row_names, (std::vector<std::string>{"a", "– / c", "b"}));
  EXPECT_EQ(c.head[1], "L1H2");
  EXPECT_EQ(c.difference[0], -0.25f);
  EXPECT_EQ(c.difference[2], 0.25f);
  EXPECT_EQ(c.difference[6], 0.5f);
  EXPECT_TRUE(std::isnan(c.difference[4]));
  EXPECT_TRUE(std::isnan(c.weights[0][4]));
  EXPECT_EQ(c.weights[1][4], 1.0f);
  const std::vector<Difference> largest = largest_differences(c, 2);
  ASSERT_EQ(largest.size(), 2u);
  EXPECT_EQ(largest[0].row, 2);
  EXPECT_EQ(largest[0].column, 0);
  EXPECT_EQ(largest[0].second, 1.0f);
  EXPECT_EQ(largest_differences(c, 99).size(), 4u);
}

TEST(Compare, RefusesMapsOfTwoLevels) {
  View token = view_of({"a"}, {1});
  token.level = Level::kToken;
  EXPECT_THROW(compare(view_of({"a"}, {1}), token), Error);
}

}  // namespace
}  // namespace regard
