// SPDX-License-Identifier: Apache-2.0
// Attention by blocks of 64 queries. A block's logits against every key it sees are kept in a
// buffer of 64 x keys, so the row maxima are final before the first exponential and nothing is
// ever rescaled. Memory is linear in the number of keys. Lanes of a vector are queries.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/attention/forward.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/attention/score-inl.h"
#include "regard/kernels/exp-inl.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "regard/attention/forward.h"
#include "regard/platform/error.h"
#include "regard/tensor/tensor.h"

#ifndef REGARD_ATTENTION_FORWARD_BLOCK_
#define REGARD_ATTENTION_FORWARD_BLOCK_
namespace regard {
namespace {

constexpr std::int64_t kGroup = 64;  // keys of a partial sum; divides every overview edge

// What one block of one head needs and keeps. Arrays of [..][kQueryBlock] are aligned to 64 bytes.
struct Block {
  const AttentionInput* in;
  std::int64_t head, row_begin, rows;
  std::int64_t key_begin, key_end;  // keys that some row sees
  float *qt, *logits, *mixed;       // [dim], [keys], [value_dim] each x kQueryBlock
  float *group_sum, *group_max;     // [groups of kGroup keys] x kQueryBlock
  double* total;                    // [kQueryBlock]
  float* top;                       // [kQueryBlock]
  float* share;                     // [kQueryBlock], weight of exp(logit - top)
};

}  // namespace
}  // namespace regard
#endif  // once, not per target

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {

// mixed[d][rows] += sum over the group's keys of value[k][d] * weight[k][rows].
template <std::int64_t kDims, class D>
HWY_INLINE void mix_micro(D d, const float* HWY_RESTRICT weight, const float* HWY_RESTRICT value,
                          std::int64_t keys, std::int64_t stride, float* HWY_RESTRICT mixed) {
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<D> sum[kDims][kScoreVectors];
  for (auto& row : sum)
    for (auto& v : row) v = hn::Zero(d);
  for (std::int64_t k = 0; k < keys; ++k) {
    hn::Vec<D> w[kScoreVectors];
    for (std::int64_t v = 0; v < kScoreVectors; ++v)
      w[v] = hn::Load(d, weight + k * kRows + v * lanes);
    for (std::int64_t i = 0; i < kDims; ++i) {
      const auto broadcast = hn::Set(d, value[k * stride + i]);
      for (std::int64_t v = 0; v < kScoreVectors; ++v)
        sum[i][v] = hn::MulAdd(w[v], broadcast, sum[i][v]);
    }
  }
  for (std::int64_t i = 0; i < kDims; ++i)
    for (std::int64_t v = 0; v < kScoreVectors; ++v) {
      float* at = mixed + i * kRows + v * lanes;
      hn::Store(hn::Add(hn::Load(d, at), sum[i][v]), d, at);
    }
}

template <class D>
void mix_group(D d, const float* weight, std::int64_t rows, const float* value, std::int64_t keys,
               std::int64_t value_dim, float* mixed) {
  const std::int64_t step = kScoreVectors * static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t r = 0; r < padded_rows(d, rows); r += step) {
    std::int64_t i = 0;
    for (; i + 6 <= value_dim; i += 6)
      mix_micro<6>(d, weight + r, value + i, keys, value_dim, mixed + i * kRows + r);
    for (; i < value_dim; ++i)
      mix_micro<1>(d, weight + r, value + i, keys, value_dim, mixed + i * kRows + r);
  }
}

void attend_block(const Block& b) {
  const hn::CappedTag<float, 16> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const AttentionInput& in = *b.in;
  const std::int64_t kv = b.head / (in.heads / in.kv_heads);
  const HeadView head = in.head(b.head);
  const float* value = in.value + kv * in.keys * in.value_dim;
  const std::int64_t padded = padded_rows(d, b.rows);
  const std::int64_t keys = b.key_end - b.key_begin;

  transpose_queries(head, b.row_begin, b.rows, b.qt);
  score_block(d, head, b.row_begin, b.rows, b.qt, b.key_begin, keys, b.logits);
  std::fill(b.mixed, b.mixed + in.value_dim * kRows, 0.0f);

  for (std::int64_t r = 0; r < padded; r += lanes) {
    auto top = hn::Set(d, -std::numeric_limits<float>::infinity());
    for (std::int64_t k = 0; k < keys; ++k)
      top = hn::Max(top, hn::Load(d, b.logits + k * kRows + r));
    hn::Store(top, d, b.top + r);
  }
  for (std::int64_t r = 0; r < kRows; ++r) b.total[r] = 0.0;

  for (std::int64_t begin = 0, g = 0; begin < keys; begin += kGroup, ++g) {
    const std::int64_t size = std::min(kGroup, keys - begin);
    float* logits = b.logits + begin * kRows;
    for (std::int64_t r = 0; r < padded; r += lanes) {
      // A row that sees nothing has top -inf; subtracting 0 keeps its logits -inf, its weights 0.
      auto top = hn::Load(d, b.top + r);
      top =
          hn::IfThenZeroElse(hn::Eq(top, hn::Set(d, -std::numeric_limits<float>::infinity())), top);
      auto sum = hn::Zero(d);
      auto largest = hn::Zero(d);
      for (std::int64_t k = 0; k < size; ++k) {
        const auto w =
            kernels::HWY_NAMESPACE::Exp(d, hn::Sub(hn::Load(d, logits + k * kRows + r), top));
        hn::Store(w, d, logits + k * kRows + r);
        sum = hn::Add(sum, w);
        largest = hn::Max(largest, w);
      }
      hn::Store(sum, d, b.group_sum + g * kRows + r);
      hn::Store(largest, d, b.group_max + g * kRows + r);
    }
    for (std::int64_t r = 0; r < b.rows; ++r) b.total[r] += b.group_sum[g * kRows + r];
    mix_group(d, logits, b.rows, value + (b.key_begin + begin) * in.value_dim, size, in.value_dim,
              b.mixed);
  }
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard {
HWY_EXPORT(attend_block);

namespace {

// Scratch of one thread, grown as needed.
struct Scratch {
  Tensor qt, logits, mixed, group_sum, group_max, top, share;
  Buffer<double> total;
  explicit Scratch(const AttentionInput& in)
      : qt({in.dim, kQueryBlock}),
        logits({in.keys, kQueryBlock}),
        mixed({in.value_dim, kQueryBlock}),
        group_sum({(in.keys + kGroup - 1) / kGroup, kQueryBlock}),
        group_max({(in.keys + kGroup - 1) / kGroup, kQueryBlock}),
        top({kQueryBlock}),
        share({kQueryBlock}),
        total({kQueryBlock}) {}
};

// Weighted values and log-sum-exps of a block, into the outputs.
void store_block(const Block& b, const AttentionOutput& out) {
  const AttentionInput& in = *b.in;
  for (std::int64_t r = 0; r < b.rows; ++r) {
    const std::int64_t q = b.row_begin + r;
    const double total = b.total[r];
    const bool empty = total == 0.0;
    double lse = empty ? -std::numeric_limits<double>::infinity()
                       : static_cast<double>(b.top[r]) + std::log(total);
    double kept = 1.0;  // what the sink leaves
    if (in.terms.sinks != nullptr) {
      const double sink = in.terms.sinks[b.head];
      const double top = std::max(lse, sink);
      const double joined = top + std::log(std::exp(lse - top) + std::exp(sink - top));
      kept = std::exp(lse - joined);
      lse = joined;
    }
    if (std::isnan(lse) || lse == std::numeric_limits<double>::infinity())
      throw Error::at("", fmt::format("head {}, query {}", b.head, q), "finite queries and keys",
                      "a NaN or infinity in its scores");
    out.lse[b.head * in.queries + q] = lse;
    const float share = empty ? 0.0f : static_cast<float>(kept / total);
    b.share[r] = share;
    float* mixed = out.out + (q * in.heads + b.head) * in.value_dim;
    for (std::int64_t i = 0; i < in.value_dim; ++i) mixed[i] = b.mixed[i * kQueryBlock + r] * share;
  }
}

// Adds a block's weights to the overview row of its head.
void add_to_overview(const Block& b, std::int64_t edge, float* sums, float* maxima) {
  for (std::int64_t begin = b.key_begin, g = 0; begin < b.key_end; begin += kGroup, ++g) {
    double sum = 0.0;
    float largest = 0.0f;
    for (std::int64_t r = 0; r < b.rows; ++r) {
      const double share = b.share[r];
      sum += b.group_sum[g * kQueryBlock + r] * share;
      largest = std::max(largest, static_cast<float>(b.group_max[g * kQueryBlock + r] * share));
    }
    const std::int64_t cell = begin / edge;
    sums[cell] += static_cast<float>(sum);
    maxima[cell] = std::max(maxima[cell], largest);
  }
}

}  // namespace

std::int64_t overview_edge(std::int64_t n) {
  const std::int64_t share = (n + 511) / 512;
  return std::max<std::int64_t>(64, (share + 63) / 64 * 64);
}

HeadView AttentionInput::head(std::int64_t index) const {
  HeadView view;
  view.query = query + index * queries * dim;
  view.key = key + index / (heads / kv_heads) * keys * dim;
  view.key_valid = key_valid;
  view.queries = queries, view.keys = keys, view.dim = dim;
  view.score = score;
  view.terms = terms.of_head(index, queries, keys);
  return view;
}

void attention_forward(const AttentionInput& in, const AttentionOutput& out,
                       const CancelToken* cancel) {
  if (in.queries == 0) return;
  const std::int64_t edge = overview_edge(std::max(in.queries, in.keys));
  const std::int64_t bands = (in.queries + edge - 1) / edge;
  const std::int64_t columns = (in.keys + edge - 1) / edge;

  // A band of queries, one row of the overview, is one thread's at a time.
  parallel_for(
      in.heads * bands,
      [&](std::int64_t task) {
        thread_local std::unique_ptr<Scratch> scratch;
        thread_local std::int64_t dim = 0, keys = 0, value_dim = 0;
        if (!scratch || dim != in.dim || keys != in.keys || value_dim != in.value_dim) {
          scratch = std::make_unique<Scratch>(in);
          dim = in.dim, keys = in.keys, value_dim = in.value_dim;
        }
        const std::int64_t head = task / bands, band = task % bands;
        float* sums = nullptr;
        float* maxima = nullptr;
        if (out.overview_sum != nullptr) {
          sums = out.overview_sum + task * columns;
          maxima = out.overview_max + task * columns;
          std::fill(sums, sums + columns, 0.0f);
          std::fill(maxima, maxima + columns, 0.0f);
        }
        const std::int64_t band_end = std::min(in.queries, (band + 1) * edge);
        for (std::int64_t row = band * edge; row < band_end; row += kQueryBlock) {
          const std::int64_t rows = std::min(kQueryBlock, band_end - row);
          const auto first = in.score.visible(row, in.queries, in.keys);
          const auto last = in.score.visible(row + rows - 1, in.queries, in.keys);
          const Block block{&in,
                            head,
                            row,
                            rows,
                            std::min(first.begin, last.begin) / kGroup * kGroup,
                            std::max(first.end, last.end),
                            scratch->qt.data(),
                            scratch->logits.data(),
                            scratch->mixed.data(),
                            scratch->group_sum.data(),
                            scratch->group_max.data(),
                            scratch->total.data(),
                            scratch->top.data(),
                            scratch->share.data()};
          HWY_DYNAMIC_DISPATCH(attend_block)(block);
          store_block(block, out);
          if (sums != nullptr) add_to_overview(block, edge, sums, maxima);
        }
      },
      cancel);
}

}  // namespace regard
#endif  // HWY_ONCE
