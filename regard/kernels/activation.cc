// SPDX-License-Identifier: Apache-2.0
// Activations. GELU is x Phi(x) with the normal distribution's lower tail as
// Phi(-a) = exp(-a^2 / 2) Q(1 / (1 + 0.3 a)), the form of Abramowitz & Stegun 26.2.17 with a
// minimax polynomial Q of degree 10 (relative error 3e-9 on [0, 13.5]), so that the tail is right
// relatively too.
#include "regard/kernels/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/activation.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/kernels/exp-inl.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "regard/platform/threads.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Phi(x), and its density exp(-x^2 / 2) / sqrt(2 pi) where asked for.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V normal_below(D d, V x, V* density = nullptr) {
  const V one = hn::Set(d, 1.0f);
  const V a = hn::Abs(x);
  const V s = hn::Div(one, hn::MulAdd(a, hn::Set(d, 0.3f), one));
  V q = hn::Set(d, -0.019636323675513268f);
  q = hn::MulAdd(q, s, hn::Set(d, 0.10661141574382782f));
  q = hn::MulAdd(q, s, hn::Set(d, -0.21314182877540588f));
  q = hn::MulAdd(q, s, hn::Set(d, 0.16930006444454193f));
  q = hn::MulAdd(q, s, hn::Set(d, -0.058051396161317825f));
  q = hn::MulAdd(q, s, hn::Set(d, 0.08265898376703262f));
  q = hn::MulAdd(q, s, hn::Set(d, 0.08411476016044617f));
  q = hn::MulAdd(q, s, hn::Set(d, 0.10862800478935242f));
  q = hn::MulAdd(q, s, hn::Set(d, 0.11985728144645691f));
  q = hn::MulAdd(q, s, hn::Set(d, 0.11965776234865189f));
  q = hn::MulAdd(q, s, hn::Set(d, 1.268885512217821e-06f));
  const V half_square = hn::Mul(hn::Mul(hn::Set(d, -0.5f), x), x);
  const V bell = HWY_NAMESPACE::Exp(d, half_square);
  if (density != nullptr) *density = hn::Mul(bell, hn::Set(d, 0.3989422804f));
  const V tail = hn::Mul(bell, q);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
}

// x / (1 + exp(-z)).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V times_sigmoid(D d, V x, V z) {
  return hn::Div(x, hn::Add(hn::Set(d, 1.0f), HWY_NAMESPACE::Exp(d, hn::Neg(z))));
}

// x sigmoid(2u) = x/2 (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_tanh(D d, V x) {
  const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.044715f), hn::Set(d, 1.0f));
  return times_sigmoid(d, x, hn::Mul(hn::Mul(x, cubic), hn::Set(d, 1.5957691216f)));
}

// (1 - e) / (1 + e), e = exp(-2 |x|), with the sign of x; below 0.6 x + x^3 P(x^2) instead, which
// does not cancel.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh_of(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V a = hn::Abs(x);
  const V e = HWY_NAMESPACE::Exp(d, hn::Mul(hn::Set(d, -2.0f), a));
  const V far = hn::CopySignToAbs(hn::Div(hn::Sub(one, e), hn::Add(one, e)), x);
  const V z = hn::Mul(x, x);
  V p = hn::Set(d, -0.005905868019908667f);
  p = hn::MulAdd(p, z, hn::Set(d, 0.02080538496375084f));
  p = hn::MulAdd(p, z, hn::Set(d, -0.053786683827638626f));
  p = hn::MulAdd(p, z, hn::Set(d, 0.13331958651542664f));
  p = hn::MulAdd(p, z, hn::Set(d, -0.33333298563957214f));
  const V near = hn::MulAdd(hn::Mul(x, z), p, x);
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.6f)), near, far);
}

template <Activation kKind, class D, class V = hn::Vec<D>>
HWY_INLINE V apply(D d, V x) {
  if constexpr (kKind == Activation::kGelu) return hn::Mul(x, normal_below(d, x));
  if constexpr (kKind == Activation::kGeluTanh) return gelu_tanh(d, x);
  if constexpr (kKind == Activation::kRelu)
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);  // NaN stays
  if constexpr (kKind == Activation::kSilu) return times_sigmoid(d, x, x);
  if constexpr (kKind == Activation::kTanh) return tanh_of(d, x);
  if constexpr (kKind == Activation::kQuickGelu)
    return times_sigmoid(d, x, hn::Mul(x, hn::Set(d, 1.702f)));
}

// The slope of x sigmoid(z), where z has the slope `rise`.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V slope_of_sigmoid(D d, V x, V z, V rise) {
  const V one = hn::Set(d, 1.0f);
  const V s = times_sigmoid(d, one, z);
  return hn::MulAdd(hn::Mul(x, rise), hn::Mul(s, hn::Sub(one, s)), s);
}

template <Activation kKind, class D, class V = hn::Vec<D>>
HWY_INLINE V slope(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  if constexpr (kKind == Activation::kGelu) {
    V density;
    const V below = normal_below(d, x, &density);
    return hn::MulAdd(x, density, below);
  }
  if constexpr (kKind == Activation::kGeluTanh) {
    const V square = hn::Mul(x, x), twice = hn::Set(d, 1.5957691216f);
    const V cubic = hn::MulAdd(square, hn::Set(d, 0.044715f), one);
    const V rise = hn::MulAdd(square, hn::Set(d, 3 * 0.044715f), one);
    return slope_of_sigmoid(d, x, hn::Mul(hn::Mul(x, cubic), twice), hn::Mul(rise, twice));
  }
  if constexpr (kKind == Activation::kRelu) return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), one);
  if constexpr (kKind == Activation::kSilu) return slope_of_sigmoid(d, x, x, one);
  if constexpr (kKind == Activation::kTanh) {
    const V t = tanh_of(d, x);
    return hn::NegMulAdd(t, t, one);
  }
  if constexpr (kKind == Activation::kQuickGelu) {
    const V factor = hn::Set(d, 1.702f);
    return slope_of_sigmoid(d, x, hn::Mul(x, factor), factor);
  }
}

// Calls visit(kind as a constant).
template <class Visit>
HWY_INLINE void with_activation(Activation kind, const Visit& visit) {
  using K = Activation;
  switch (kind) {
    case K::kGelu:
      return visit(std::integral_constant<K, K::kGelu>());
    case K::kGeluTanh:
      return visit(std::integral_constant<K, K::kGeluTanh>());
    case K::kRelu:
      return visit(std::integral_constant<K, K::kRelu>());
    case K::kSilu:
      return visit(std::integral_constant<K, K::kSilu>());
    case K::kTanh:
      return visit(std::integral_constant<K, K::kTanh>());
    case K::kQuickGelu:
      return visit(std::integral_constant<K, K::kQuickGelu>());
  }
}

template <Activation kKind>
void activate_all(float* x, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(apply<kKind>(d, hn::LoadU(d, x + i)), d, x + i);
  if (i == count) return;
  HWY_ALIGN float rest[hn::MaxLanes(d)] = {};
  std::copy(x + i, x + count, rest);
  hn::Store(apply<kKind>(d, hn::Load(d, rest)), d, rest);
  std::copy_n(rest, count - i, x + i);
}

void activate_range(Activation kind, float* x, std::int64_t count) {
  with_activation(kind, [&](auto known) { activate_all<known()>(x, count); });
}

// Visits whole vectors, and a last one through copies of the arrays' ends: body(pointers..).
template <std::size_t kArrays, class Body>
HWY_INLINE void over_vectors(const std::array<float*, kArrays>& arrays, std::int64_t count,
                             const Body& body) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    std::array<float*, kArrays> at = arrays;
    for (float*& p : at) p += i;
    body(at);
  }
  if (i == count) return;
  HWY_ALIGN float rest[kArrays][hn::MaxLanes(d)] = {};
  std::array<float*, kArrays> at;
  for (std::size_t a = 0; a < kArrays; ++a) {
    std::copy(arrays[a] + i, arrays[a] + count, rest[a]);
    at[a] = rest[a];
  }
  body(at);
  for (std::size_t a = 0; a < kArrays; ++a) std::copy_n(rest[a], count - i, arrays[a] + i);
}

// {x, gradient}: becomes {act(x), gradient of x}.
void backward_range(Activation kind, const std::array<float*, 2>& arrays, std::int64_t count) {
  const hn::ScalableTag<float> d;
  with_activation(kind, [&](auto known) HWY_ATTR {
    over_vectors(arrays, count, [&](const auto& at) HWY_ATTR {
      const auto x = hn::LoadU(d, at[0]);
      hn::StoreU(apply<known()>(d, x), d, at[0]);
      hn::StoreU(hn::Mul(hn::LoadU(d, at[1]), slope<known()>(d, x)), d, at[1]);
    });
  });
}

// {gate, up, gradient}: becomes {gradient of the gate, gradient of up, act(gate) up}.
void gated_backward_range(Activation kind, const std::array<float*, 3>& arrays,
                          std::int64_t count) {
  const hn::ScalableTag<float> d;
  with_activation(kind, [&](auto known) HWY_ATTR {
    over_vectors(arrays, count, [&](const auto& at) HWY_ATTR {
      const auto gate = hn::LoadU(d, at[0]), up = hn::LoadU(d, at[1]), dy = hn::LoadU(d, at[2]);
      const auto active = apply<known()>(d, gate);
      hn::StoreU(hn::Mul(hn::Mul(dy, up), slope<known()>(d, gate)), d, at[0]);
      hn::StoreU(hn::Mul(dy, active), d, at[1]);
      hn::StoreU(hn::Mul(active, up), d, at[2]);
    });
  });
}

void multiply_range(float* x, const float* y, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, x + i);
  for (; i < count; ++i) x[i] *= y[i];
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(activate_range);
HWY_EXPORT(multiply_range);
HWY_EXPORT(backward_range);
HWY_EXPORT(gated_backward_range);

namespace {
constexpr std::int64_t kBlock = 8192;  // about 10 microseconds of work
}

std::optional<Activation> activation_named(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Activation>, 9> kNames{{
      {"gelu", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"gelu_fast", Activation::kGeluTanh},
      {"quick_gelu", Activation::kQuickGelu},
      {"relu", Activation::kRelu},
      {"silu", Activation::kSilu},
      {"swish", Activation::kSilu},
      {"tanh", Activation::kTanh},
  }};
  for (const auto& [known, kind] : kNames)
    if (known == name) return kind;
  return std::nullopt;
}

void activate(Activation kind, float* x, std::int64_t count) {
  parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
    const std::int64_t first = block * kBlock;
    HWY_DYNAMIC_DISPATCH(activate_range)(kind, x + first, std::min(kBlock, count - first));
  });
}

void activate_gated(Activation kind, float* x, const float* up, std::int64_t count) {
  parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
    const std::int64_t first = block * kBlock, size = std::min(kBlock, count - first);
    HWY_DYNAMIC_DISPATCH(activate_range)(kind, x + first, size);
    HWY_DYNAMIC_DISPATCH(multiply_range)(x + first, up + first, size);
  });
}

void activate_backward(Activation kind, float* x, float* gradient, std::int64_t count) {
  parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
    const std::int64_t first = block * kBlock;
    HWY_DYNAMIC_DISPATCH(backward_range)
    (kind, {x + first, gradient + first}, std::min(kBlock, count - first));
  });
}

void activate_gated_backward(Activation kind, float* gate, float* up, float* gradient,
                             std::int64_t count) {
  parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
    const std::int64_t first = block * kBlock;
    HWY_DYNAMIC_DISPATCH(gated_backward_range)
    (kind, {gate + first, up + first, gradient + first}, std::min(kBlock, count - first));
  });
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
