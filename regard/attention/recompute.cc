// SPDX-License-Identifier: Apache-2.0
// Blocks of a head's map, recomputed with the forward pass's own score. Lanes are queries.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/attention/recompute.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/attention/score-inl.h"
#include "regard/kernels/exp-inl.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "regard/attention/recompute.h"
#include "regard/platform/error.h"

#ifndef REGARD_ATTENTION_RECOMPUTE_LIMIT_
#define REGARD_ATTENTION_RECOMPUTE_LIMIT_
namespace regard {
namespace {

// The largest weight that a row of this log-sum-exp can have: 1, and room for the rounding of a
// large logit on another instruction set. NaN, above which everything is, when lse is no number.
inline float largest_weight(double lse) {
  if (lse == -std::numeric_limits<double>::infinity()) return 0.0f;
  if (!std::isfinite(lse)) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(1.01 + 1e-6 * std::abs(lse));
}

}  // namespace
}  // namespace regard
#endif  // once, not per target

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {

void queries_of_block(const HeadView& head, std::int64_t row, std::int64_t rows, float* qt) {
  transpose_queries(head, row, rows, qt);
}

void logits_of_block(const HeadView& head, const MapBlock& b, const float* qt, float* out) {
  const hn::CappedTag<float, 16> d;
  score_block(d, head, b.row, b.rows, qt, b.key, b.keys, out);
}

// False when a weight is NaN or larger than its row allows. The difference logit - lse is taken in
// two parts of the double lse, so that it is as exact at |lse| = 1e4 as near 0.
bool weights_of_block(const HeadView& head, const MapBlock& b, const float* qt, float* out) {
  const hn::CappedTag<float, 16> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  logits_of_block(head, b, qt, out);
  HWY_ALIGN float high[kRows] = {};
  HWY_ALIGN float low[kRows] = {};
  HWY_ALIGN float limit[kRows] = {};
  for (std::int64_t r = 0; r < b.rows; ++r) {
    const double lse = head.lse[b.row + r];
    limit[r] = largest_weight(lse);
    if (lse == -std::numeric_limits<double>::infinity()) continue;  // every weight is 0
    high[r] = static_cast<float>(lse);
    low[r] = static_cast<float>(lse - static_cast<double>(high[r]));
  }
  auto good = hn::Eq(hn::Zero(d), hn::Zero(d));
  for (std::int64_t r = 0; r < b.rows; r += lanes) {
    const auto h = hn::Load(d, high + r);
    const auto l = hn::Load(d, low + r);
    const auto most = hn::Load(d, limit + r);
    // Lanes beyond the block's rows hold nothing that anybody reads.
    const auto used = hn::FirstN(d, static_cast<std::size_t>(b.rows - r));
    for (std::int64_t k = 0; k < b.keys; ++k) {
      float* at = out + k * kRows + r;
      const auto w = kernels::HWY_NAMESPACE::Exp(d, hn::Sub(hn::Sub(hn::Load(d, at), h), l));
      good = hn::And(good, hn::Or(hn::Le(w, most), hn::Not(used)));
      hn::Store(w, d, at);
    }
  }
  return hn::AllTrue(d, good);
}

void rows_of_cells(const float* cells, std::int64_t rows, std::int64_t keys, float* out,
                   std::int64_t stride) {
  for (std::int64_t k = 0; k < keys; k += kRows)
    transpose_apart(cells + k * kRows, kRows, std::min(kRows, keys - k), rows, out + k, stride);
}

void sum_keys(const float* cells, std::int64_t rows, std::int64_t keys, double* out) {
  const hn::CappedTag<float, 16> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  constexpr std::int64_t kGroup = 64;
  HWY_ALIGN float group[kRows];
  std::fill(out, out + rows, 0.0);
  for (std::int64_t begin = 0; begin < keys; begin += kGroup) {
    const std::int64_t end = std::min(keys, begin + kGroup);
    for (std::int64_t r = 0; r < rows; r += lanes) {
      auto sum = hn::Zero(d);
      for (std::int64_t k = begin; k < end; ++k)
        sum = hn::Add(sum, hn::Load(d, cells + k * kRows + r));
      hn::Store(sum, d, group + r);
    }
    for (std::int64_t r = 0; r < rows; ++r) out[r] += static_cast<double>(group[r]);
  }
}

void largest_key(const float* cells, std::int64_t rows, std::int64_t keys, float* out) {
  const hn::CappedTag<float, 16> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t r = 0; r < rows; r += lanes) {
    auto top = hn::Zero(d);
    for (std::int64_t k = 0; k < keys; ++k) top = hn::Max(top, hn::Load(d, cells + k * kRows + r));
    hn::Store(top, d, out + r);
  }
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard {
HWY_EXPORT(queries_of_block);
HWY_EXPORT(logits_of_block);
HWY_EXPORT(weights_of_block);
HWY_EXPORT(rows_of_cells);
HWY_EXPORT(sum_keys);
HWY_EXPORT(largest_key);

void load_queries(const HeadView& head, std::int64_t row, std::int64_t rows,
                  BlockScratch* scratch) {
  HWY_DYNAMIC_DISPATCH(queries_of_block)(head, row, rows, scratch->qt.data());
}

void block_logits(const HeadView& head, const MapBlock& block, BlockScratch* scratch) {
  HWY_DYNAMIC_DISPATCH(logits_of_block)(head, block, scratch->qt.data(), scratch->cells.data());
}

void block_weights(const HeadView& head, const std::string& name, const MapBlock& block,
                   BlockScratch* scratch) {
  float* cells = scratch->cells.data();
  if (HWY_DYNAMIC_DISPATCH(weights_of_block)(head, block, scratch->qt.data(), cells)) return;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const double lse = head.lse[block.row + r];
    const float limit = largest_weight(lse);
    for (std::int64_t k = 0; k < block.keys; ++k) {
      const float weight = cells[k * kQueryBlock + r];
      if (weight <= limit) continue;
      throw Error::at(name, fmt::format("query {}, key {}", block.row + r, block.key + k),
                      "a weight of 0 to 1 from query, key and log-sum-exp",
                      fmt::format("{} (log-sum-exp {})", weight, lse));
    }
  }
}

void copy_rows(const float* cells, std::int64_t rows, std::int64_t keys, float* out,
               std::int64_t stride) {
  HWY_DYNAMIC_DISPATCH(rows_of_cells)(cells, rows, keys, out, stride);
}

ScoreSpec::Range visible_keys(const HeadView& head, std::int64_t row, std::int64_t rows) {
  const ScoreSpec::Range first = head.score.visible(row, head.queries, head.keys);
  const ScoreSpec::Range last = head.score.visible(row + rows - 1, head.queries, head.keys);
  return {std::min(first.begin, last.begin), std::max(first.end, last.end)};
}

void sum_over_keys(const float* cells, std::int64_t rows, std::int64_t keys, double* out) {
  HWY_DYNAMIC_DISPATCH(sum_keys)(cells, rows, keys, out);
}

void largest_over_keys(const float* cells, std::int64_t rows, std::int64_t keys, float* out) {
  HWY_DYNAMIC_DISPATCH(largest_key)(cells, rows, keys, out);
}

}  // namespace regard
#endif  // HWY_ONCE
