// SPDX-License-Identifier: Apache-2.0
// The one definition of a score, for every instruction set and for plain double. The dot product
// of a query and a key is accumulated along d in ascending order, one rounding per step where the
// instruction set has fused multiply-add, so that a logit is the same bits whoever computes it.
// SIMD part: vector lanes are queries; queries come transposed, [dim][kRows].
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

#include "regard/attention/score.h"

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr std::int64_t kRows = kQueryBlock;

// Arithmetic on plain numbers (T = double is the reference) and on vectors.
template <typename T>
struct ScalarArithmetic {
  using Value = T;
  T set(float x) const { return static_cast<T>(x); }
  T mul(T a, T b) const { return a * b; }
  T tanh(T x) const { return std::tanh(x); }
};
template <class D>
struct VectorArithmetic {
  using Value = hn::Vec<D>;
  D d;
  Value set(float x) const { return hn::Set(d, x); }
  Value mul(Value a, Value b) const { return hn::Mul(a, b); }
  Value tanh(Value x) const { return hn::Tanh(d, x); }
};

// cap(scale * dot): docs/mathematics.md, "Logit".
template <class A>
HWY_INLINE typename A::Value logit_of(const A& a, const ScoreSpec& spec, typename A::Value dot) {
  typename A::Value x = a.mul(a.set(spec.scale), dot);
  if (spec.cap > 0.0f) x = a.mul(a.set(spec.cap), a.tanh(a.mul(x, a.set(1.0f / spec.cap))));
  return x;
}

// query [rows][dim] to qt [dim][kRows]; rows beyond `rows` become zeros.
inline void transpose_queries(const float* query, std::int64_t rows, std::int64_t dim, float* qt) {
  for (std::int64_t i = 0; i < dim; ++i) {
    for (std::int64_t r = 0; r < rows; ++r) qt[i * kRows + r] = query[r * dim + i];
    std::fill(qt + i * kRows + rows, qt + (i + 1) * kRows, 0.0f);
  }
}

// kKeys keys x kVectors vectors of queries, kept in registers along the whole of d.
template <std::int64_t kKeys, std::int64_t kVectors, class D>
HWY_INLINE void score_micro(D d, const ScoreSpec& spec, const float* HWY_RESTRICT qt,
                            const float* HWY_RESTRICT key, std::int64_t dim,
                            float* HWY_RESTRICT out) {
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<D> sum[kKeys][kVectors];
  for (auto& row : sum)
    for (auto& v : row) v = hn::Zero(d);
  for (std::int64_t i = 0; i < dim; ++i) {
    hn::Vec<D> q[kVectors];
    for (std::int64_t v = 0; v < kVectors; ++v) q[v] = hn::Load(d, qt + i * kRows + v * lanes);
    for (std::int64_t k = 0; k < kKeys; ++k) {
      const auto broadcast = hn::Set(d, key[k * dim + i]);
      for (std::int64_t v = 0; v < kVectors; ++v)
        sum[k][v] = hn::MulAdd(q[v], broadcast, sum[k][v]);
    }
  }
  const VectorArithmetic<D> arithmetic{d};
  for (std::int64_t k = 0; k < kKeys; ++k)
    for (std::int64_t v = 0; v < kVectors; ++v)
      hn::Store(logit_of(arithmetic, spec, sum[k][v]), d, out + k * kRows + v * lanes);
}

// Vectors of queries that fill the registers beside six keys.
inline constexpr std::int64_t kScoreVectors = HWY_MAX_BYTES == 64 || HWY_TARGET == HWY_NEON ? 4 : 2;

// Rows rounded up to whole register tiles: what score_block writes.
template <class D>
HWY_INLINE std::int64_t padded_rows(D d, std::int64_t rows) {
  const std::int64_t step = kScoreVectors * static_cast<std::int64_t>(hn::Lanes(d));
  return std::min(kRows, (rows + step - 1) / step * step);
}

// Logits, unmasked, of `keys` keys for a block: out [keys][kRows], the first padded_rows() of each.
// qt and out aligned to 64 bytes.
template <class D>
HWY_INLINE void score_block(D d, const ScoreSpec& spec, const float* qt, std::int64_t rows,
                            const float* key, std::int64_t keys, std::int64_t dim, float* out) {
  const std::int64_t step = kScoreVectors * static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t k = 0;
  for (; k + 6 <= keys; k += 6)
    for (std::int64_t r = 0; r < padded_rows(d, rows); r += step)
      score_micro<6, kScoreVectors>(d, spec, qt + r, key + k * dim, dim, out + k * kRows + r);
  for (; k < keys; ++k)
    for (std::int64_t r = 0; r < padded_rows(d, rows); r += step)
      score_micro<1, kScoreVectors>(d, spec, qt + r, key + k * dim, dim, out + k * kRows + r);
}

// -inf into the cells of `out` (as above, keys [key_begin, key_begin + keys)) that the mask hides.
// Rows are queries [row_begin, row_begin + rows) of `queries`, the map has `all_keys` keys.
inline void mask_block(const ScoreSpec& spec, const std::uint8_t* key_valid, std::int64_t row_begin,
                       std::int64_t rows, std::int64_t queries, std::int64_t key_begin,
                       std::int64_t keys, std::int64_t all_keys, float* out) {
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  if (key_valid != nullptr)
    for (std::int64_t k = 0; k < keys; ++k)
      if (key_valid[key_begin + k] == 0) std::fill(out + k * kRows, out + (k + 1) * kRows, kHidden);
  if (!spec.causal && spec.window == 0) return;
  for (std::int64_t r = 0; r < rows; ++r) {
    const ScoreSpec::Range range = spec.visible(row_begin + r, queries, all_keys);
    const std::int64_t begin = std::clamp<std::int64_t>(range.begin - key_begin, 0, keys);
    const std::int64_t end = std::clamp<std::int64_t>(range.end - key_begin, begin, keys);
    for (std::int64_t k = 0; k < begin; ++k) out[k * kRows + r] = kHidden;
    for (std::int64_t k = end; k < keys; ++k) out[k * kRows + r] = kHidden;
  }
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
