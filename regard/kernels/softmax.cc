// SPDX-License-Identifier: Apache-2.0
// Softmax with the maximum taken out first; sums in double every few hundred elements.
#include "regard/kernels/softmax.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/softmax.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/kernels/exp-inl.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "regard/platform/threads.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// y = share * softmax(x); returns the log-sum-exp.
double softmax_row(const float* x, std::int64_t width, float* y, float share) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  // Scalar comparisons skip NaN whatever the instruction set does; exp() brings NaN back below.
  auto highest = hn::Set(d, -kInfinity);
  std::int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    highest = hn::IfThenElse(hn::Gt(v, highest), v, highest);
  }
  float top = hn::GetLane(hn::MaxOfLanes(d, highest));
  for (; i < width; ++i) top = x[i] > top ? x[i] : top;
  if (top == -kInfinity) {
    const bool only_infinities =
        std::all_of(x, x + width, [](float value) { return value == -kInfinity; });
    const float fill = only_infinities ? 0.0f : std::numeric_limits<float>::quiet_NaN();
    std::fill_n(y, width, fill);
    return only_infinities ? -std::numeric_limits<double>::infinity() : fill;
  }

  const std::int64_t chunk = 64 * lanes;
  const auto shift = hn::Set(d, top);
  double total = 0.0;
  for (i = 0; i + lanes <= width;) {
    auto sum = hn::Zero(d);
    for (const std::int64_t end = std::min(i + chunk, width); i + lanes <= end; i += lanes) {
      const auto e = HWY_NAMESPACE::Exp(d, hn::Sub(hn::LoadU(d, x + i), shift));
      hn::StoreU(e, d, y + i);
      sum = hn::Add(sum, e);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  if (i < width) {
    HWY_ALIGN float rest[hn::MaxLanes(d)] = {};
    std::copy(x + i, x + width, rest);
    hn::Store(HWY_NAMESPACE::Exp(d, hn::Sub(hn::Load(d, rest), shift)), d, rest);
    for (std::int64_t j = 0; i + j < width; ++j) {
      y[i + j] = rest[j];
      total += static_cast<double>(rest[j]);
    }
  }

  const float scale = static_cast<float>(static_cast<double>(share) / total);
  const auto factor = hn::Set(d, scale);
  for (i = 0; i + lanes <= width; i += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(d, y + i), factor), d, y + i);
  for (; i < width; ++i) y[i] *= scale;
  return static_cast<double>(top) + std::log(total);
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(softmax_row);

void softmax(const float* x, std::int64_t rows, std::int64_t width, float* y, double* lse) {
  if (width == 0) {
    if (lse != nullptr) std::fill_n(lse, rows, -std::numeric_limits<double>::infinity());
    return;
  }
  const std::int64_t block = std::max<std::int64_t>(1, 8192 / width);
  parallel_for((rows + block - 1) / block, [&](std::int64_t task) {
    for (std::int64_t r = task * block; r < std::min(rows, (task + 1) * block); ++r) {
      const double value =
          HWY_DYNAMIC_DISPATCH(softmax_row)(x + r * width, width, y + r * width, 1.0f);
      if (lse != nullptr) lse[r] = value;
    }
  });
}

double cross_entropy(float* logits, std::int64_t rows, std::int64_t width,
                     const std::int64_t* target, float weight) {
  std::vector<double> losses(static_cast<std::size_t>(rows));
  parallel_for(rows, [&](std::int64_t r) {
    float* const row = logits + r * width;
    const double chosen = static_cast<double>(row[target[r]]);
    losses[static_cast<std::size_t>(r)] =
        HWY_DYNAMIC_DISPATCH(softmax_row)(row, width, row, weight) - chosen;
    row[target[r]] -= weight;
  });
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
