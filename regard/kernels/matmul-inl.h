// SPDX-License-Identifier: Apache-2.0
// The register tile of a matrix product and the packing of its operands, per instruction set
// (Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication").
#if defined(REGARD_KERNELS_MATMUL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_KERNELS_MATMUL_INL_H_
#undef REGARD_KERNELS_MATMUL_INL_H_
#else
#define REGARD_KERNELS_MATMUL_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "regard/tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::CappedTag<float, 16>;
using QuarterTag = hn::CappedTag<float, 4>;  // one 128-bit block
using FloatVector = hn::Vec<FloatTag>;

inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(FloatTag()));
inline constexpr std::int64_t kVectors = 2;
inline constexpr std::int64_t kPanel = kVectors * kLanes;
// Rows of a register tile: accumulators, the panel's two vectors and a broadcast fill the register
// file.
#if HWY_TARGET <= HWY_AVX3
inline constexpr int kTileRows = 12;
#elif HWY_ARCH_ARM_A64
inline constexpr int kTileRows = 8;
#else
inline constexpr int kTileRows = 6;
#endif
// Depth of a block along k: a panel of it, 24 KiB, stays in the first-level cache.
inline constexpr std::int64_t kDepth = 6144 / kPanel;

static_assert(kLanes == 1 || kLanes == 4 || kLanes == 8 || kLanes == 16);

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

#if HWY_TARGET != HWY_SCALAR
// Four columns of kLanes rows, as four vectors whose lanes are the rows.
template <DType kType>
HWY_INLINE void transpose_4(const std::byte* const* rows, std::int64_t offset,
                            FloatVector (&out)[4]) {
  const FloatTag d;
  const QuarterTag d4;
  FloatVector v[4];
  for (int j = 0; j < 4; ++j) {
    const auto quarter = [&](int block) HWY_ATTR {
      return load_as_float<kType>(d4, rows[4 * block + j] + offset);
    };
    if constexpr (kLanes == 4) {
      v[j] = quarter(0);
    } else if constexpr (kLanes == 8) {
      v[j] = hn::Combine(d, quarter(1), quarter(0));
    } else {
      const hn::Half<FloatTag> half;
      v[j] = hn::Combine(d, hn::Combine(half, quarter(3), quarter(2)),
                         hn::Combine(half, quarter(1), quarter(0)));
    }
  }
  const hn::Repartition<std::uint64_t, FloatTag> d64;
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, v[0], v[1]));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, v[2], v[3]));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, v[0], v[1]));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, v[2], v[3]));
  out[0] = hn::BitCast(d, hn::InterleaveLower(d64, low01, low23));
  out[1] = hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23));
  out[2] = hn::BitCast(d, hn::InterleaveLower(d64, high01, high23));
  out[3] = hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23));
}
#endif  // HWY_TARGET

// source: `rows` rows (1 to width) `stride` bytes apart, of `depth` elements; out: [depth][width],
// width a multiple of kLanes. Lanes beyond `rows` repeat the last row.
template <DType kType>
inline void pack_transposed(const std::byte* source, std::int64_t stride, std::int64_t rows,
                            std::int64_t depth, std::int64_t width, float* HWY_RESTRICT out) {
  [[maybe_unused]] const FloatTag d;
  for (std::int64_t first = 0; first < width; first += kLanes) {
    const std::byte* row[kLanes];
    for (std::int64_t i = 0; i < kLanes; ++i)
      row[i] = source + std::min(first + i, rows - 1) * stride;
    std::int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
    for (; k + 4 <= depth; k += 4) {
      FloatVector v[4];
      transpose_4<kType>(row, k * kSize<kType>, v);
      for (int j = 0; j < 4; ++j) hn::Store(v[j], d, out + (k + j) * width + first);
    }
#endif
    for (; k < depth; ++k)
      for (std::int64_t i = 0; i < kLanes; ++i)
        out[k * width + first + i] = element_as_float<kType>(row[i] + k * kSize<kType>);
  }
}

// source: [depth] rows `stride` bytes apart of `columns` elements (1 to kPanel); out:
// [depth][kPanel], zeros beyond `columns`.
template <DType kType>
inline void pack_straight(const std::byte* source, std::int64_t stride, std::int64_t columns,
                          std::int64_t depth, float* HWY_RESTRICT out) {
  for (std::int64_t k = 0; k < depth; ++k) {
    convert_row<kType>(source + k * stride, columns, out + k * kPanel);
    std::fill(out + k * kPanel + columns, out + (k + 1) * kPanel, 0.0f);
  }
}

// in: [columns][in_width] floats, a multiple of 4 wide; out[r * stride + c] = in[c][r], r < rows.
inline void store_transposed(const float* in, std::int64_t in_width, std::int64_t columns,
                             std::int64_t rows, float* out, std::int64_t stride) {
  [[maybe_unused]] const FloatTag d;
  std::int64_t c = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; c + kLanes <= columns; c += kLanes) {
    const std::byte* column[kLanes];
    for (std::int64_t i = 0; i < kLanes; ++i)
      column[i] = reinterpret_cast<const std::byte*>(in + (c + i) * in_width);
    for (std::int64_t r = 0; r < rows; r += 4) {
      FloatVector v[4];
      transpose_4<DType::kF32>(column, r * 4, v);
      for (std::int64_t j = 0; j < std::min<std::int64_t>(4, rows - r); ++j)
        hn::StoreU(v[j], d, out + (r + j) * stride + c);
    }
  }
#endif
  for (; c < columns; ++c)
    for (std::int64_t r = 0; r < rows; ++r) out[r * stride + c] = in[c * in_width + r];
}

// c[i][lane] += sum over k, ascending, of a[i * a_stride + k] * b[k][lane], for kRows rows and
// kWide vectors of lanes; b is dense and aligned.
template <int kRows, int kWide>
HWY_INLINE void multiply_tile(const float* HWY_RESTRICT a, std::int64_t a_stride,
                              const float* HWY_RESTRICT b, std::int64_t depth,
                              float* HWY_RESTRICT c, std::int64_t c_stride) {
  const FloatTag d;
  FloatVector sum[kRows][kWide];
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kWide; ++v) sum[i][v] = hn::LoadU(d, c + i * c_stride + v * kLanes);
  for (std::int64_t k = 0; k < depth; ++k) {
    FloatVector column[kWide];
    for (int v = 0; v < kWide; ++v) column[v] = hn::Load(d, b + (k * kWide + v) * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const FloatVector broadcast = hn::Set(d, a[i * a_stride + k]);
      for (int v = 0; v < kWide; ++v) sum[i][v] = hn::MulAdd(broadcast, column[v], sum[i][v]);
    }
  }
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kWide; ++v) hn::StoreU(sum[i][v], d, c + i * c_stride + v * kLanes);
}

template <int kRows, int kWide>
inline void multiply_rest(std::int64_t rows, const float* a, std::int64_t a_stride, const float* b,
                          std::int64_t depth, float* c, std::int64_t c_stride) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return multiply_tile<kRows, kWide>(a, a_stride, b, depth, c, c_stride);
    multiply_rest<kRows - 1, kWide>(rows, a, a_stride, b, depth, c, c_stride);
  }
}

// multiply_tile for any number of rows.
template <int kWide>
inline void multiply_rows(std::int64_t rows, const float* a, std::int64_t a_stride, const float* b,
                          std::int64_t depth, float* c, std::int64_t c_stride) {
  std::int64_t i = 0;
  for (; i + kTileRows <= rows; i += kTileRows)
    multiply_tile<kTileRows, kWide>(a + i * a_stride, a_stride, b, depth, c + i * c_stride,
                                    c_stride);
  multiply_rest<kTileRows - 1, kWide>(rows - i, a + i * a_stride, a_stride, b, depth,
                                      c + i * c_stride, c_stride);
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // REGARD_KERNELS_MATMUL_INL_H_
