// SPDX-License-Identifier: Apache-2.0
// One block of 64 queries against the keys it sees, in one pass: the fused kernel, per instruction
// set. Lanes are queries; a strip is as many vectors of queries as the registers take beside six
// keys. Weights are relative to a running reference of each row, which moves only when a row's
// maximum has grown by more than kSlack, so rescaling is rare (Milakov & Gimelshein 2018; the lazy
// form is that of FlashAttention-4).
#if defined(REGARD_ATTENTION_FORWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_ATTENTION_FORWARD_INL_H_
#undef REGARD_ATTENTION_FORWARD_INL_H_
#else
#define REGARD_ATTENTION_FORWARD_INL_H_
#endif

#include <hwy/highway.h>

#include "regard/attention/forward_block.h"
#include "regard/attention/score-inl.h"

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {

inline constexpr float kSlack = 5.5451775f;  // 8 ln 2: weights stay below 2^8

// exp(x) for x <= 88, relative error below 3e-7, exactly 1 at 0; exp(x) for x < -69 is 2^-100
// instead, so that no product of weights is ever denormal. NaN stays NaN.
HWY_INLINE hn::Vec<Floats> exp_clamped(hn::Vec<Floats> x) {
  const Floats d;
  // 2^f on [-1/2, 1/2], relative minimax with 2^0 = 1; adding 1.5 * 2^23 rounds t to an integer in
  // the low bits.
  const auto magic = hn::Set(d, 12582912.0f);
  const auto t = hn::Max(hn::Set(d, -100.0f), hn::Mul(x, hn::Set(d, 1.44269504f)));
  const auto rounded = hn::Add(t, magic);
  const auto f = hn::Sub(t, hn::Sub(rounded, magic));
  auto p = hn::MulAdd(hn::Set(d, 0.001326472731307149f), f, hn::Set(d, 0.009671512991189957f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.05550733581185341f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.24022242426872253f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.6931470036506653f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  const hn::RebindToSigned<Floats> di;
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, rounded))));
}

// Keys [begin, end) of a run, whose vectors [first, last) of a strip see something.
struct Step {
  std::int64_t begin, end, first, last;
};

// The pass of one strip: `rows` queries from b.row_begin + strip * kStrip on.
class StripPass {
 public:
  StripPass(const Block& b, std::int64_t strip)
      : b_(b),
        row_(strip * kStrip),
        rows_(std::min(kStrip, b.rows - strip * kStrip)),
        qt_(b.qt + row_ * b.head.dim),
        mixed_(b.mixed + row_ * b.value_dim) {}

  // Keys [begin, end), at most kKeyBlock, which lie in neighbouring groups that the block sees.
  HWY_ATTR void run(std::int64_t begin, std::int64_t end) {
    begin = std::max(begin, b_.ranges[row_].begin);
    end = std::min(end, b_.ranges[row_ + rows_ - 1].end);
    if (begin >= end) return;
    begin_ = begin, end_ = end;
    const bool whole = b_.ranges[row_ + rows_ - 1].begin <= begin && b_.ranges[row_].end >= end;
    plan(whole);
    logits(whole);
    const std::int64_t groups = (end - 1) / kGroup - begin / kGroup + 1;
    maxima(groups);
    rescale(groups);
    if (whole && b_.head.key_valid == nullptr) {
      exponentials<false>();
    } else {
      exponentials<true>();
    }
    if (b_.columns != nullptr) keep_for_overview(groups);
    for (std::int64_t s = 0; s < steps_; ++s) mix(step_[s]);
  }

 private:
  static constexpr std::int64_t kMaxSteps = kKeyBlock / 16 + 1;
  static constexpr std::int64_t kMaxGroups = kKeyBlock / kGroup + 1;

  // Steps of 16 keys where the mask cuts through the run, neighbours alike joined.
  HWY_ATTR void plan(bool whole) {
    const std::int64_t vectors = (rows_ + kLanes - 1) / kLanes;
    steps_ = 0;
    if (whole) {
      step_[steps_++] = {begin_, end_, 0, vectors};
      return;
    }
    for (std::int64_t k = begin_; k < end_;) {
      const std::int64_t next = std::min(end_, k / 16 * 16 + 16);
      std::int64_t first = vectors, last = 0;
      for (std::int64_t v = 0; v < vectors; ++v) {
        const std::int64_t r = row_ + v * kLanes;
        const std::int64_t end_row = std::min(r + kLanes, row_ + rows_) - 1;
        if (b_.ranges[r].begin >= next || b_.ranges[end_row].end <= k) continue;
        first = std::min(first, v);
        last = v + 1;
      }
      if (steps_ > 0 && step_[steps_ - 1].end == k && step_[steps_ - 1].first == first &&
          step_[steps_ - 1].last == last) {
        step_[steps_ - 1].end = next;
      } else if (first < last) {
        step_[steps_++] = {k, next, first, last};
      }
      k = next;
    }
  }

  float* cell(std::int64_t k, std::int64_t v) const {
    return b_.logits + (k - begin_) * kStrip + v * kLanes;
  }

  HWY_ATTR void logits(bool whole) {
    const std::int64_t dim = b_.head.dim;
    const float scale = tile_scale(b_.head);
    for (std::int64_t s = 0; s < steps_; ++s) {
      const Step step = step_[s];
      const float* key = b_.head.key + step.begin * dim;
      with_vectors(step.last - step.first, [&](auto vectors) HWY_ATTR {
        in_tiles(step.end - step.begin, [&](auto size, std::int64_t k) HWY_ATTR {
          dot_tile<size(), vectors()>(scale, qt_ + step.first * kLanes, key + k * dim, dim,
                                      cell(step.begin + k, step.first), kStrip);
        });
      });
    }
    const std::int64_t row = b_.row_begin + row_;
    if (has_terms(b_.head))
      add_terms(b_.head, row, rows_, begin_, end_ - begin_, b_.logits, kStrip);
    if (!whole) {
      for (std::int64_t r = 0; r < rows_; ++r) {
        const auto [see, stop] = b_.ranges[row_ + r];
        for (std::int64_t k = begin_; k < std::min(see, end_); ++k)
          b_.logits[(k - begin_) * kStrip + r] = kHidden;
        for (std::int64_t k = std::max(stop, begin_); k < end_; ++k)
          b_.logits[(k - begin_) * kStrip + r] = kHidden;
      }
    }
    if (b_.head.key_valid != nullptr)
      for (std::int64_t k = begin_; k < end_; ++k)
        if (b_.head.key_valid[k] == 0)
          std::fill_n(b_.logits + (k - begin_) * kStrip, kStrip, kHidden);
  }

  // group_max_ [group][kStrip].
  HWY_ATTR void maxima(std::int64_t groups) {
    const Floats d;
    for (std::int64_t i = 0; i < groups * kStrip; i += kLanes)
      hn::Store(hn::Set(d, kHidden), d, group_max_ + i);
    each_group([&](std::int64_t g, const Step& step) HWY_ATTR {
      for (std::int64_t v = step.first; v < step.last; ++v) {
        float* at = group_max_ + g * kStrip + v * kLanes;
        auto top = hn::Load(d, at), other = top;
        std::int64_t k = step.begin;
        for (; k + 2 <= step.end; k += 2) {
          top = hn::Max(top, hn::Load(d, cell(k, v)));
          other = hn::Max(other, hn::Load(d, cell(k + 1, v)));
        }
        if (k < step.end) top = hn::Max(top, hn::Load(d, cell(k, v)));
        hn::Store(hn::Max(top, other), d, at);
      }
    });
  }

  // Moves the reference of rows whose maximum has outgrown it.
  HWY_ATTR void rescale(std::int64_t groups) {
    const Floats d;
    for (std::int64_t v = 0; v * kLanes < rows_; ++v) {
      auto top = hn::Load(d, group_max_ + v * kLanes);
      for (std::int64_t g = 1; g < groups; ++g)
        top = hn::Max(top, hn::Load(d, group_max_ + g * kStrip + v * kLanes));
      float* reference = b_.reference + row_ + v * kLanes;
      const auto old = hn::Load(d, reference);
      const auto outgrown = hn::Gt(top, hn::Add(old, hn::Set(d, kSlack)));
      if (hn::AllFalse(d, outgrown)) continue;
      const auto moved = hn::IfThenElse(outgrown, top, old);
      // 2^-100 where the row had seen nothing: it multiplies zeros.
      const auto factor =
          hn::IfThenElse(outgrown, exp_clamped(hn::Sub(old, moved)), hn::Set(d, 1.0f));
      hn::Store(moved, d, reference);
      HWY_ALIGN float factors[kLanes];
      hn::Store(factor, d, factors);
      for (std::int64_t r = 0; r < kLanes; ++r)
        b_.total[row_ + v * kLanes + r] *= static_cast<double>(factors[r]);
      for (std::int64_t i = 0; i < b_.value_dim; ++i) {
        float* at = mixed_ + i * kStrip + v * kLanes;
        hn::Store(hn::Mul(hn::Load(d, at), factor), d, at);
      }
    }
  }

  // Logits to weights; group_sum_ [group][kStrip] in four partial sums a row, joined to totals.
  template <bool kMasked>
  HWY_ATTR void exponentials() {
    const Floats d;
    std::fill_n(group_sum_, kMaxGroups * kStrip, 0.0f);
    each_group([&](std::int64_t g, const Step& step) HWY_ATTR {
      for (std::int64_t v = step.first; v < step.last; ++v) {
        const auto reference = hn::Load(d, b_.reference + row_ + v * kLanes);
        const auto weight = [&](std::int64_t k) HWY_ATTR {
          const auto x = hn::Load(d, cell(k, v));
          auto w = exp_clamped(hn::Sub(x, reference));
          if (kMasked) w = hn::IfThenZeroElse(hn::Eq(x, hn::Set(d, kHidden)), w);
          hn::Store(w, d, cell(k, v));
          return w;
        };
        auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
        std::int64_t k = step.begin;
        for (; k + 4 <= step.end; k += 4) {
          s0 = hn::Add(s0, weight(k));
          s1 = hn::Add(s1, weight(k + 1));
          s2 = hn::Add(s2, weight(k + 2));
          s3 = hn::Add(s3, weight(k + 3));
        }
        for (; k < step.end; ++k) s0 = hn::Add(s0, weight(k));
        float* at = group_sum_ + g * kStrip + v * kLanes;
        hn::Store(hn::Add(hn::Load(d, at), hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))), d, at);
      }
    });
    const std::int64_t groups = (end_ - 1) / kGroup - begin_ / kGroup + 1;
    for (std::int64_t g = 0; g < groups; ++g)
      for (std::int64_t r = 0; r < kStrip; ++r)
        b_.total[row_ + r] += static_cast<double>(group_sum_[g * kStrip + r]);
  }

  // Adds the groups to their columns of the overview, each relative to its own reference.
  HWY_ATTR void keep_for_overview(std::int64_t groups) {
    const Floats d;
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t column = (begin_ / kGroup + g) * kGroup / b_.edge;
      Column* c = b_.columns + column;
      for (std::int64_t v = 0; v * kLanes < rows_; ++v) {
        const std::int64_t at = row_ + v * kLanes;
        const auto now = hn::Load(d, b_.reference + at), then = hn::Load(d, c->reference + at);
        auto sum = hn::Load(d, c->sum + at);
        if (!hn::AllTrue(d, hn::Eq(now, then))) sum = hn::Mul(sum, exp_clamped(hn::Sub(then, now)));
        hn::Store(hn::Add(sum, hn::Load(d, group_sum_ + g * kStrip + v * kLanes)), d, c->sum + at);
        hn::Store(now, d, c->reference + at);
        hn::Store(
            hn::Max(hn::Load(d, c->top + at), hn::Load(d, group_max_ + g * kStrip + v * kLanes)), d,
            c->top + at);
      }
    }
  }

  // Weighted values of a step's keys.
  HWY_ATTR void mix(const Step& step) {
    const float* value = b_.value + step.begin * b_.value_dim;
    const std::int64_t keys = step.end - step.begin;
    with_vectors(step.last - step.first, [&](auto vectors) HWY_ATTR {
      in_tiles(b_.value_dim, [&](auto size, std::int64_t i) HWY_ATTR {
        mix_tile<size(), vectors()>(cell(step.begin, step.first), value + i, keys, b_.value_dim,
                                    mixed_ + i * kStrip + step.first * kLanes);
      });
    });
  }

  // mixed [kDims] += sum over keys of value[k][kDims] * weight[k].
  template <int kDims, int kVectors>
  static HWY_INLINE void mix_tile(const float* HWY_RESTRICT weight, const float* HWY_RESTRICT value,
                                  std::int64_t keys, std::int64_t stride,
                                  float* HWY_RESTRICT mixed) {
    const Floats d;
    hn::Vec<Floats> sum[kDims][kVectors];
    add_products(weight, value, 1, stride, keys, sum);
    for (int i = 0; i < kDims; ++i)
      for (int v = 0; v < kVectors; ++v) {
        float* at = mixed + i * kStrip + v * kLanes;
        hn::Store(hn::Add(hn::Load(d, at), sum[i][v]), d, at);
      }
  }

  // The steps cut at the borders of groups: visit(group of the run, part of a step).
  template <class Visit>
  HWY_INLINE void each_group(const Visit& visit) {
    for (std::int64_t s = 0; s < steps_; ++s)
      for (Step part = step_[s]; part.begin < step_[s].end; part.begin = part.end) {
        part.end = std::min(step_[s].end, part.begin / kGroup * kGroup + kGroup);
        visit(part.begin / kGroup - begin_ / kGroup, part);
      }
  }

  const Block& b_;
  const std::int64_t row_, rows_;
  const float* qt_;
  float* mixed_;
  std::int64_t begin_ = 0, end_ = 0;
  std::int64_t steps_ = 0;
  Step step_[kMaxSteps];
  HWY_ALIGN float group_max_[kMaxGroups * kStrip];
  HWY_ALIGN float group_sum_[kMaxGroups * kStrip];
};

inline bool all_finite(const float* x, std::int64_t count) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  // An exponent of all ones is NaN or infinity: as integers, the largest of all.
  const auto magnitude = hn::Set(di, 0x7FFFFFFF);
  auto largest = hn::Zero(di);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    largest = hn::Max(largest, hn::And(hn::BitCast(di, hn::LoadU(d, x + i)), magnitude));
  bool finite = hn::AllTrue(di, hn::Lt(largest, hn::Set(di, 0x7F800000)));
  for (; i < count; ++i) finite = finite && std::isfinite(x[i]);
  return finite;
}

// The whole block: fills its arrays and stores out, lse and the overview's row.
inline void attend_block(const Block& b) {
  const std::int64_t strips = (b.rows + kStrip - 1) / kStrip;
  transpose_strips(b.query, b.query_stride, b.rows, b.head.dim, b.qt);
  std::fill_n(b.mixed, b.value_dim * kRows, 0.0f);
  std::fill_n(b.reference, kRows, kNoReference);
  std::fill_n(b.total, kRows, 0.0);
  for (std::int64_t key = b.key_begin / kKeyBlock * kKeyBlock; key < b.key_end; key += kKeyBlock) {
    const std::int64_t stop = std::min(b.key_end, key + kKeyBlock);
    // Neighbouring groups that the block may see go together.
    for (std::int64_t begin = key; begin < stop;) {
      std::int64_t end = begin;
      while (end < stop && b.sees_group(end)) end = std::min(stop, end + kGroup);
      if (end == begin) {
        begin += kGroup;
        continue;
      }
      for (std::int64_t strip = 0; strip < strips; ++strip) StripPass(b, strip).run(begin, end);
      begin = end;
    }
  }
}

// Weighted values, transposed back: out [rows], `stride` floats apart, times share.
inline void store_mixed(const Block& b, float* out, std::int64_t stride) {
  const Floats d;
  for (std::int64_t r = 0; r < b.rows; r += kStrip) {
    float* mixed = b.mixed + r * b.value_dim;
    for (std::int64_t i = 0; i < b.value_dim; ++i)
      for (std::int64_t v = 0; v < kStrip; v += kLanes)
        hn::Store(hn::Mul(hn::Load(d, mixed + i * kStrip + v), hn::Load(d, b.share + r + v)), d,
                  mixed + i * kStrip + v);
    transpose_apart(mixed, kStrip, b.value_dim, std::min(kStrip, b.rows - r), out + r * stride,
                    stride);
  }
}

// Sum of weights and largest weight of a column of the overview.
inline void pool_column(const Block& b, const Column& c, float* sum, float* largest) {
  const Floats d;
  auto sums = hn::Zero(d), tops = hn::Zero(d);
  for (std::int64_t r = 0; r < b.rows; r += kLanes) {
    const auto share = hn::Load(d, b.share + r), reference = hn::Load(d, b.reference + r);
    const auto then = hn::Load(d, c.reference + r), top = hn::Load(d, c.top + r);
    const auto hidden = hn::Eq(top, hn::Set(d, kHidden));
    const auto moved = hn::Mul(share, exp_clamped(hn::Sub(then, reference)));
    sums = hn::Add(sums, hn::IfThenZeroElse(hidden, hn::Mul(hn::Load(d, c.sum + r), moved)));
    const auto weight = hn::Mul(share, exp_clamped(hn::Sub(top, reference)));
    tops = hn::Max(tops, hn::IfThenZeroElse(hidden, weight));
  }
  *sum = hn::GetLane(hn::SumOfLanes(d, sums));
  *largest = hn::GetLane(hn::MaxOfLanes(d, tops));
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
