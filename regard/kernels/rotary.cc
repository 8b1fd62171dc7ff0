// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding; tables in double precision from fp32 angles.
#include "regard/kernels/rotary.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/rotary.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/threads.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// `sign` of the angle: -1 turns back.
void rotate_row(float* x, std::int64_t pairs, bool neighbours, const float* cosine,
                const float* sine, float sign) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= pairs; i += lanes) {
    const auto c = hn::LoadU(d, cosine + i);
    const auto s = hn::Mul(hn::LoadU(d, sine + i), hn::Set(d, sign));
    hn::Vec<decltype(d)> a, b;
    if (neighbours) {
      hn::LoadInterleaved2(d, x + 2 * i, a, b);
    } else {
      a = hn::LoadU(d, x + i);
      b = hn::LoadU(d, x + pairs + i);
    }
    const auto first = hn::NegMulAdd(b, s, hn::Mul(a, c));
    const auto second = hn::MulAdd(a, s, hn::Mul(b, c));
    if (neighbours) {
      hn::StoreInterleaved2(first, second, d, x + 2 * i);
    } else {
      hn::StoreU(first, d, x + i);
      hn::StoreU(second, d, x + pairs + i);
    }
  }
  for (; i < pairs; ++i) {
    float& a = neighbours ? x[2 * i] : x[i];
    float& b = neighbours ? x[2 * i + 1] : x[pairs + i];
    const float s = sine[i] * sign;
    const float first = std::fma(-b, s, a * cosine[i]);
    b = std::fma(a, s, b * cosine[i]);
    a = first;
  }
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(rotate_row);

void rotary_table(std::span<const float> frequencies, std::int64_t first, std::int64_t rows,
                  float magnitude, float* cosine, float* sine) {
  const auto pairs = static_cast<std::int64_t>(frequencies.size());
  constexpr std::int64_t kBlock = 32;
  parallel_for((rows + kBlock - 1) / kBlock, [&](std::int64_t task) {
    for (std::int64_t r = task * kBlock; r < std::min(rows, (task + 1) * kBlock); ++r)
      for (std::int64_t i = 0; i < pairs; ++i) {
        const float angle =
            frequencies[static_cast<std::size_t>(i)] * static_cast<float>(first + r);
        cosine[r * pairs + i] =
            static_cast<float>(std::cos(static_cast<double>(angle))) * magnitude;
        sine[r * pairs + i] = static_cast<float>(std::sin(static_cast<double>(angle))) * magnitude;
      }
  });
}

namespace {

void rotate_rows(float* x, std::int64_t rows, std::int64_t dim, std::int64_t pairs, bool neighbours,
                 const float* cosine, const float* sine, float sign) {
  const std::int64_t block = std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(1, pairs));
  parallel_for((rows + block - 1) / block, [&](std::int64_t task) {
    for (std::int64_t r = task * block; r < std::min(rows, (task + 1) * block); ++r)
      HWY_DYNAMIC_DISPATCH(rotate_row)
    (x + r * dim, pairs, neighbours, cosine + r * pairs, sine + r * pairs, sign);
  });
}

}  // namespace

void rotate(float* x, std::int64_t rows, std::int64_t dim, std::int64_t pairs, bool neighbours,
            const float* cosine, const float* sine) {
  rotate_rows(x, rows, dim, pairs, neighbours, cosine, sine, 1.0f);
}

void rotate_backward(float* gradient, std::int64_t rows, std::int64_t dim, std::int64_t pairs,
                     bool neighbours, const float* cosine, const float* sine) {
  rotate_rows(gradient, rows, dim, pairs, neighbours, cosine, sine, -1.0f);
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
