// SPDX-License-Identifier: Apache-2.0
// Quantised blocks as floats, per instruction set: 32 elements at a time, as 32 small integers and
// the scale and offset of each 16 of them. Sources: the layouts of ggml-common.h and ggml-quants.c
// (github.com/ggml-org/ggml); MXFP4: OCP Microscaling Formats (MX) Specification 1.0, 2023.
// Every value is scale * integer - offset with one rounding each, as in ggml and the gguf package.
#if defined(REGARD_KERNELS_DEQUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_KERNELS_DEQUANTIZE_INL_H_
#undef REGARD_KERNELS_DEQUANTIZE_INL_H_
#else
#define REGARD_KERNELS_DEQUANTIZE_INL_H_
#endif

#include <hwy/highway.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "regard/kernels/load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr std::int64_t kGroup = 32;  // elements

// A group: element i is scale[i / 16] * (value[i] - zero of the type) + offset[i / 16].
struct Group {
  alignas(64) std::int8_t value[kGroup];
  float scale[2], offset[2];
};

HWY_INLINE const std::uint8_t* bytes_of(const std::byte* block) {
  return reinterpret_cast<const std::uint8_t*>(block);
}

HWY_INLINE float half_at(const std::byte* bytes) { return element_as_float<DType::kF16>(bytes); }

// value[i] = bits, or with kOr |= bits, where bits = (bytes[i] >> right & mask) << left.
// count: 16 or 32; mask << left fits a byte.
template <bool kOr = false>
HWY_INLINE void extract(const std::uint8_t* bytes, int count, int right, int mask, int left,
                        std::int8_t* value) {
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < count; ++i)
    value[i] = static_cast<std::int8_t>((bytes[i] >> right & mask) << left | (kOr ? value[i] : 0));
#else
  // Shifts of 16-bit lanes: what crosses into the neighbouring byte is masked off.
  const hn::FixedTag<std::uint8_t, 16> d8;
  const hn::FixedTag<std::uint16_t, 8> d16;
  for (int i = 0; i < count; i += 16) {
    const auto shifted =
        hn::BitCast(d8, hn::ShiftRightSame(hn::BitCast(d16, hn::LoadU(d8, bytes + i)), right));
    const auto masked = hn::And(shifted, hn::Set(d8, static_cast<std::uint8_t>(mask)));
    auto bits = hn::BitCast(d8, hn::ShiftLeftSame(hn::BitCast(d16, masked), left));
    auto* const out = reinterpret_cast<std::uint8_t*>(value + i);
    if (kOr) bits = hn::Or(bits, hn::Load(d8, out));
    hn::Store(bits, d8, out);
  }
#endif
}

// Low nibbles, then high nibbles, of 16 bytes.
HWY_INLINE void split_nibbles(const std::uint8_t* quants, std::int8_t* value) {
  extract(quants, 16, 0, 15, 0, value);
  extract(quants, 16, 4, 15, 0, value + 16);
}

// Each value becomes that entry of a table of 16.
HWY_INLINE void look_up(const std::int8_t* table, std::int8_t* value) {
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < kGroup; ++i) value[i] = table[value[i]];
#else
  const hn::FixedTag<std::int8_t, 16> d;
  for (int i = 0; i < kGroup; i += 16)
    hn::Store(hn::TableLookupBytes(hn::Load(d, table), hn::Load(d, value + i)), d, value + i);
#endif
}

// a b -> a0 b0 a1 b1 .. of the two halves of a group.
HWY_INLINE void interleave_halves(std::int8_t* value) {
#if HWY_TARGET == HWY_SCALAR
  std::int8_t copy[kGroup];
  std::memcpy(copy, value, sizeof copy);
  for (int i = 0; i < kGroup; ++i) value[i] = copy[i / 2 + 16 * (i % 2)];
#else
  const hn::FixedTag<std::int8_t, 16> d;
  const auto low = hn::Load(d, value), high = hn::Load(d, value + 16);
  hn::Store(hn::InterleaveLower(d, low, high), d, value);
  hn::Store(hn::InterleaveUpper(d, low, high), d, value + 16);
#endif
}

HWY_INLINE void set_scales(Group* group, float scale, float offset) {
  group->scale[0] = group->scale[1] = scale;
  group->offset[0] = group->offset[1] = offset;
}

// 2^(byte - 128): half of an E8M0 scale, for tables of doubled values; subnormal where it must be.
HWY_INLINE float half_of_e8m0(std::byte byte) {
  const auto exponent = std::to_integer<std::uint32_t>(byte);
  return std::bit_cast<float>(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
}

// E2M1 values, doubled.
alignas(16) inline constexpr std::int8_t kE2M1[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                      0, -1, -2, -3, -4, -6, -8, -12};
// The non-linear levels of IQ4_NL.
alignas(16) inline constexpr std::int8_t kIQ4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                     1,    13,   25,  38,  53,  69,  89,  113};

// Group `g` (0 to 7) of a block; block types of 32 elements have g = 0.
template <DType kType>
void read_group(const std::byte* block, int g, Group* group);

template <>
HWY_INLINE void read_group<DType::kQ4_0>(const std::byte* block, int, Group* group) {
  split_nibbles(bytes_of(block + 2), group->value);
  set_scales(group, half_at(block), 0.0f);
}

template <>
HWY_INLINE void read_group<DType::kQ4_1>(const std::byte* block, int, Group* group) {
  split_nibbles(bytes_of(block + 4), group->value);
  set_scales(group, half_at(block), half_at(block + 2));
}

// Adds the fifth bits, 32 of them little-endian, to split nibbles: eight at a time, each bit
// brought to a byte of its own.
HWY_INLINE void add_fifth_bits(const std::byte* bits, std::int8_t* value) {
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t each =
        std::to_integer<std::uint64_t>(bits[i]) * 0x0101010101010101u & 0x8040201008040201u;
    const std::uint64_t fifth = ((each + 0x7f7f7f7f7f7f7f7fu) & 0x8080808080808080u) >> 3;
    std::uint64_t low;
    std::memcpy(&low, value + 8 * i, sizeof low);
    low |= fifth;
    std::memcpy(value + 8 * i, &low, sizeof low);
  }
}

template <>
HWY_INLINE void read_group<DType::kQ5_0>(const std::byte* block, int, Group* group) {
  split_nibbles(bytes_of(block + 6), group->value);
  add_fifth_bits(block + 2, group->value);
  set_scales(group, half_at(block), 0.0f);
}

template <>
HWY_INLINE void read_group<DType::kQ5_1>(const std::byte* block, int, Group* group) {
  split_nibbles(bytes_of(block + 8), group->value);
  add_fifth_bits(block + 4, group->value);
  set_scales(group, half_at(block), half_at(block + 2));
}

template <>
HWY_INLINE void read_group<DType::kQ8_0>(const std::byte* block, int, Group* group) {
  std::memcpy(group->value, block + 2, kGroup);
  set_scales(group, half_at(block), 0.0f);
}

template <>
HWY_INLINE void read_group<DType::kIQ4_NL>(const std::byte* block, int, Group* group) {
  split_nibbles(bytes_of(block + 2), group->value);
  look_up(kIQ4, group->value);
  set_scales(group, half_at(block), 0.0f);
}

template <>
HWY_INLINE void read_group<DType::kMXFP4>(const std::byte* block, int, Group* group) {
  split_nibbles(bytes_of(block + 1), group->value);
  look_up(kE2M1, group->value);
  set_scales(group, half_of_e8m0(block[0]), 0.0f);
}

// K-quants: 256 elements; bit pairs and nibbles of 32 neighbouring bytes belong to groups that lie
// 32 elements apart.

// Q2_K: scales [16] (low nibble scale, high nibble offset), quants [64], d, dmin.
template <>
HWY_INLINE void read_group<DType::kQ2_K>(const std::byte* block, int g, Group* group) {
  const std::uint8_t* const scales = bytes_of(block) + 2 * g;
  const std::uint8_t* const quants = bytes_of(block + 16) + 32 * (g / 4);
  extract(quants, 32, 2 * (g % 4), 3, 0, group->value);
  const float d = half_at(block + 80), dmin = half_at(block + 82);
  for (int i = 0; i < 2; ++i) {
    group->scale[i] = d * static_cast<float>(scales[i] & 15);
    group->offset[i] = -(dmin * static_cast<float>(scales[i] >> 4));
  }
}

// Q3_K: high bits [32], quants [64], scales [12], d. A set high bit adds 4 to quant - 4.
template <>
HWY_INLINE void read_group<DType::kQ3_K>(const std::byte* block, int g, Group* group) {
  const std::uint8_t* const high = bytes_of(block);
  const std::uint8_t* const quants = bytes_of(block + 32) + 32 * (g / 4);
  const std::uint8_t* const scales = bytes_of(block + 96);
  extract(quants, 32, 2 * (g % 4), 3, 0, group->value);
  extract<true>(high, 32, g, 1, 2, group->value);
  const float d = half_at(block + 108);
  for (int i = 0; i < 2; ++i) {
    // Six bits: four in the first 8 bytes, two in the last 4.
    const int j = 2 * g + i;
    const int low = scales[j % 8] >> (j < 8 ? 0 : 4) & 15;
    const int top = scales[8 + j % 4] >> (2 * (j / 4)) & 3;
    group->scale[i] = d * static_cast<float>((low | top << 4) - 32);
    group->offset[i] = 0.0f;
  }
}

// Scale and offset of Q4_K and Q5_K: d, dmin, then six bits each in 12 bytes.
HWY_INLINE void set_k_scales(const std::byte* block, int g, Group* group) {
  const std::uint8_t* const packed = bytes_of(block + 4);
  int scale, offset;
  if (g < 4) {
    scale = packed[g] & 63;
    offset = packed[g + 4] & 63;
  } else {
    scale = (packed[g + 4] & 15) | packed[g - 4] >> 6 << 4;
    offset = packed[g + 4] >> 4 | packed[g] >> 6 << 4;
  }
  set_scales(group, half_at(block) * static_cast<float>(scale),
             -(half_at(block + 2) * static_cast<float>(offset)));
}

template <>
HWY_INLINE void read_group<DType::kQ4_K>(const std::byte* block, int g, Group* group) {
  const std::uint8_t* const quants = bytes_of(block + 16) + 32 * (g / 2);
  extract(quants, 32, 4 * (g % 2), 15, 0, group->value);
  set_k_scales(block, g, group);
}

template <>
HWY_INLINE void read_group<DType::kQ5_K>(const std::byte* block, int g, Group* group) {
  const std::uint8_t* const high = bytes_of(block + 16);
  const std::uint8_t* const quants = bytes_of(block + 48) + 32 * (g / 2);
  extract(quants, 32, 4 * (g % 2), 15, 0, group->value);
  extract<true>(high, 32, g, 1, 4, group->value);
  set_k_scales(block, g, group);
}

// Q6_K: low nibbles [128], high bit pairs [64], signed scales [16], d.
template <>
HWY_INLINE void read_group<DType::kQ6_K>(const std::byte* block, int g, Group* group) {
  const int part = g / 4, j = g % 4;
  const std::uint8_t* const low = bytes_of(block) + 64 * part + 32 * (j % 2);
  const std::uint8_t* const high = bytes_of(block + 128) + 32 * part;
  extract(low, 32, 4 * (j / 2), 15, 0, group->value);
  extract<true>(high, 32, 2 * j, 3, 4, group->value);
  const float d = half_at(block + 208);
  for (int i = 0; i < 2; ++i) {
    group->scale[i] =
        d * static_cast<float>(static_cast<std::int8_t>(bytes_of(block + 192)[2 * g + i]));
    group->offset[i] = 0.0f;
  }
}

// Whether a type has offsets; without, nothing is added (-0 stays -0).
template <DType kType>
inline constexpr bool kHasOffset =
    kType == DType::kQ4_1 || kType == DType::kQ5_1 || kType == DType::kQ2_K ||
    kType == DType::kQ4_K || kType == DType::kQ5_K;

// What a type's values count from.
template <DType kType>
inline constexpr std::int32_t kZero = kType == DType::kQ3_K   ? 4
                                      : kType == DType::kQ4_0 ? 8
                                      : kType == DType::kQ5_0 ? 16
                                      : kType == DType::kQ6_K ? 32
                                                              : 0;

template <DType kType>
HWY_INLINE void write_group(const Group& group, float* HWY_RESTRICT out) {
  using D = hn::CappedTag<float, 16>;
  const D d;
  const hn::Rebind<std::int32_t, D> d32;
  const hn::Rebind<std::int8_t, D> d8;
  for (std::int64_t i = 0; i < kGroup; i += kLanes) {
    auto value = hn::PromoteTo(d32, hn::LoadU(d8, group.value + i));
    if (kZero<kType> != 0) value = hn::Sub(value, hn::Set(d32, kZero<kType>));
    const auto scaled = hn::Mul(hn::Set(d, group.scale[i / 16]), hn::ConvertTo(d, value));
    hn::StoreU(kHasOffset<kType> ? hn::Add(scaled, hn::Set(d, group.offset[i / 16])) : scaled, d,
               out + i);
  }
}

// `count` elements, a whole number of blocks.
template <DType kType>
inline void dequantize_row(const std::byte* source, std::int64_t count, float* HWY_RESTRICT out) {
  const TypeBlock block = block_of(kType);
  const int groups = static_cast<int>(block.elements) / static_cast<int>(kGroup);
  Group group;
  for (std::int64_t i = 0; i < count; i += groups * kGroup, source += block.bytes)
    for (int g = 0; g < groups; ++g) {
      read_group<kType>(source, g, &group);
      write_group<kType>(group, out + i + g * kGroup);
    }
}

// MXFP4 with its scales elsewhere; a byte's low nibble comes before its high one.
inline void dequantize_split_row(const std::byte* source, const std::byte* scales,
                                 std::int64_t count, float* HWY_RESTRICT out) {
  Group group;
  for (std::int64_t i = 0; i < count; i += kGroup, source += kGroup / 2, ++scales) {
    split_nibbles(bytes_of(source), group.value);
    interleave_halves(group.value);
    look_up(kE2M1, group.value);
    set_scales(&group, half_of_e8m0(*scales), 0.0f);
    write_group<DType::kMXFP4Split>(group, out + i);
  }
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // REGARD_KERNELS_DEQUANTIZE_INL_H_
