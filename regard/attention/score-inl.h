// SPDX-License-Identifier: Apache-2.0
// The one definition of a score, for every instruction set and for plain double. The dot product
// of a query and a key is accumulated along d in ascending order, one rounding per step where the
// instruction set has fused multiply-add, so that a logit is the same bits whoever computes it.
// SIMD part: vector lanes are queries. Others call transpose_queries() and score_block() only.
#if defined(REGARD_ATTENTION_SCORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_ATTENTION_SCORE_INL_H_
#undef REGARD_ATTENTION_SCORE_INL_H_
#else
#define REGARD_ATTENTION_SCORE_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "regard/attention/round.h"
#include "regard/attention/score.h"

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr std::int64_t kRows = kQueryBlock;
inline constexpr float kHidden = -std::numeric_limits<float>::infinity();

// Arithmetic on plain numbers (T = double is the reference) and on vectors.
template <typename T>
struct ScalarArithmetic {
  using Value = T;
  T set(float x) const { return static_cast<T>(x); }
  T add(T a, T b) const { return a + b; }
  T mul(T a, T b) const { return a * b; }
  T tanh(T x) const { return std::tanh(x); }
};
template <class D>
struct VectorArithmetic {
  using Value = hn::Vec<D>;
  D d;
  Value set(float x) const { return hn::Set(d, x); }
  Value add(Value a, Value b) const { return hn::Add(a, b); }
  Value mul(Value a, Value b) const { return hn::Mul(a, b); }
  Value tanh(Value x) const { return hn::Tanh(d, x); }
};

// What a dot product takes besides scale and cap.
inline bool has_relative(const ScoreTerms& terms) { return terms.slot != nullptr; }
inline bool has_bias(const ScoreSpec& spec, const ScoreTerms& terms) {
  return terms.bias != nullptr || spec.alibi != Alibi::kNone;
}

// cap(scale * (dot + relative)) + bias in two steps, docs/mathematics.md, "Logit". Null: no such
// part.
template <class A>
HWY_INLINE typename A::Value scaled(const A& a, const ScoreSpec& spec, typename A::Value dot,
                                    const typename A::Value* relative) {
  if (relative != nullptr) dot = a.add(dot, *relative);
  return a.mul(a.set(spec.scale), dot);
}
template <class A>
HWY_INLINE typename A::Value capped_and_biased(const A& a, const ScoreSpec& spec,
                                               typename A::Value x, const typename A::Value* bias) {
  if (spec.cap > 0.0f) x = a.mul(a.set(spec.cap), a.tanh(a.mul(x, a.set(1.0f / spec.cap))));
  return bias != nullptr ? a.add(x, *bias) : x;
}

inline std::int64_t by_distance(std::int64_t distance, std::int64_t reach) {
  return std::clamp(distance, -reach, reach) + reach;
}

// The bias of a key at `key` for a query at the position `query`.
template <typename T>
HWY_INLINE T bias_of(const ScoreSpec& spec, const ScoreTerms& terms, std::int64_t query,
                     std::int64_t key) {
  T bias = 0;
  if (terms.bias != nullptr)
    bias += static_cast<T>(terms.bias[by_distance(key - query, terms.bias_reach)]);
  if (spec.alibi == Alibi::kDistance) {
    bias -= static_cast<T>(terms.slopes[0]) * static_cast<T>(std::abs(key - query));
  } else if (spec.alibi == Alibi::kFalcon) {
    const float slope = to_bfloat16(terms.slopes[0]);
    const auto at = [&](std::int64_t position) {
      return static_cast<T>(to_bfloat16(slope * to_bfloat16(static_cast<float>(position))));
    };
    bias += static_cast<T>(spec.scale) * (at(key) - at(query));
  }
  return bias;
}

// DeBERTa's parts of query row `q`, at the position `position`, and of key `k`.
template <typename T>
HWY_INLINE T relative_of(const ScoreTerms& terms, std::int64_t q, std::int64_t position,
                         std::int64_t k) {
  const std::int64_t slot = terms.slot[by_distance(k - position, terms.slot_reach)];
  T relative = 0;
  if (terms.query_relative != nullptr)
    relative += static_cast<T>(terms.query_relative[q * terms.slots + slot]);
  if (terms.key_relative != nullptr)
    relative += static_cast<T>(terms.key_relative[k * terms.slots + slot]);
  return relative;
}

inline bool sees(const HeadView& head, std::int64_t q, std::int64_t k) {
  if (head.key_valid != nullptr && head.key_valid[k] == 0) return false;
  const std::int64_t blocks = (head.keys + kRows - 1) / kRows;
  if (head.terms.blocks != nullptr && head.terms.blocks[q / kRows * blocks + k / kRows] == 0)
    return false;
  const ScoreSpec::Range range = head.score.visible(q, head.queries, head.keys);
  return range.begin <= k && k < range.end;
}

// One cell's logit in plain arithmetic.
template <typename T>
T scalar_logit(const HeadView& head, std::int64_t q, std::int64_t k) {
  if (!sees(head, q, k)) return -std::numeric_limits<T>::infinity();
  T dot = 0;
  for (std::int64_t i = 0; i < head.dim; ++i)
    dot +=
        static_cast<T>(head.query[q * head.dim + i]) * static_cast<T>(head.key[k * head.dim + i]);
  const std::int64_t position = q + head.keys - head.queries;
  const bool relative = has_relative(head.terms), biased = has_bias(head.score, head.terms);
  const T parts = relative ? relative_of<T>(head.terms, q, position, k) : T{0};
  const T bias = biased ? bias_of<T>(head.score, head.terms, position, k) : T{0};
  const ScalarArithmetic<T> arithmetic;
  return capped_and_biased(arithmetic, head.score,
                           scaled(arithmetic, head.score, dot, relative ? &parts : nullptr),
                           biased ? &bias : nullptr);
}

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

// Queries [row_begin, row_begin + rows) of a head for score_block.
inline void transpose_queries(const HeadView& head, std::int64_t row_begin, std::int64_t rows,
                              float* qt) {
  transpose_strips(head.query + row_begin * head.dim, head.dim, rows, head.dim, qt);
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

// What dot_tile multiplies by: relative parts join before the scale, in add_terms.
inline float tile_scale(const HeadView& head) {
  return has_relative(head.terms) ? 1.0f : head.score.scale;
}
inline bool has_terms(const HeadView& head) {
  return has_relative(head.terms) || has_bias(head.score, head.terms) || head.score.cap > 0.0f;
}

// Tile results to logits: `rows` queries of row_begin on, keys [key_begin, key_begin + keys), out
// [keys], `stride` floats apart.
inline void add_terms(const HeadView& head, std::int64_t row_begin, std::int64_t rows,
                      std::int64_t key_begin, std::int64_t keys, float* out, std::int64_t stride) {
  const Floats d;
  const bool relative = has_relative(head.terms), biased = has_bias(head.score, head.terms);
  const VectorArithmetic<Floats> arithmetic{d};
  const std::int64_t position = row_begin + head.keys - head.queries;
  HWY_ALIGN float parts[kRows] = {};
  HWY_ALIGN float biases[kRows] = {};
  for (std::int64_t k = 0; k < keys; ++k) {
    for (std::int64_t r = 0; relative && r < rows; ++r)
      parts[r] = relative_of<float>(head.terms, row_begin + r, position + r, key_begin + k);
    for (std::int64_t r = 0; biased && r < rows; ++r)
      biases[r] = bias_of<float>(head.score, head.terms, position + r, key_begin + k);
    for (std::int64_t r = 0; r < rows; r += kLanes) {
      float* at = out + k * stride + r;
      const auto part = hn::Load(d, parts + r), bias = hn::Load(d, biases + r);
      auto x = hn::Load(d, at);
      if (relative) x = scaled(arithmetic, head.score, x, &part);
      hn::Store(capped_and_biased(arithmetic, head.score, x, biased ? &bias : nullptr), d, at);
    }
  }
}

// -inf into the cells of `out` (as in add_terms) that the mask hides.
inline void mask_cells(const HeadView& head, std::int64_t row_begin, std::int64_t rows,
                       std::int64_t key_begin, std::int64_t keys, float* out, std::int64_t stride) {
  const ScoreSpec& spec = head.score;
  if (head.key_valid != nullptr)
    for (std::int64_t k = 0; k < keys; ++k)
      if (head.key_valid[key_begin + k] == 0)
        std::fill(out + k * stride, out + k * stride + rows, kHidden);
  if (!spec.causal && spec.window == 0 && spec.chunk == 0 && head.terms.blocks == nullptr) return;
  for (std::int64_t r = 0; r < rows; ++r) {
    const ScoreSpec::Range range = spec.visible(row_begin + r, head.queries, head.keys);
    const std::int64_t begin = std::clamp<std::int64_t>(range.begin - key_begin, 0, keys);
    const std::int64_t end = std::clamp<std::int64_t>(range.end - key_begin, begin, keys);
    for (std::int64_t k = 0; k < begin; ++k) out[k * stride + r] = kHidden;
    for (std::int64_t k = end; k < keys; ++k) out[k * stride + r] = kHidden;
    if (head.terms.blocks == nullptr) continue;
    const std::uint8_t* blocks =
        head.terms.blocks + (row_begin + r) / kRows * ((head.keys + kRows - 1) / kRows);
    for (std::int64_t k = begin; k < end; ++k)
      if (blocks[(key_begin + k) / kRows] == 0) out[k * stride + r] = kHidden;
  }
}

// Rows rounded up to whole strips: what score_block writes.
template <class D>
HWY_INLINE std::int64_t padded_rows(D /*d*/, std::int64_t rows) {
  return (rows + kStrip - 1) / kStrip * kStrip;
}

// Logits, masked ones -inf, of queries [row_begin, row_begin + rows), rows <= kRows, which are
// transposed in qt, and keys [key_begin, key_begin + keys): out [keys][kRows], the first
// padded_rows() of each. qt and out aligned to 64 bytes.
template <class D>
HWY_INLINE void score_block(D /*d*/, const HeadView& head, std::int64_t row_begin,
                            std::int64_t rows, const float* qt, std::int64_t key_begin,
                            std::int64_t keys, float* out) {
  const float scale = tile_scale(head);
  in_tiles(keys, [&](auto size, std::int64_t k) HWY_ATTR {
    for (std::int64_t r = 0; r < rows; r += kStrip)
      dot_tile<size(), kScoreVectors>(scale, qt + r * head.dim,
                                      head.key + (key_begin + k) * head.dim, head.dim,
                                      out + k * kRows + r, kRows);
  });
  if (has_terms(head)) add_terms(head, row_begin, rows, key_begin, keys, out, kRows);
  mask_cells(head, row_begin, rows, key_begin, keys, out, kRows);
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
