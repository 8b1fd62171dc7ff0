// SPDX-License-Identifier: Apache-2.0
// Halves of floats, where nothing is lost.
#include "regard/trace/half.h"

#include <bit>
#include <cmath>

#include "regard/attention/round.h"

namespace regard {
namespace {

// REQUIRES: x is a half.
std::uint16_t half_of(float x) {
  const auto word = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = word >> 16 & 0x8000;
  const float size = std::abs(x);
  if (size < 0x1p-14f)
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(size * 0x1p24f));
  if (std::isinf(x)) return static_cast<std::uint16_t>(sign | 0x7c00);
  constexpr std::uint32_t kBiases = 127 - 15;
  return static_cast<std::uint16_t>(sign | (((word & 0x7fffffff) >> 13) - (kBiases << 10)));
}

}  // namespace

std::optional<std::vector<std::uint16_t>> as_halves(std::span<const float> numbers) {
  for (const float x : numbers)
    if (!(to_float16(x) == x)) return std::nullopt;
  std::vector<std::uint16_t> halves;
  halves.reserve(numbers.size());
  for (const float x : numbers) halves.push_back(half_of(x));
  return halves;
}

}  // namespace regard
