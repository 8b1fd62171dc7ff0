// SPDX-License-Identifier: Apache-2.0
// Two maps against each other, word by word: of two heads, models or texts.
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "regard/analysis/view.h"

namespace regard {

// A place in the alignment of two lists of units: an index into each, -1 where one has none.
struct Pairing {
  std::int64_t a = -1, b = -1;
  bool same = false;  // the same word
};

// Aligns by a longest common subsequence, case ignored; special tokens are equal to special tokens
// only. Between two that are the same, as many of the others are paired as both sides have, in
// order, so that "tired" stands against "wide". Throws Error (usage) when one has more than 4,096.
std::vector<Pairing> align(const std::vector<Unit>& a, const std::vector<Unit>& b);

struct Comparison {
  // Of the first and the second map.
  std::string model[2], text[2], head[2];
  Level level = Level::kWord;
  std::vector<Pairing> rows, columns;
  std::vector<std::string> row_names, column_names;  // "street", "tired / wide", "too / –"
  // [rows, columns]; NaN where that map has no such row or column. The difference is second minus
  // first.
  std::vector<float> weights[2], difference;
  std::vector<std::string> notes;
};

// The first maps of two views of one level. Throws Error for maps that are not held.
Comparison compare(const View& a, const View& b);

// A cell and how much it differs.
struct Difference {
  std::int64_t row, column;
  float first, second;
};
// The largest differences, by size, whichever their sign.
std::vector<Difference> largest_differences(const Comparison& comparison, std::size_t count);

}  // namespace regard
