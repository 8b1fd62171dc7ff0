// SPDX-License-Identifier: Apache-2.0
// Normalisations. Layer normalisation takes two passes: the mean is corrected by the sum of the
// deviations from it (Chan, Golub & LeVeque 1983), which takes out the rounding of the first pass.
#include "regard/kernels/normalize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/normalize.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/threads.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sums of x - shift and of its square; float lanes are emptied into doubles every 64 vectors.
struct Moments {
  double sum = 0.0, squares = 0.0;
};
inline Moments moments_of(const float* x, std::int64_t width, float shift) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto origin = hn::Set(d, shift);
  Moments m;
  std::int64_t i = 0;
  while (i + 2 * lanes <= width) {
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), squares0 = hn::Zero(d), squares1 = hn::Zero(d);
    const std::int64_t end = std::min(i + 64 * lanes, width);
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      const auto v0 = hn::Sub(hn::LoadU(d, x + i), origin);
      const auto v1 = hn::Sub(hn::LoadU(d, x + i + lanes), origin);
      sum0 = hn::Add(sum0, v0);
      sum1 = hn::Add(sum1, v1);
      squares0 = hn::MulAdd(v0, v0, squares0);
      squares1 = hn::MulAdd(v1, v1, squares1);
    }
    m.sum += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1))));
    m.squares += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(squares0, squares1))));
  }
  for (; i < width; ++i) {
    const double v = static_cast<double>(x[i]) - static_cast<double>(shift);
    m.sum += v;
    m.squares += v * v;
  }
  return m;
}

void layer_norm_row(const float* x, std::int64_t width, const float* gain, const float* bias,
                    float epsilon, float* y) {
  const double n = static_cast<double>(width);
  const float mean = static_cast<float>(moments_of(x, width, 0.0f).sum / n);
  const Moments m = moments_of(x, width, mean);
  const double correction = m.sum / n;
  double variance = m.squares / n - correction * correction;
  if (!std::isfinite(variance)) {  // squares beyond the range of float, or NaN
    variance = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      const double v = static_cast<double>(x[i]) - static_cast<double>(mean) - correction;
      variance += v * v / n;
    }
  }
  const float inverse =
      static_cast<float>(1.0 / std::sqrt(std::max(variance, 0.0) + static_cast<double>(epsilon)));
  const float offset = static_cast<float>(correction);

  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    const auto deviation =
        hn::Sub(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, offset));
    const auto scaled = hn::Mul(hn::Mul(deviation, hn::Set(d, inverse)), hn::LoadU(d, gain + i));
    hn::StoreU(bias == nullptr ? scaled : hn::Add(scaled, hn::LoadU(d, bias + i)), d, y + i);
  }
  for (; i < width; ++i) {
    const float scaled = (x[i] - mean - offset) * inverse * gain[i];
    y[i] = bias == nullptr ? scaled : scaled + bias[i];
  }
}

void rms_norm_row(const float* x, std::int64_t width, const float* gain, float epsilon, float* y) {
  double squares = moments_of(x, width, 0.0f).squares;
  if (!std::isfinite(squares)) {  // beyond the range of float, or NaN
    squares = 0.0;
    for (std::int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
  }
  const float inverse = static_cast<float>(
      1.0 / std::sqrt(squares / static_cast<double>(width) + static_cast<double>(epsilon)));
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, inverse);
  std::int64_t i = 0;
  for (; i + lanes <= width; i += lanes)
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + i), factor), hn::LoadU(d, gain + i)), d, y + i);
  for (; i < width; ++i) y[i] = x[i] * inverse * gain[i];
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(layer_norm_row);
HWY_EXPORT(rms_norm_row);

namespace {

// Calls body(row) for each row, some 16,384 elements a task.
template <typename Body>
void for_each_row(std::int64_t rows, std::int64_t width, const Body& body) {
  const std::int64_t block = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, width));
  parallel_for((rows + block - 1) / block, [&](std::int64_t task) {
    for (std::int64_t r = task * block; r < std::min(rows, (task + 1) * block); ++r) body(r);
  });
}

}  // namespace

void layer_norm(const float* x, std::int64_t rows, std::int64_t width, const float* gain,
                const float* bias, float epsilon, float* y) {
  for_each_row(rows, width, [&](std::int64_t r) {
    HWY_DYNAMIC_DISPATCH(layer_norm_row)
    (x + r * width, width, gain, bias, epsilon, y + r * width);
  });
}

void rms_norm(const float* x, std::int64_t rows, std::int64_t width, const float* gain,
              float epsilon, float* y) {
  for_each_row(rows, width, [&](std::int64_t r) {
    HWY_DYNAMIC_DISPATCH(rms_norm_row)(x + r * width, width, gain, epsilon, y + r * width);
  });
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
