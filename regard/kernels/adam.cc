// SPDX-License-Identifier: Apache-2.0
// AdamW's arithmetic. Arrays end in whole vectors only by chance: the rest is done in scalars.
#include "regard/kernels/adam.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/adam.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void adam_step_of(const AdamStep& s, std::int64_t count, float* value, float* gradient,
                  float* first, float* second) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto g = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, s.clip));
    const auto m =
        hn::MulAdd(hn::Set(d, s.rest1), g, hn::Mul(hn::Set(d, s.beta1), hn::LoadU(d, first + i)));
    const auto v = hn::MulAdd(hn::Mul(hn::Set(d, s.rest2), g), g,
                              hn::Mul(hn::Set(d, s.beta2), hn::LoadU(d, second + i)));
    const auto deviation = hn::MulAdd(hn::Sqrt(v), hn::Set(d, s.root), hn::Set(d, s.epsilon));
    const auto move = hn::Div(hn::Mul(hn::Set(d, s.rate), m), deviation);
    const auto kept = hn::Mul(hn::LoadU(d, value + i), hn::Set(d, s.keep));
    hn::StoreU(hn::Sub(kept, move), d, value + i);
    hn::StoreU(m, d, first + i);
    hn::StoreU(v, d, second + i);
    hn::StoreU(hn::Zero(d), d, gradient + i);
  }
  for (; i < count; ++i) {
    const float g = gradient[i] * s.clip;
    first[i] = std::fma(s.rest1, g, s.beta1 * first[i]);
    second[i] = std::fma(s.rest2 * g, g, s.beta2 * second[i]);
    const float deviation = std::fma(std::sqrt(second[i]), s.root, s.epsilon);
    value[i] = value[i] * s.keep - s.rate * first[i] / deviation;
    gradient[i] = 0.0f;
  }
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(adam_step_of);

void adam_step(const AdamStep& step, std::int64_t count, float* value, float* gradient,
               float* first, float* second) {
  HWY_DYNAMIC_DISPATCH(adam_step_of)(step, count, value, gradient, first, second);
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
