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
#include "regard/tensor/tensor.h"

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

// (x - mean - offset) * inverse is the normalised row.
struct Statistics {
  float mean, offset, inverse;
};

inline Statistics layer_statistics(const float* x, std::int64_t width, float epsilon) {
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
  return {
      mean, static_cast<float>(correction),
      static_cast<float>(1.0 / std::sqrt(std::max(variance, 0.0) + static_cast<double>(epsilon)))};
}

inline Statistics rms_statistics(const float* x, std::int64_t width, float epsilon) {
  double squares = moments_of(x, width, 0.0f).squares;
  if (!std::isfinite(squares)) {  // beyond the range of float, or NaN
    squares = 0.0;
    for (std::int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
  }
  return {0.0f, 0.0f,
          static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(width) +
                                             static_cast<double>(epsilon)))};
}

void layer_norm_row(const float* x, std::int64_t width, const float* gain, const float* bias,
                    float epsilon, float* y) {
  const auto [mean, offset, inverse] = layer_statistics(x, width, epsilon);

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
  const float inverse = rms_statistics(x, width, epsilon).inverse;
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, inverse);
  std::int64_t i = 0;
  for (; i + lanes <= width; i += lanes)
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + i), factor), hn::LoadU(d, gain + i)), d, y + i);
  for (; i < width; ++i) y[i] = x[i] * inverse * gain[i];
}

// With n the normalised row and g = dy * gain: dx = (g - mean(g) - n mean(g n)) / deviation, where
// the root-mean-square norm has no mean(g). dgain += dy n, dbias += dy; null: not wanted.
void norm_backward_row(bool layer, const float* x, std::int64_t width, const float* gain,
                       float epsilon, const float* dy, bool add, float* dx, float* dgain,
                       float* dbias) {
  const Statistics stats =
      layer ? layer_statistics(x, width, epsilon) : rms_statistics(x, width, epsilon);
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto normal = [&](std::int64_t i) {
    return (x[i] - stats.mean - stats.offset) * stats.inverse;
  };
  const auto mean = hn::Set(d, stats.mean), offset = hn::Set(d, stats.offset);
  const auto inverse = hn::Set(d, stats.inverse);
  const auto normals = [&](std::int64_t i) HWY_ATTR {
    return hn::Mul(hn::Sub(hn::Sub(hn::LoadU(d, x + i), mean), offset), inverse);
  };
  auto sums = hn::Zero(d), products = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    const auto n = normals(i), gradient = hn::LoadU(d, dy + i);
    const auto g = hn::Mul(gradient, hn::LoadU(d, gain + i));
    sums = hn::Add(sums, g);
    products = hn::MulAdd(g, n, products);
    if (dgain != nullptr)
      hn::StoreU(hn::MulAdd(gradient, n, hn::LoadU(d, dgain + i)), d, dgain + i);
    if (dbias != nullptr) hn::StoreU(hn::Add(gradient, hn::LoadU(d, dbias + i)), d, dbias + i);
  }
  double sum = static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sums)));
  double product = static_cast<double>(hn::GetLane(hn::SumOfLanes(d, products)));
  for (; i < width; ++i) {
    const float g = dy[i] * gain[i];
    sum += static_cast<double>(g);
    product += static_cast<double>(g * normal(i));
    if (dgain != nullptr) dgain[i] += dy[i] * normal(i);
    if (dbias != nullptr) dbias[i] += dy[i];
  }
  const float mean_g = layer ? static_cast<float>(sum / static_cast<double>(width)) : 0.0f;
  const float mean_gn = static_cast<float>(product / static_cast<double>(width));
  const auto shift = hn::Set(d, mean_g), share = hn::Set(d, mean_gn);
  for (i = 0; i + lanes <= width; i += lanes) {
    const auto g = hn::Sub(hn::Mul(hn::LoadU(d, dy + i), hn::LoadU(d, gain + i)), shift);
    auto out = hn::Mul(hn::NegMulAdd(normals(i), share, g), inverse);
    if (add) out = hn::Add(out, hn::LoadU(d, dx + i));
    hn::StoreU(out, d, dx + i);
  }
  for (; i < width; ++i) {
    const float out = (dy[i] * gain[i] - mean_g - normal(i) * mean_gn) * stats.inverse;
    dx[i] = add ? dx[i] + out : out;
  }
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(layer_norm_row);
HWY_EXPORT(rms_norm_row);
HWY_EXPORT(norm_backward_row);

namespace {

// Calls body(row) for each row, some 16,384 elements a task.
template <typename Body>
void for_each_row(std::int64_t rows, std::int64_t width, const Body& body) {
  const std::int64_t block = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, width));
  parallel_for((rows + block - 1) / block, [&](std::int64_t task) {
    for (std::int64_t r = task * block; r < std::min(rows, (task + 1) * block); ++r) body(r);
  });
}

// Rows whose gradients of gain and bias are summed one after the other; the sums of such blocks are
// added in order.
constexpr std::int64_t kRowsOfASum = 64;

void norm_backward(bool layer, const float* x, std::int64_t rows, std::int64_t width,
                   const float* gain, float epsilon, const float* dy, bool add, float* dx,
                   float* dgain, float* dbias) {
  const std::int64_t blocks = (rows + kRowsOfASum - 1) / kRowsOfASum;
  Tensor sums = Tensor::zeros({blocks, 2, width});
  parallel_for(blocks, [&](std::int64_t block) {
    float* const own = sums.data() + block * 2 * width;
    for (std::int64_t r = block * kRowsOfASum; r < std::min(rows, (block + 1) * kRowsOfASum); ++r)
      HWY_DYNAMIC_DISPATCH(norm_backward_row)
    (layer, x + r * width, width, gain, epsilon, dy + r * width, add, dx + r * width,
     dgain == nullptr ? nullptr : own, dbias == nullptr ? nullptr : own + width);
  });
  for (std::int64_t block = 0; block < blocks; ++block) {
    const float* const own = sums.data() + block * 2 * width;
    for (std::int64_t i = 0; dgain != nullptr && i < width; ++i) dgain[i] += own[i];
    for (std::int64_t i = 0; dbias != nullptr && i < width; ++i) dbias[i] += own[width + i];
  }
}

}  // namespace

void layer_norm_backward(const float* x, std::int64_t rows, std::int64_t width, const float* gain,
                         float epsilon, const float* dy, bool add, float* dx, float* dgain,
                         float* dbias) {
  norm_backward(true, x, rows, width, gain, epsilon, dy, add, dx, dgain, dbias);
}

void rms_norm_backward(const float* x, std::int64_t rows, std::int64_t width, const float* gain,
                       float epsilon, const float* dy, bool add, float* dx, float* dgain) {
  norm_backward(false, x, rows, width, gain, epsilon, dy, add, dx, dgain, nullptr);
}

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
