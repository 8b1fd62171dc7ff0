// SPDX-License-Identifier: Apache-2.0
// Elements of 32 and 16 bits as float vectors, per instruction set (IEEE 754 binary16, bfloat16).
#if defined(REGARD_KERNELS_LOAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_KERNELS_LOAD_INL_H_
#undef REGARD_KERNELS_LOAD_INL_H_
#else
#define REGARD_KERNELS_LOAD_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "regard/tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::CappedTag<float, 16>;

inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(FloatTag()));

// An IEEE half held in the low 16 bits of each lane, exactly: its bits moved into place are the
// value times 2^-112, subnormals included.
template <class D, class V = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE hn::Vec<D> float_of_half(D d, V half) {
  const hn::RebindToUnsigned<D> du;
  const auto magnitude = hn::And(half, hn::Set(du, 0x7FFFu));
  const auto sign = hn::ShiftLeft<16>(hn::And(half, hn::Set(du, 0x8000u)));
  const auto scaled =
      hn::BitCast(du, hn::Mul(hn::BitCast(d, hn::ShiftLeft<13>(magnitude)), hn::Set(d, 0x1p112f)));
  const auto special = hn::RebindMask(du, hn::Gt(hn::BitCast(hn::RebindToSigned<D>(), magnitude),
                                                 hn::Set(hn::RebindToSigned<D>(), 0x7BFF)));
  const auto exponent = hn::IfThenElseZero(special, hn::Set(du, 0x7F800000u));
  return hn::BitCast(d, hn::Or(hn::Or(scaled, exponent), sign));
}

// Elements at `bytes`, at any alignment, as floats; exactly the lanes of D are read.
template <DType kType, class D>
HWY_INLINE hn::Vec<D> load_as_float(D d, const std::byte* bytes) {
  if constexpr (kType == DType::kF32) {
    return hn::LoadU(d, reinterpret_cast<const float*>(bytes));
  } else {
    const hn::RebindToUnsigned<D> du;
    const hn::Rebind<std::uint16_t, D> d16;
    const auto bits =
        hn::PromoteTo(du, hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(bytes)));
    if constexpr (kType == DType::kBF16) return hn::BitCast(d, hn::ShiftLeft<16>(bits));
    return float_of_half(d, bits);
  }
}

template <DType kType>
inline constexpr std::int64_t kSize = kType == DType::kF32 ? 4 : 2;

template <DType kType>
HWY_INLINE float element_as_float(const std::byte* bytes) {
  if constexpr (kType == DType::kF32) {
    float value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  } else {
    std::uint16_t bits;
    std::memcpy(&bits, bytes, sizeof bits);
    const hn::CappedTag<float, 1> d;
    const auto wide = hn::Set(hn::RebindToUnsigned<decltype(d)>(), std::uint32_t{bits});
    if constexpr (kType == DType::kBF16)
      return hn::GetLane(hn::BitCast(d, hn::ShiftLeft<16>(wide)));
    return hn::GetLane(float_of_half(d, wide));
  }
}

// `count` elements to floats.
template <DType kType>
inline void convert_row(const std::byte* source, std::int64_t count, float* HWY_RESTRICT out) {
  const FloatTag d;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    hn::StoreU(load_as_float<kType>(d, source + i * kSize<kType>), d, out + i);
  for (; i < count; ++i) out[i] = element_as_float<kType>(source + i * kSize<kType>);
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // REGARD_KERNELS_LOAD_INL_H_
