// SPDX-License-Identifier: Apache-2.0
// exp() of float vectors, for every kernel that needs one: x = n ln 2 + r with |r| <= ln 2 / 2
// (ln 2 in two parts, Cody & Waite 1980), a minimax polynomial of degree 6 for exp(r), and 2^n put
// into the exponent.
#if defined(REGARD_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_KERNELS_EXP_INL_H_
#undef REGARD_KERNELS_EXP_INL_H_
#else
#define REGARD_KERNELS_EXP_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {

// exp(x), relative error below 2e-7 on [-87, 88]. Exactly 0 below -87.3, where results would be
// denormal, and for -inf; +inf above 88.3; NaN stays NaN.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Exp(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToSigned<D> di;
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  // 0.693359375 has 9 significant bits, so that the first product is exact even without FMA.
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 0.001381455920636654f);
  p = hn::MulAdd(p, r, hn::Set(d, 0.008368735201656818f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.04166838899254799f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.1666652113199234f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.4999999403953552f));
  p = hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), hn::Set(d, 1.0f));
  const auto power = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  V y = hn::Mul(p, hn::BitCast(d, power));
  y = hn::IfThenElse(hn::Gt(x, hn::Set(d, 88.3f)), hn::Inf(d), y);
  return hn::IfThenElse(hn::Lt(x, hn::Set(d, -87.3f)), hn::Zero(d), y);
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // REGARD_KERNELS_EXP_INL_H_
