// SPDX-License-Identifier: Apache-2.0
// Measures of a map in one pass over its blocks (docs/mathematics.md, "Measures of a head"). Lanes
// are queries.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/attention/measures.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/attention/attention_map.h"
#include "regard/attention/recompute.h"
#include "regard/platform/error.h"

#ifndef REGARD_ATTENTION_MEASURES_SUMS_
#define REGARD_ATTENTION_MEASURES_SUMS_
namespace regard {
namespace {

// Of the rows of one block, over its keys or over all.
template <typename T>
struct RowSums {
  alignas(64) T weight[kQueryBlock] = {};
  alignas(64) T information[kQueryBlock] = {};  // -weight ln(weight)
  alignas(64) T distance[kQueryBlock] = {};     // weight |key - position|
  alignas(64) T marked[kQueryBlock] = {};       // weight of marked keys
};

}  // namespace
}  // namespace regard
#endif  // once, not per target

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// cells: [keys][kQueryBlock] weights of keys key, key + 1, ..; row r stands at `position` + r.
// marked: [keys], 0 or 1.
void sum_block(const float* cells, std::int64_t rows, std::int64_t keys, float position, float key,
               const float* marked, RowSums<float>* out) {
  const hn::CappedTag<float, 16> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto zero = hn::Zero(d);
  for (std::int64_t r = 0; r < rows; r += lanes) {
    auto weight = zero, information = zero, distance = zero, special = zero;
    // Position minus key, one less with each key.
    auto ahead = hn::Sub(hn::Iota(d, position + static_cast<float>(r)), hn::Set(d, key));
    for (std::int64_t k = 0; k < keys; ++k) {
      const auto w = hn::Load(d, cells + k * kQueryBlock + r);
      const auto some = hn::Gt(w, zero);
      weight = hn::Add(weight, w);
      information = hn::NegMulAdd(w, hn::IfThenElseZero(some, hn::Log(d, w)), information);
      distance = hn::MulAdd(w, hn::Abs(ahead), distance);
      special = hn::MulAdd(w, hn::Set(d, marked[k]), special);
      ahead = hn::Sub(ahead, hn::Set(d, 1.0f));
    }
    hn::Store(weight, d, out->weight + r);
    hn::Store(information, d, out->information + r);
    hn::Store(distance, d, out->distance + r);
    hn::Store(special, d, out->marked + r);
  }
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard {
HWY_EXPORT(sum_block);

namespace {

void add_to(RowSums<double>* all, const RowSums<float>& block, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r) {
    all->weight[r] += static_cast<double>(block.weight[r]);
    all->information[r] += static_cast<double>(block.information[r]);
    all->distance[r] += static_cast<double>(block.distance[r]);
    all->marked[r] += static_cast<double>(block.marked[r]);
  }
}

void add(const MapMeasures& one, MapMeasures* all) {
  all->rows += one.rows;
  all->entropy += one.entropy;
  all->distance += one.distance;
  all->previous += one.previous;
  all->next += one.next;
  all->same += one.same;
  all->first += one.first;
  all->marked += one.marked;
}

// The single cells that are measures of their own.
void add_cells(const MapBlock& block, std::int64_t shift, const float* cells, MapMeasures* sums) {
  const auto cell = [&](std::int64_t row, std::int64_t key) {
    const std::int64_t k = key - block.key;
    return k < 0 || k >= block.keys ? 0.0 : static_cast<double>(cells[k * kQueryBlock + row]);
  };
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const std::int64_t position = block.row + r + shift;
    sums->previous += cell(r, position - 1);
    sums->next += cell(r, position + 1);
    sums->same += cell(r, position);
    sums->first += cell(r, 0);
  }
}

// Sums become means; the logarithms become bits.
MapMeasures mean_of(MapMeasures sums) {
  if (sums.rows == 0) return sums;
  const auto rows = static_cast<double>(sums.rows);
  sums.entropy /= rows * std::log(2.0);
  for (double* sum :
       {&sums.distance, &sums.previous, &sums.next, &sums.same, &sums.first, &sums.marked})
    *sum /= rows;
  return sums;
}

}  // namespace

MapMeasures AttentionMap::measures(std::span<const std::uint8_t> marked,
                                   const CancelToken* cancel) const {
  if (!marked.empty() && static_cast<std::int64_t>(marked.size()) != columns_)
    throw Error(fmt::format("marked keys: expected {}, found {}", columns_, marked.size()));
  std::vector<float> special(static_cast<std::size_t>(columns_), 0.0f);
  std::copy(marked.begin(), marked.end(), special.begin());
  const std::int64_t shift = columns_ - rows_;
  const std::int64_t bands = (rows_ + kQueryBlock - 1) / kQueryBlock;
  std::vector<MapMeasures> of_band(static_cast<std::size_t>(bands));

  const auto measure = [&](std::int64_t band) {
    MapMeasures sums;
    RowSums<double> all;
    RowSums<float> some;
    BlockScratch scratch(weights_ != nullptr ? 1 : head_.dim);
    float* cells = scratch.cells.data();
    const std::int64_t row = band * kQueryBlock, rows = std::min(kQueryBlock, rows_ - row);
    const ScoreSpec::Range seen =
        weights_ != nullptr ? ScoreSpec::Range{0, columns_} : visible_keys(head_, row, rows);
    if (weights_ == nullptr) load_queries(head_, row, rows, &scratch);
    for (std::int64_t key = seen.begin; key < seen.end; key += kBlockKeys) {
      const MapBlock block{row, rows, key, std::min(kBlockKeys, seen.end - key)};
      if (weights_ != nullptr) {
        for (std::int64_t k = 0; k < block.keys; ++k)
          for (std::int64_t r = 0; r < rows; ++r)
            cells[k * kQueryBlock + r] = std::max(0.0f, weights_[(row + r) * columns_ + key + k]);
      } else {
        block_weights(head_, name_, block, &scratch);
      }
      HWY_DYNAMIC_DISPATCH(sum_block)
      (cells, rows, block.keys, static_cast<float>(row + shift), static_cast<float>(key),
       special.data() + key, &some);
      add_to(&all, some, rows);
      add_cells(block, shift, cells, &sums);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const double weight = all.weight[r];
      if (weight <= 0) continue;
      ++sums.rows;
      sums.entropy += all.information[r] / weight + std::log(weight);
      sums.distance += all.distance[r] / weight;
      sums.marked += all.marked[r];
    }
    of_band[static_cast<std::size_t>(band)] = sums;
  };
  parallel_for(bands, measure, cancel);
  MapMeasures sums;  // in the order of the rows, whatever the threads did
  for (const MapMeasures& one : of_band) add(one, &sums);
  return mean_of(sums);
}

}  // namespace regard
#endif  // HWY_ONCE
