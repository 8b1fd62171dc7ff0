// SPDX-License-Identifier: Apache-2.0
// Cells, rows and tiles of a map, recomputed from queries, keys and log-sum-exps with the forward
// pass's own score (score-inl.h).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/attention/attention_map.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/attention/score-inl.h"
#include "regard/kernels/exp-inl.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "regard/attention/attention_map.h"
#include "regard/platform/error.h"

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {

// Masked logits of queries [row, row + rows) and keys [key, key + keys): out [keys][kRows].
void block_logits(const HeadView& head, std::int64_t row, std::int64_t rows, std::int64_t key,
                  std::int64_t keys, float* qt, float* out) {
  const hn::CappedTag<float, 16> d;
  transpose_queries(head, row, rows, qt);
  score_block(d, head, row, rows, qt, key, keys, out);
}

// The same, then weights exp(logit - lse) in place. The difference is taken in two parts of the
// double lse, so that it is as exact at |lse| = 1e4 as near 0.
void block_weights(const HeadView& head, std::int64_t row, std::int64_t rows, std::int64_t key,
                   std::int64_t keys, float* qt, float* out) {
  const hn::CappedTag<float, 16> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  block_logits(head, row, rows, key, keys, qt, out);
  HWY_ALIGN float high[kRows] = {};
  HWY_ALIGN float low[kRows] = {};
  for (std::int64_t r = 0; r < rows; ++r) {
    const double lse = head.lse[row + r];
    if (!std::isfinite(lse)) continue;  // sees nothing: every logit is -inf, every weight 0
    high[r] = static_cast<float>(lse);
    low[r] = static_cast<float>(lse - static_cast<double>(high[r]));
  }
  for (std::int64_t r = 0; r < padded_rows(d, rows); r += lanes) {
    const auto h = hn::Load(d, high + r);
    const auto l = hn::Load(d, low + r);
    for (std::int64_t k = 0; k < keys; ++k) {
      float* at = out + k * kRows + r;
      hn::Store(kernels::HWY_NAMESPACE::Exp(d, hn::Sub(hn::Sub(hn::Load(d, at), h), l)), d, at);
    }
  }
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard {
HWY_EXPORT(block_logits);
HWY_EXPORT(block_weights);

namespace {

constexpr std::int64_t kKeys = 256;  // keys of a recomputed block

// One thread's scratch for blocks of a head: transposed queries and one block of cells.
struct Scratch {
  explicit Scratch(std::int64_t dim) : qt({dim, kQueryBlock}), cells({kKeys, kQueryBlock}) {}
  Tensor qt, cells;
};

}  // namespace

Pool pool_named(std::string_view name) {
  if (name == "mean") return Pool::kMean;
  if (name == "max") return Pool::kMax;
  if (name == "sum") return Pool::kSum;
  throw Error(fmt::format("pool: expected mean, max or sum, found {}", name), Error::Kind::kUsage);
}

AttentionMap::AttentionMap(const HeadView& head)
    : head_(head), rows_(head.queries), columns_(head.keys) {}

AttentionMap::AttentionMap(const float* weights, std::int64_t rows, std::int64_t columns)
    : weights_(weights), rows_(rows), columns_(columns) {}

namespace {

void check_cell(std::int64_t q, std::int64_t k, std::int64_t rows, std::int64_t columns) {
  if (q < 0 || q >= rows || k < 0 || k >= columns)
    throw Error(fmt::format("attention map: expected a cell within {} x {}, found ({}, {})", rows,
                            columns, q, k),
                Error::Kind::kUsage);
}

}  // namespace

float AttentionMap::cell(std::int64_t q, std::int64_t k) const {
  check_cell(q, k, rows_, columns_);
  if (weights_ != nullptr) return weights_[q * columns_ + k];
  Scratch scratch(head_.dim);
  HWY_DYNAMIC_DISPATCH(block_weights)
  (head_, q, 1, k, 1, scratch.qt.data(), scratch.cells.data());
  return scratch.cells.data()[0];
}

float AttentionMap::logit(std::int64_t q, std::int64_t k) const {
  check_cell(q, k, rows_, columns_);
  if (weights_ != nullptr) throw Error("attention map: given weights have no logits");
  Scratch scratch(head_.dim);
  HWY_DYNAMIC_DISPATCH(block_logits)
  (head_, q, 1, k, 1, scratch.qt.data(), scratch.cells.data());
  return scratch.cells.data()[0];
}

void AttentionMap::row(std::int64_t q, std::span<float> out) const {
  check_cell(q, 0, rows_, std::max<std::int64_t>(1, columns_));
  if (static_cast<std::int64_t>(out.size()) != columns_)
    throw Error(
        fmt::format("attention map: expected room for {} cells, found {}", columns_, out.size()),
        Error::Kind::kUsage);
  read_rows(q, q + 1, out.data());
}

void AttentionMap::read_rows(std::int64_t begin, std::int64_t end, float* out) const {
  if (begin < 0 || end > rows_ || begin > end) check_cell(begin < 0 ? begin : end, 0, rows_, 1);
  if (weights_ != nullptr) {
    std::copy(weights_ + begin * columns_, weights_ + end * columns_, out);
    return;
  }
  Scratch scratch(head_.dim);
  for (std::int64_t row = begin; row < end; row += kQueryBlock) {
    const std::int64_t rows = std::min(kQueryBlock, end - row);
    for (std::int64_t key = 0; key < columns_; key += kKeys) {
      const std::int64_t keys = std::min(kKeys, columns_ - key);
      HWY_DYNAMIC_DISPATCH(block_weights)(head_, row, rows, key, keys, scratch.qt.data(),
                                          scratch.cells.data());
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t k = 0; k < keys; ++k)
          out[(row - begin + r) * columns_ + key + k] = scratch.cells.data()[k * kQueryBlock + r];
    }
  }
}

AttentionMap::Tile AttentionMap::tile(const Region& region, std::int64_t size, Pool pool,
                                      const CancelToken* cancel) const {
  const std::int64_t height = region.row_end - region.row_begin;
  const std::int64_t width = region.column_end - region.column_begin;
  if (region.row_begin < 0 || region.row_end > rows_ || height <= 0 || region.column_begin < 0 ||
      region.column_end > columns_ || width <= 0)
    throw Error(fmt::format("tile: expected rows within 0:{} and columns within 0:{}, not empty, "
                            "found {}:{} and {}:{}",
                            rows_, columns_, region.row_begin, region.row_end, region.column_begin,
                            region.column_end),
                Error::Kind::kUsage);
  if (size < 1 || size > 32768)
    throw Error(fmt::format("tile: expected a size of 1 to 32768, found {}", size),
                Error::Kind::kUsage);
  Tile tile;
  tile.rows = std::min(size, height);
  tile.columns = std::min(size, width);
  tile.cells.resize(static_cast<std::size_t>(tile.rows * tile.columns));
  const std::int64_t h = height / tile.rows, w = width / tile.columns;
  // Tile rows that one task computes together, so that blocks of queries are full.
  const std::int64_t band = std::max<std::int64_t>(1, kQueryBlock / h);

  parallel_for(
      (tile.rows + band - 1) / band,
      [&](std::int64_t task) {
        const std::int64_t first = task * band, last = std::min(tile.rows, first + band);
        const auto row_at = [&](std::int64_t i) {
          return i == tile.rows ? region.row_end : region.row_begin + i * h;
        };
        std::vector<double> pooled(static_cast<std::size_t>((last - first) * tile.columns), 0.0);
        const auto add = [&](std::int64_t q, std::int64_t column, float cell) {
          const std::int64_t i = std::min((q - region.row_begin) / h, tile.rows - 1) - first;
          const std::int64_t j = std::min(column / w, tile.columns - 1);
          double& into = pooled[static_cast<std::size_t>(i * tile.columns + j)];
          into = pool == Pool::kMax ? std::max(into, static_cast<double>(cell)) : into + cell;
        };
        if (weights_ != nullptr) {
          for (std::int64_t q = row_at(first); q < row_at(last); ++q)
            for (std::int64_t k = 0; k < width; ++k)
              add(q, k, weights_[q * columns_ + region.column_begin + k]);
        } else {
          Scratch scratch(head_.dim);
          for (std::int64_t q = row_at(first); q < row_at(last); q += kQueryBlock) {
            const std::int64_t rows = std::min(kQueryBlock, row_at(last) - q);
            for (std::int64_t k = 0; k < width; k += kKeys) {
              const std::int64_t keys = std::min(kKeys, width - k);
              HWY_DYNAMIC_DISPATCH(block_weights)(head_, q, rows, region.column_begin + k, keys,
                                                  scratch.qt.data(), scratch.cells.data());
              for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t j = 0; j < keys; ++j)
                  add(q + r, k + j, scratch.cells.data()[j * kQueryBlock + r]);
            }
          }
        }
        for (std::int64_t i = first; i < last; ++i)
          for (std::int64_t j = 0; j < tile.columns; ++j) {
            const std::int64_t columns = j + 1 == tile.columns ? width - j * w : w;
            double value = pooled[static_cast<std::size_t>((i - first) * tile.columns + j)];
            if (pool == Pool::kMean)
              value /= static_cast<double>((row_at(i + 1) - row_at(i)) * columns);
            tile.cells[static_cast<std::size_t>(i * tile.columns + j)] = static_cast<float>(value);
          }
      },
      cancel);
  return tile;
}

}  // namespace regard
#endif  // HWY_ONCE
