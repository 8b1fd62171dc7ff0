// SPDX-License-Identifier: Apache-2.0
// Cells, rows and columns of a map, and the largest weights of a row.
#include "regard/attention/attention_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "regard/attention/recompute.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

void check_cell(std::int64_t q, std::int64_t k, std::int64_t rows, std::int64_t columns) {
  if (q < 0 || q >= rows || k < 0 || k >= columns)
    throw Error(fmt::format("attention map: expected a cell within {} x {}, found ({}, {})", rows,
                            columns, q, k),
                Error::Kind::kUsage);
}

void check_room(std::int64_t room, std::int64_t needed) {
  if (room != needed)
    throw Error(fmt::format("attention map: expected room for {} cells, found {}", needed, room),
                Error::Kind::kUsage);
}

// Indices of the `count` largest weights, largest first, equal ones ascending.
std::vector<std::int64_t> largest(std::span<const float> row, std::size_t count) {
  std::vector<std::int64_t> order(row.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto before = [&](std::int64_t a, std::int64_t b) {
    const float x = row[static_cast<std::size_t>(a)], y = row[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, order.size()));
  if (middle != order.end()) std::nth_element(order.begin(), middle, order.end(), before);
  std::sort(order.begin(), middle, before);
  order.erase(middle, order.end());
  return order;
}

}  // namespace

Pool pool_named(std::string_view name) {
  if (name == "mean") return Pool::kMean;
  if (name == "max") return Pool::kMax;
  if (name == "sum") return Pool::kSum;
  throw Error(fmt::format("pool: expected mean, max or sum, found {}", name), Error::Kind::kUsage);
}

std::vector<WeightedKey> fewest_holding(std::span<const float> row, double share) {
  if (!(share > 0 && share <= 1))
    throw Error(fmt::format("share of a row: expected above 0 and up to 1, found {}", share),
                Error::Kind::kUsage);
  double total = 0;
  for (const float weight : row) total += static_cast<double>(weight);
  const double wanted = (share - (share < 1 ? 1e-6 : 0)) * total;
  // Few keys hold most of most rows: more and more of the largest until they are enough.
  for (std::size_t count = 64;; count *= 8) {
    std::vector<WeightedKey> keys;
    double reached = 0;
    for (const std::int64_t key : largest(row, count)) {
      const float weight = row[static_cast<std::size_t>(key)];
      if (reached >= wanted || weight == 0) return keys;
      keys.push_back({key, weight});
      reached += static_cast<double>(weight);
    }
    if (reached >= wanted || count >= row.size()) return keys;
  }
}

AttentionMap::AttentionMap(const HeadView& head, const OverviewView& overview, std::string name)
    : head_(head),
      overview_(overview),
      name_(std::move(name)),
      rows_(head.queries),
      columns_(head.keys) {}

AttentionMap::AttentionMap(const float* weights, std::int64_t rows, std::int64_t columns)
    : weights_(weights), rows_(rows), columns_(columns) {}

ScoreSpec::Range AttentionMap::seen(std::int64_t begin, std::int64_t end) const {
  if (weights_ != nullptr) return {0, columns_};
  return visible_keys(head_, begin, end - begin);
}

float AttentionMap::cell(std::int64_t q, std::int64_t k) const {
  check_cell(q, k, rows_, columns_);
  if (weights_ != nullptr) return weights_[q * columns_ + k];
  BlockScratch scratch(head_.dim);
  load_queries(head_, q, 1, &scratch);
  block_weights(head_, name_, {q, 1, k, 1}, &scratch);
  return scratch.cells.data()[0];
}

float AttentionMap::logit(std::int64_t q, std::int64_t k) const {
  check_cell(q, k, rows_, columns_);
  if (weights_ != nullptr) throw Error("attention map: given weights have no logits");
  BlockScratch scratch(head_.dim);
  load_queries(head_, q, 1, &scratch);
  block_logits(head_, {q, 1, k, 1}, &scratch);
  return scratch.cells.data()[0];
}

void AttentionMap::logits(std::int64_t q, std::span<float> out) const {
  check_cell(q, 0, rows_, std::max<std::int64_t>(1, columns_));
  check_room(static_cast<std::int64_t>(out.size()), columns_);
  if (weights_ != nullptr) throw Error("attention map: given weights have no logits");
  parallel_for((columns_ + kBlockKeys - 1) / kBlockKeys, [&](std::int64_t task) {
    BlockScratch scratch(head_.dim);
    const std::int64_t key = task * kBlockKeys;
    const MapBlock block{q, 1, key, std::min(kBlockKeys, columns_ - key)};
    load_queries(head_, q, 1, &scratch);
    block_logits(head_, block, &scratch);
    for (std::int64_t k = 0; k < block.keys; ++k)
      out[static_cast<std::size_t>(key + k)] = scratch.cells.data()[k * kQueryBlock];
  });
}

void AttentionMap::row(std::int64_t q, std::span<float> out) const {
  check_cell(q, 0, rows_, std::max<std::int64_t>(1, columns_));
  check_room(static_cast<std::int64_t>(out.size()), columns_);
  read_rows(q, q + 1, out.data());
}

void AttentionMap::column(std::int64_t k, std::span<float> out) const {
  check_cell(0, k, std::max<std::int64_t>(1, rows_), columns_);
  check_room(static_cast<std::int64_t>(out.size()), rows_);
  if (rows_ > 0) read({0, rows_, k, k + 1}, out.data());
}

void AttentionMap::read_rows(std::int64_t begin, std::int64_t end, float* out) const {
  if (begin < 0 || end > rows_ || begin > end) check_cell(begin < 0 ? begin : end, 0, rows_, 1);
  if (begin < end && columns_ > 0) read({begin, end, 0, columns_}, out);
}

std::vector<WeightedKey> AttentionMap::top(std::int64_t q, std::size_t count) const {
  std::vector<float> weights(static_cast<std::size_t>(columns_));
  row(q, weights);
  std::vector<WeightedKey> keys;
  for (const std::int64_t key : largest(weights, count))
    keys.push_back({key, weights[static_cast<std::size_t>(key)]});
  return keys;
}

std::vector<WeightedKey> AttentionMap::holding(std::int64_t q, double share) const {
  std::vector<float> weights(static_cast<std::size_t>(columns_));
  row(q, weights);
  return fewest_holding(weights, share);
}

}  // namespace regard
