// SPDX-License-Identifier: Apache-2.0
// Gradients of attention, a strip of queries against the keys it sees at a time. With weights p,
// dp = do . v and delta = do . o, the gradient of a logit is p (dp - delta): delta is the weighted
// mean of dp, also where a sink takes a share. Lanes are queries in the products along keys, and
// dimensions in the products along queries; both are dot-inl.h's one inner loop.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/attention/backward.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/attention/score-inl.h"
#include "regard/kernels/exp-inl.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "regard/attention/backward.h"
#include "regard/attention/forward_block.h"
#include "regard/tensor/tensor.h"

#ifndef REGARD_ATTENTION_BACKWARD_TASK_
#define REGARD_ATTENTION_BACKWARD_TASK_
namespace regard {
namespace {

// Arrays that a thread keeps, aligned to 64 bytes.
enum class BackwardRoom : std::size_t {
  kQueryLanes,
  kOutLanes,
  kQueryRows,
  kOutRows,
  kWeights,
  kLogitGradients,
  kQueryGradient,
  kKeyGradient,
  kValueGradient,
  kCount
};

inline float* room(BackwardRoom which, std::int64_t count) {
  static thread_local std::array<Tensor, static_cast<std::size_t>(BackwardRoom::kCount)> arrays;
  Tensor& array = arrays[static_cast<std::size_t>(which)];
  if (array.size() < count) array = Tensor(Shape{count});
  return array.data();
}

}  // namespace
}  // namespace regard
#endif  // once, not per target

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {

// Dimensions in whole vectors: the width of rows that are padded with zeros.
inline std::int64_t padded(std::int64_t dim) { return (dim + kLanes - 1) / kLanes * kLanes; }

// rows [rows][dim] to panels [dim / kStrip][rows][kStrip]; dimensions up to a whole vector are 0.
inline void pack_rows(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t dim,
                      float* out) {
  for (std::int64_t first = 0; first < dim; first += kStrip, out += kStrip * kStrip) {
    const std::int64_t some = std::min(kStrip, dim - first);
    for (std::int64_t r = 0; r < rows; ++r) {
      float* to = out + r * kStrip;
      std::copy_n(from + r * stride + first, some, to);
      std::fill(to + some, to + padded(some), 0.0f);
    }
  }
}

inline float dot_rows(const float* a, const float* b, std::int64_t count) {
  const Floats d;
  auto sum = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum);
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

// to [rows][width], dense and padded to whole vectors, += sum over `count` steps of
// broadcast[row][step] * panels[step][..]: broadcast rows lie kStrip apart.
HWY_INLINE void add_outer(const float* broadcast, std::int64_t rows, const float* panels,
                          std::int64_t count, std::int64_t dim, float* to) {
  const Floats d;
  const std::int64_t width = padded(dim);
  for (std::int64_t first = 0; first < dim; first += kStrip) {
    const float* panel = panels + first * kStrip;
    const std::int64_t vectors = padded(std::min(kStrip, dim - first)) / kLanes;
    with_vectors(vectors, [&](auto wide) HWY_ATTR {
      in_tiles(rows, [&](auto size, std::int64_t r) HWY_ATTR {
        hn::Vec<Floats> sum[size()][wide()];
        add_products(panel, broadcast + r * kStrip, kStrip, 1, count, sum);
        for (int i = 0; i < size(); ++i)
          for (int v = 0; v < wide(); ++v) {
            float* at = to + (r + i) * width + first + v * kLanes;
            hn::Store(hn::Add(hn::Load(d, at), sum[i][v]), d, at);
          }
      });
    });
  }
}

// One head's strips of queries against its keys.
class HeadBackward {
 public:
  HeadBackward(const AttentionInput& in, const AttentionResult& result,
               const AttentionGradient& gradient, std::int64_t head)
      : in_(in), result_(result), gradient_(gradient), head_(head) {
    const std::int64_t kv = head / (in.heads / in.kv_heads);
    const auto apart = [](const RowLayout& layout, std::int64_t dense) {
      return layout.head > 0 ? layout.head : dense;
    };
    const std::int64_t query = head * apart(in.query_layout, in.queries * in.dim);
    view_.query = in.query + query;
    view_.key = in.key + kv * apart(in.key_layout, in.keys * in.dim);
    view_.key_valid = in.key_valid;
    view_.queries = in.queries, view_.keys = in.keys, view_.dim = in.dim;
    view_.score = in.score;
    view_.terms = in.terms.of_head(head, in.queries, in.keys);
    value_ = in.value + kv * apart(in.value_layout, in.keys * in.value_dim);
    query_gradient_ = gradient.query + query;
    const auto mine = [&](float* all, std::int64_t size) {
      if (all == nullptr) return all;
      std::fill_n(all + head * size, size, 0.0f);
      return all + head * size;
    };
    bias_gradient_ = mine(gradient.bias, 2 * in.terms.bias_reach + 1);
    query_relative_gradient_ = mine(gradient.query_relative, in.queries * in.terms.slots);
    key_relative_gradient_ = mine(gradient.key_relative, in.keys * in.terms.slots);
  }

  // Adds to key_sum [keys][padded(dim)] and value_sum [keys][padded(value_dim)].
  HWY_ATTR void run(float* key_sum, float* value_sum) {
    const std::int64_t dim = in_.dim, value_dim = in_.value_dim;
    qt_ = room(BackwardRoom::kQueryLanes, dim * kStrip);
    ot_ = room(BackwardRoom::kOutLanes, value_dim * kStrip);
    float* const query_rows = room(BackwardRoom::kQueryRows, (dim + kStrip) * kStrip);
    float* const out_rows = room(BackwardRoom::kOutRows, (value_dim + kStrip) * kStrip);
    weights_ = room(BackwardRoom::kWeights, kKeyBlock * kStrip);
    logits_ = room(BackwardRoom::kLogitGradients, kKeyBlock * kStrip);
    float* const query_sum = room(BackwardRoom::kQueryGradient, dim * kStrip);
    double sink_gradient = 0;
    for (row_ = 0; row_ < in_.queries; row_ += kStrip) {
      rows_ = std::min(kStrip, in_.queries - row_);
      vectors_ = (rows_ + kLanes - 1) / kLanes;
      const std::int64_t stride = in_.heads * value_dim;
      const std::int64_t at = row_ * stride + head_ * value_dim;
      const float* query = view_.query + row_ * dim;
      transpose_strips(query, dim, rows_, dim, qt_);
      transpose_strips(result_.out_gradient + at, stride, rows_, value_dim, ot_);
      pack_rows(query, dim, rows_, dim, query_rows);
      pack_rows(result_.out_gradient + at, stride, rows_, value_dim, out_rows);
      sink_gradient += load_rows(at, stride);
      std::fill_n(query_sum, dim * kStrip, 0.0f);
      const std::int64_t begin = in_.score.visible(row_, in_.queries, in_.keys).begin;
      const std::int64_t end = in_.score.visible(row_ + rows_ - 1, in_.queries, in_.keys).end;
      for (key_ = begin; key_ < end; key_ += kKeyBlock) {
        keys_ = std::min(kKeyBlock, end - key_);
        gradients_of_logits();
        add_outer(weights_, keys_, out_rows, rows_, value_dim,
                  value_sum + key_ * padded(value_dim));
        add_outer(logits_, keys_, query_rows, rows_, dim, key_sum + key_ * padded(dim));
        add_keys(query_sum);
      }
      transpose(query_sum, kStrip, dim, rows_, query_gradient_ + row_ * dim, dim);
    }
    if (gradient_.sinks != nullptr) gradient_.sinks[head_] = static_cast<float>(sink_gradient);
  }

 private:
  // Log-sum-exps and deltas of the strip's rows; returns the strip's part of the sink's gradient.
  HWY_ATTR double load_rows(std::int64_t at, std::int64_t stride) {
    double sink = 0;
    std::fill_n(high_, kStrip, 0.0f);
    std::fill_n(low_, kStrip, 0.0f);
    std::fill_n(delta_, kStrip, 0.0f);
    for (std::int64_t r = 0; r < rows_; ++r) {
      const std::int64_t row = at + r * stride;
      delta_[r] = dot_rows(result_.out + row, result_.out_gradient + row, in_.value_dim);
      const double lse = result_.lse[head_ * in_.queries + row_ + r];
      if (lse == -std::numeric_limits<double>::infinity()) continue;  // every weight is 0
      high_[r] = static_cast<float>(lse);
      low_[r] = static_cast<float>(lse - static_cast<double>(high_[r]));
      if (view_.terms.sinks != nullptr)
        sink -= std::exp(static_cast<double>(view_.terms.sinks[0]) - lse) *
                static_cast<double>(delta_[r]);
    }
    return sink;
  }

  // products [keys][kStrip] = scale * lanes . rows.
  HWY_INLINE void dot_all(float scale, const float* lanes, const float* rows, std::int64_t dim,
                          float* products) {
    with_vectors(vectors_, [&](auto wide) HWY_ATTR {
      in_tiles(keys_, [&](auto size, std::int64_t k) HWY_ATTR {
        dot_tile<size(), wide()>(scale, lanes, rows + k * dim, dim, products + k * kStrip, kStrip);
      });
    });
  }

  // weights_ and, in logits_, the gradients of q.k [keys][kStrip].
  HWY_ATTR void gradients_of_logits() {
    const Floats d;
    const ScoreSpec& spec = view_.score;
    dot_all(tile_scale(view_), qt_, view_.key + key_ * in_.dim, in_.dim, weights_);
    if (has_terms(view_)) add_terms(view_, row_, rows_, key_, keys_, weights_, kStrip);
    if (spec.cap > 0.0f) slopes_of_cap();  // of what the mask will hide, too
    mask_cells(view_, row_, rows_, key_, keys_, weights_, kStrip);
    dot_all(1.0f, ot_, value_ + key_ * in_.value_dim, in_.value_dim, logits_);
    const auto scale = hn::Set(d, spec.scale);
    const bool plain = bias_gradient_ == nullptr && spec.cap == 0.0f;
    for (std::int64_t v = 0; v < vectors_ * kLanes; v += kLanes) {
      const auto high = hn::Load(d, high_ + v), low = hn::Load(d, low_ + v);
      const auto delta = hn::Load(d, delta_ + v);
      for (std::int64_t k = 0; k < keys_; ++k) {
        float* const at = weights_ + k * kStrip + v;
        float* const to = logits_ + k * kStrip + v;
        const auto weight =
            kernels::HWY_NAMESPACE::Exp(d, hn::Sub(hn::Sub(hn::Load(d, at), high), low));
        auto gradient = hn::Mul(weight, hn::Sub(hn::Load(d, to), delta));
        if (plain) gradient = hn::Mul(gradient, scale);
        hn::Store(weight, d, at);
        hn::Store(gradient, d, to);
      }
    }
    if (!plain) through_bias_and_cap();
    if (has_relative(view_.terms)) add_relative();
  }

  // 1 - tanh^2 of each capped logit, from the logit less its bias.
  HWY_ATTR void slopes_of_cap() {
    const bool biased = has_bias(view_.score, view_.terms);
    for (std::int64_t k = 0; k < keys_; ++k)
      for (std::int64_t r = 0; r < rows_; ++r) {
        const float bias =
            biased ? bias_of<float>(view_.score, view_.terms, position(r), key_ + k) : 0.0f;
        const float t = (weights_[k * kStrip + r] - bias) / view_.score.cap;
        slope_[k * kStrip + r] = 1.0f - t * t;
      }
  }

  HWY_ATTR void through_bias_and_cap() {
    const ScoreSpec& spec = view_.score;
    for (std::int64_t k = 0; k < keys_; ++k)
      for (std::int64_t r = 0; r < rows_; ++r) {
        float& gradient = logits_[k * kStrip + r];
        if (bias_gradient_ != nullptr)
          bias_gradient_[by_distance(key_ + k - position(r), view_.terms.bias_reach)] += gradient;
        if (spec.cap > 0.0f) gradient *= slope_[k * kStrip + r];
        gradient *= spec.scale;
      }
  }

  HWY_ATTR void add_relative() {
    const ScoreTerms& terms = view_.terms;
    for (std::int64_t k = 0; k < keys_; ++k)
      for (std::int64_t r = 0; r < rows_; ++r) {
        const float gradient = logits_[k * kStrip + r];
        const std::int64_t slot = terms.slot[by_distance(key_ + k - position(r), terms.slot_reach)];
        if (query_relative_gradient_ != nullptr)
          query_relative_gradient_[(row_ + r) * terms.slots + slot] += gradient;
        if (key_relative_gradient_ != nullptr)
          key_relative_gradient_[(key_ + k) * terms.slots + slot] += gradient;
      }
  }

  // query_sum [dim][kStrip] += sum over keys of key[k][dim] * gradient[k].
  HWY_ATTR void add_keys(float* query_sum) {
    const Floats d;
    const float* key = view_.key + key_ * in_.dim;
    with_vectors(vectors_, [&](auto wide) HWY_ATTR {
      in_tiles(in_.dim, [&](auto size, std::int64_t i) HWY_ATTR {
        hn::Vec<Floats> sum[size()][wide()];
        add_products(logits_, key + i, 1, in_.dim, keys_, sum);
        for (int a = 0; a < size(); ++a)
          for (int v = 0; v < wide(); ++v) {
            float* at = query_sum + (i + a) * kStrip + v * kLanes;
            hn::Store(hn::Add(hn::Load(d, at), sum[a][v]), d, at);
          }
      });
    });
  }

  std::int64_t position(std::int64_t r) const { return row_ + r + in_.keys - in_.queries; }

  const AttentionInput& in_;
  const AttentionResult& result_;
  const AttentionGradient& gradient_;
  const std::int64_t head_;
  HeadView view_;
  const float* value_;
  float *query_gradient_, *bias_gradient_, *query_relative_gradient_, *key_relative_gradient_;
  float *qt_ = nullptr, *ot_ = nullptr, *weights_ = nullptr, *logits_ = nullptr;
  std::int64_t row_ = 0, rows_ = 0, vectors_ = 0, key_ = 0, keys_ = 0;
  HWY_ALIGN float high_[kStrip], low_[kStrip], delta_[kStrip];
  HWY_ALIGN float slope_[kKeyBlock * kStrip];
};

// The heads that share the keys of `kv`, one after the other.
void backward_of_group(const AttentionInput& in, const AttentionResult& result,
                       const AttentionGradient& gradient, std::int64_t kv) {
  const std::int64_t group = in.heads / in.kv_heads;
  const std::int64_t width = padded(in.dim), value_width = padded(in.value_dim);
  float* const key_sum = room(BackwardRoom::kKeyGradient, in.keys * width);
  float* const value_sum = room(BackwardRoom::kValueGradient, in.keys * value_width);
  std::fill_n(key_sum, in.keys * width, 0.0f);
  std::fill_n(value_sum, in.keys * value_width, 0.0f);
  for (std::int64_t head = kv * group; head < (kv + 1) * group; ++head)
    HeadBackward(in, result, gradient, head).run(key_sum, value_sum);
  const auto store = [&](const float* from, std::int64_t dim, const RowLayout& layout, float* all) {
    float* to = all + kv * (layout.head > 0 ? layout.head : in.keys * dim);
    for (std::int64_t k = 0; k < in.keys; ++k)
      std::copy_n(from + k * padded(dim), dim, to + k * dim);
  };
  store(key_sum, in.dim, in.key_layout, gradient.key);
  store(value_sum, in.value_dim, in.value_layout, gradient.value);
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard {
HWY_EXPORT(backward_of_group);

void attention_backward(const AttentionInput& in, const AttentionResult& result,
                        const AttentionGradient& gradient, const CancelToken* cancel) {
  parallel_for(
      in.kv_heads,
      [&](std::int64_t kv) { HWY_DYNAMIC_DISPATCH(backward_of_group)(in, result, gradient, kv); },
      cancel);
}

}  // namespace regard
#endif  // HWY_ONCE
