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

#include "regard/kernels/load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using QuarterTag = hn::CappedTag<float, 4>;  // one 128-bit block
using FloatVector = hn::Vec<FloatTag>;

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
// Depth of a block along k: a whole number of quantised blocks (256 elements); a panel of it, at
// most 32 KiB, stays in the caches.
inline constexpr std::int64_t kDepth = 256 * std::max<std::int64_t>(1, 24 / kPanel);

static_assert(kLanes == 1 || kLanes == 4 || kLanes == 8 || kLanes == 16);

#if HWY_TARGET != HWY_SCALAR
// Four columns of kLanes rows, as four vectors whose lanes are the rows.
template <std::int64_t kWidth = kLanes>
HWY_INLINE void transpose_4(const float* const* rows, std::int64_t offset, FloatVector (&out)[4]) {
  const FloatTag d;
  const QuarterTag d4;
  FloatVector v[4];
  for (int j = 0; j < 4; ++j) {
    const auto quarter = [&](int block)
                             HWY_ATTR { return hn::LoadU(d4, rows[4 * block + j] + offset); };
    if constexpr (kWidth == 4) {
      v[j] = quarter(0);
    } else if constexpr (kWidth == 8) {
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

// source: `rows` rows (1 to width) of `depth` floats, `stride` elements apart; out: [depth][width],
// width a multiple of kLanes. Lanes beyond `rows` repeat the last row.
inline void pack_transposed(const float* source, std::int64_t stride, std::int64_t rows,
                            std::int64_t depth, std::int64_t width, float* HWY_RESTRICT out) {
  [[maybe_unused]] const FloatTag d;
  for (std::int64_t first = 0; first < width; first += kLanes) {
    const float* row[kLanes];
    for (std::int64_t i = 0; i < kLanes; ++i)
      row[i] = source + std::min(first + i, rows - 1) * stride;
    std::int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
    for (; k + 4 <= depth; k += 4) {
      FloatVector v[4];
      transpose_4(row, k, v);
      for (int j = 0; j < 4; ++j) hn::Store(v[j], d, out + (k + j) * width + first);
    }
#endif
    for (; k < depth; ++k)
      for (std::int64_t i = 0; i < kLanes; ++i) out[k * width + first + i] = row[i][k];
  }
}

// in: [columns][in_width] floats, a multiple of 4 wide; out[r * stride + c] = in[c][r], r < rows.
inline void store_transposed(const float* in, std::int64_t in_width, std::int64_t columns,
                             std::int64_t rows, float* out, std::int64_t stride) {
  [[maybe_unused]] const FloatTag d;
  std::int64_t c = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; c + kLanes <= columns; c += kLanes) {
    const float* column[kLanes];
    for (std::int64_t i = 0; i < kLanes; ++i) column[i] = in + (c + i) * in_width;
    for (std::int64_t r = 0; r < rows; r += 4) {
      FloatVector v[4];
      transpose_4(column, r, v);
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
