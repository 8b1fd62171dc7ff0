// SPDX-License-Identifier: Apache-2.0
// Tiles of dot products in registers: vector lanes are queries, keys are broadcast. The product of
// a query and a key is accumulated along d in ascending order, one rounding per step where the
// instruction set has fused multiply-add, so that it is the same bits whoever computes it.
#if defined(REGARD_ATTENTION_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_ATTENTION_DOT_INL_H_
#undef REGARD_ATTENTION_DOT_INL_H_
#else
#define REGARD_ATTENTION_DOT_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "regard/attention/score.h"

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr std::int64_t kRows = kQueryBlock;

// Vectors of queries that fill the registers beside six keys, and the queries in them: a strip.
using Floats = hn::CappedTag<float, 16>;
inline constexpr std::int64_t kLanes = hn::MaxLanes(Floats());
inline constexpr std::int64_t kScoreVectors = HWY_MAX_BYTES == 64 || HWY_TARGET == HWY_NEON ? 4 : 2;
inline constexpr std::int64_t kStrip = kScoreVectors * kLanes;
static_assert(kRows % kStrip == 0, "a block of queries is whole strips");

// `count` things in tiles of at most 6, sizes as even as can be (chains of multiply-adds hide
// their latency from 4 on): calls tile(size as a constant, first).
template <class Tile>
HWY_INLINE void in_tiles(std::int64_t count, const Tile& tile) {
  const std::int64_t tiles = (count + 5) / 6;
  if (tiles == 0) return;
  const std::int64_t size = count / tiles, larger = count % tiles;
  std::int64_t at = 0;
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t n = size + (t < larger ? 1 : 0);
    switch (n) {
      case 6:
        tile(std::integral_constant<int, 6>{}, at);
        break;
      case 5:
        tile(std::integral_constant<int, 5>{}, at);
        break;
      case 4:
        tile(std::integral_constant<int, 4>{}, at);
        break;
      case 3:
        tile(std::integral_constant<int, 3>{}, at);
        break;
      case 2:
        tile(std::integral_constant<int, 2>{}, at);
        break;
      default:
        tile(std::integral_constant<int, 1>{}, at);
        break;
    }
    at += n;
  }
}

// Calls body(vectors as a constant), 1 to kScoreVectors.
template <class Body>
HWY_INLINE void with_vectors(std::int64_t vectors, const Body& body) {
  if constexpr (kScoreVectors == 4) {
    if (vectors == 4) return body(std::integral_constant<int, 4>{});
    if (vectors == 3) return body(std::integral_constant<int, 3>{});
  }
  if (vectors == 2) return body(std::integral_constant<int, 2>{});
  body(std::integral_constant<int, 1>{});
}

// Rows of 4 x 4 floats to columns.
HWY_INLINE void transpose_4x4(const float* from, std::int64_t from_stride, float* to,
                              std::int64_t to_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < 4; ++j) to[j * to_stride + i] = from[i * from_stride + j];
#else
  const hn::FixedTag<float, 4> d;
  const hn::FixedTag<double, 2> d2;
  const auto pairs = [&](auto v) { return hn::BitCast(d2, v); };
  const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + from_stride);
  const auto c = hn::LoadU(d, from + 2 * from_stride), e = hn::LoadU(d, from + 3 * from_stride);
  const auto ab0 = pairs(hn::InterleaveLower(d, a, b)), ab1 = pairs(hn::InterleaveUpper(d, a, b));
  const auto ce0 = pairs(hn::InterleaveLower(d, c, e)), ce1 = pairs(hn::InterleaveUpper(d, c, e));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d2, ab0, ce0)), d, to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d2, ab0, ce0)), d, to + to_stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d2, ab1, ce1)), d, to + 2 * to_stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d2, ab1, ce1)), d, to + 3 * to_stride);
#endif
}

// from [rows][columns], stride from_stride, to to [columns][..], stride to_stride.
inline void transpose(const float* from, std::int64_t from_stride, std::int64_t rows,
                      std::int64_t columns, float* to, std::int64_t to_stride) {
  const std::int64_t rows4 = rows / 4 * 4, columns4 = columns / 4 * 4;
  for (std::int64_t r = 0; r < rows4; r += 4)
    for (std::int64_t c = 0; c < columns4; c += 4)
      transpose_4x4(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = r < rows4 ? columns4 : 0; c < columns; ++c)
      to[c * to_stride + r] = from[r * from_stride + c];
}

// The same, four columns at a time: rows of `to` that are far apart fall on the same lines of the
// cache.
inline void transpose_apart(const float* from, std::int64_t from_stride, std::int64_t rows,
                            std::int64_t columns, float* to, std::int64_t to_stride) {
  for (std::int64_t c = 0; c < columns; c += 4)
    transpose(from + c, from_stride, rows, std::min<std::int64_t>(4, columns - c),
              to + c * to_stride, to_stride);
}

// query [rows][dim], rows <= kRows and `stride` floats apart, to qt [strip][dim][kStrip]; rows of
// the last strip beyond `rows` become zeros. qt has room for dim * kRows floats.
inline void transpose_strips(const float* query, std::int64_t stride, std::int64_t rows,
                             std::int64_t dim, float* qt) {
  for (std::int64_t r = 0; r < rows; r += kStrip, qt += dim * kStrip) {
    const std::int64_t some = std::min(kStrip, rows - r);
    if (some < kStrip) std::fill(qt, qt + dim * kStrip, 0.0f);
    transpose(query + r * stride, stride, some, dim, qt, kStrip);
  }
}

// Dimensions whose products make one chain of multiply-adds; the chains' sums are added in order.
// One chain for all of d would lose twice as much at d = 128.
inline constexpr std::int64_t kChain = 32;

// sum[a][v] += lanes[v] * broadcast[a], for each of `count` steps: the one inner loop of dot
// products and of weighted values. lanes: kVectors vectors, the next step's kStrip floats on;
// broadcast: kCount floats `apart` from each other, the next step's `step` floats on.
template <int kCount, int kVectors>
HWY_INLINE void add_product(const float* HWY_RESTRICT lanes, const float* HWY_RESTRICT broadcast,
                            std::int64_t apart, hn::Vec<Floats> (&sum)[kCount][kVectors]) {
  const Floats d;
  hn::Vec<Floats> w[kVectors];
  for (int v = 0; v < kVectors; ++v) w[v] = hn::Load(d, lanes + v * kLanes);
  for (int a = 0; a < kCount; ++a) {
    const auto factor = hn::Set(d, broadcast[a * apart]);
    for (int v = 0; v < kVectors; ++v) sum[a][v] = hn::MulAdd(w[v], factor, sum[a][v]);
  }
}
template <int kCount, int kVectors>
HWY_INLINE void add_products(const float* HWY_RESTRICT lanes, const float* HWY_RESTRICT broadcast,
                             std::int64_t apart, std::int64_t step, std::int64_t count,
                             hn::Vec<Floats> (&sum)[kCount][kVectors]) {
  for (auto& row : sum)
    for (auto& v : row) v = hn::Zero(Floats());
  for (std::int64_t fours = count / 4; fours > 0; --fours) {
    add_product(lanes, broadcast, apart, sum);
    add_product(lanes + kStrip, broadcast + step, apart, sum);
    add_product(lanes + 2 * kStrip, broadcast + 2 * step, apart, sum);
    add_product(lanes + 3 * kStrip, broadcast + 3 * step, apart, sum);
    lanes += 4 * kStrip;
    broadcast += 4 * step;
  }
  for (count %= 4; count > 0; --count) {
    add_product(lanes, broadcast, apart, sum);
    lanes += kStrip;
    broadcast += step;
  }
}

// out [kKeys], `stride` floats apart: factor * (dot over `count` dimensions, added to what out has
// when kAdd) of kKeys keys and kVectors vectors of a strip. qt: the strip's first of these vectors.
template <bool kAdd, int kKeys, int kVectors>
HWY_INLINE void dot_chain(float factor, const float* HWY_RESTRICT qt, const float* HWY_RESTRICT key,
                          std::int64_t key_stride, std::int64_t count, float* HWY_RESTRICT out,
                          std::int64_t stride) {
  const Floats d;
  hn::Vec<Floats> sum[kKeys][kVectors];
  add_products(qt, key, key_stride, 1, count, sum);
  const auto factors = hn::Set(d, factor);
  for (int k = 0; k < kKeys; ++k)
    for (int v = 0; v < kVectors; ++v) {
      float* at = out + k * stride + v * kLanes;
      if (kAdd) sum[k][v] = hn::Add(hn::Load(d, at), sum[k][v]);
      hn::Store(hn::Mul(factors, sum[k][v]), d, at);
    }
}

// The same over all `dim` dimensions, chain by chain, times scale.
template <int kKeys, int kVectors>
HWY_INLINE void dot_tile(float scale, const float* HWY_RESTRICT qt, const float* HWY_RESTRICT key,
                         std::int64_t dim, float* HWY_RESTRICT out, std::int64_t stride) {
  if (dim <= kChain)
    return dot_chain<false, kKeys, kVectors>(scale, qt, key, dim, dim, out, stride);
  dot_chain<false, kKeys, kVectors>(1.0f, qt, key, dim, kChain, out, stride);
  for (std::int64_t i = kChain; i < dim; i += kChain) {
    const std::int64_t count = std::min(kChain, dim - i);
    dot_chain<true, kKeys, kVectors>(i + count == dim ? scale : 1.0f, qt + i * kStrip, key + i, dim,
                                     count, out, stride);
  }
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
