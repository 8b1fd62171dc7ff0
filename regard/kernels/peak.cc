// SPDX-License-Identifier: Apache-2.0
// Fused multiply-adds in registers.
#include "regard/kernels/peak.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/peak.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

double multiply_add_chains(std::int64_t rounds) {
  const hn::CappedTag<float, 16> d;
  constexpr int kChains = 12;
  hn::Vec<decltype(d)> sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = hn::Set(d, static_cast<float>(i));
  const auto factor = hn::Set(d, 0.999f);
  for (std::int64_t n = 0; n < rounds; ++n)
    for (int i = 0; i < kChains; ++i) sum[i] = hn::MulAdd(sum[i], factor, factor);
  for (int i = 1; i < kChains; ++i) sum[0] = hn::Add(sum[0], sum[i]);
  // Every chain tends to 999, so the sum is positive: the test only keeps it alive.
  const bool done = hn::GetLane(sum[0]) > 0.0f;
  return done ? 2.0 * static_cast<double>(rounds) * kChains * static_cast<double>(hn::Lanes(d))
              : 0.0;
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(multiply_add_chains);

double multiply_add(std::int64_t rounds) {
  return HWY_DYNAMIC_DISPATCH(multiply_add_chains)(rounds);
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
