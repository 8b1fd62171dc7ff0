// SPDX-License-Identifier: Apache-2.0
// The register tile of a matrix product and the packing of its operands, per instruction set
// (Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication").
#if defined(REGARD_KERNELS_MATMUL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_KERNELS_MATMUL_INL_H_
#undef REGARD_KERNELS_MATMUL_INL_H_
#else
#define REGARD_KERNELS_MATMUL_INL_H_
#endif

#include <hwy/cache_control.h>
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
// The same where both operands are floats: a panel of it leaves room in the first cache.
inline constexpr std::int64_t kPackedDepth = kDepth / 2;

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

// out [rows][kPanel] = `columns` (1 to kPanel) of each row of source, `stride` apart, then zeros.
inline void pack_columns(const float* source, std::int64_t stride, std::int64_t rows,
                         std::int64_t columns, float* HWY_RESTRICT out) {
  const FloatTag d;
  for (std::int64_t r = 0; r < rows; ++r, source += stride, out += kPanel) {
    if (columns == kPanel) {
      for (std::int64_t i = 0; i < kPanel; i += kLanes)
        hn::Store(hn::LoadU(d, source + i), d, out + i);
    } else {
      std::copy_n(source, columns, out);
      std::fill(out + columns, out + kPanel, 0.0f);
    }
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

// Where a tile finds the operand that is broadcast: element k of row i is data[i * row + k * step].
struct Broadcast {
  const float* data;
  std::int64_t row, step;
};

// c[i][lane] += sum over k, ascending, of a(i, k) * b[k][lane], for kRows rows and kWide vectors of
// lanes; b is dense and aligned. With kAhead, the rows that follow in memory are fetched on the
// way.
template <int kRows, int kWide, bool kAhead>
HWY_INLINE void multiply_tile(const Broadcast& a, const float* HWY_RESTRICT b, std::int64_t depth,
                              float* HWY_RESTRICT c, std::int64_t c_stride) {
  const FloatTag d;
  const std::int64_t row = a.row, step = a.step;
  FloatVector sum[kRows][kWide];
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kWide; ++v) sum[i][v] = hn::Load(d, c + i * c_stride + v * kLanes);
  const float* at = a.data;
  const auto multiply_one = [&](std::int64_t k) HWY_ATTR {
    FloatVector column[kWide];
    for (int v = 0; v < kWide; ++v) column[v] = hn::Load(d, b + (k * kWide + v) * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const FloatVector broadcast = hn::Set(d, at[i * row]);
      for (int v = 0; v < kWide; ++v) sum[i][v] = hn::MulAdd(broadcast, column[v], sum[i][v]);
    }
    at += step;
  };
  std::int64_t k = 0;
  if constexpr (kAhead) {
    constexpr std::int64_t kLine = 16;  // floats
    for (; k + kLine <= depth; k += kLine) {
      for (int i = 0; i < kRows; ++i) hwy::Prefetch(at + (kRows + i) * row);
      for (std::int64_t j = 0; j < kLine; ++j) multiply_one(k + j);
    }
  }
  for (; k < depth; ++k) multiply_one(k);
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kWide; ++v) hn::Store(sum[i][v], d, c + i * c_stride + v * kLanes);
}

template <int kRows, int kWide>
inline void multiply_rest(std::int64_t rows, const Broadcast& a, const float* b, std::int64_t depth,
                          float* c, std::int64_t c_stride) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return multiply_tile<kRows, kWide, false>(a, b, depth, c, c_stride);
    multiply_rest<kRows - 1, kWide>(rows, a, b, depth, c, c_stride);
  }
}

// multiply_tile for any number of rows.
template <int kWide, bool kAhead>
inline void multiply_rows(std::int64_t rows, Broadcast a, const float* b, std::int64_t depth,
                          float* c, std::int64_t c_stride) {
  for (; rows >= kTileRows; rows -= kTileRows) {
    // The last tile has nothing behind it.
    if (kAhead && rows >= 2 * kTileRows) {
      multiply_tile<kTileRows, kWide, true>(a, b, depth, c, c_stride);
    } else {
      multiply_tile<kTileRows, kWide, false>(a, b, depth, c, c_stride);
    }
    a.data += kTileRows * a.row;
    c += kTileRows * c_stride;
  }
  multiply_rest<kTileRows - 1, kWide>(rows, a, b, depth, c, c_stride);
}

// y[r][lane] = start[lane] + sum over k, ascending, of x[r * x_stride + k] * w[lane][k] for kRows
// rows and one panel of lanes; w[lane] points to the row of that output. The columns are turned
// into vectors on the way, so that every weight is read once, from where it lies.
template <int kRows>
HWY_INLINE void multiply_few(const float* HWY_RESTRICT x, std::int64_t x_stride,
                             const float* const* w, std::int64_t depth,
                             [[maybe_unused]] std::int64_t ahead, float* HWY_RESTRICT y) {
  const FloatTag d;
  FloatVector sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Load(d, y + r * kPanel + v * kLanes);
  std::int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; k + 4 <= depth; k += 4) {
    if (ahead != 0 && k % 16 == 0)
      for (std::int64_t lane = 0; lane < kPanel; ++lane) hwy::Prefetch(w[lane] + k + ahead);
    for (int v = 0; v < kVectors; ++v) {
      FloatVector column[4];
      transpose_4(w + v * kLanes, k, column);
      for (int j = 0; j < 4; ++j)
        for (int r = 0; r < kRows; ++r)
          sum[r][v] = hn::MulAdd(hn::Set(d, x[r * x_stride + k + j]), column[j], sum[r][v]);
    }
  }
#endif
  for (; k < depth; ++k) {
    HWY_ALIGN float column[kPanel];
    for (std::int64_t lane = 0; lane < kPanel; ++lane) column[lane] = w[lane][k];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v)
        sum[r][v] = hn::MulAdd(hn::Set(d, x[r * x_stride + k]), hn::Load(d, column + v * kLanes),
                               sum[r][v]);
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) hn::Store(sum[r][v], d, y + r * kPanel + v * kLanes);
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // REGARD_KERNELS_MATMUL_INL_H_
