// SPDX-License-Identifier: Apache-2.0
// Floats rounded to what a 16-bit type can hold (IEEE 754 binary16, bfloat16), ties to even.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "regard/tensor/dtype.h"

namespace regard {

// `x` with its lowest `bits` bits of mantissa rounded away. NaN stays NaN.
inline float without_low_bits(float x, int bits) {
  if (std::isnan(x)) return x;
  std::uint32_t word;
  std::memcpy(&word, &x, sizeof word);
  const std::uint32_t unit = std::uint32_t{1} << bits;
  word += unit / 2 - 1 + ((word >> bits) & 1);
  word &= ~(unit - 1);
  std::memcpy(&x, &word, sizeof x);
  return x;
}

inline float to_bfloat16(float x) { return without_low_bits(x, 16); }

inline float to_float16(float x) {
  if (std::abs(x) < 0x1p-14f) {  // subnormal: a multiple of 2^-24, which is the spacing at 1/2
    const float half = std::copysign(0.5f, x);
    return std::copysign((x + half) - half, x);
  }
  const float y = without_low_bits(x, 13);
  return std::abs(y) > 65504.0f ? std::copysign(std::numeric_limits<float>::infinity(), y) : y;
}

// REQUIRES: kF32, kBF16 or kF16.
inline float rounded_to(DType type, float x) {
  return type == DType::kBF16 ? to_bfloat16(x) : type == DType::kF16 ? to_float16(x) : x;
}

}  // namespace regard
