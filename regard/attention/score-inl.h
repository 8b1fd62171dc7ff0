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
#include <cstring>
#include <limits>

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

// cap(scale * (dot + relative)) + bias: docs/mathematics.md, "Logit". Null: no such part.
template <class A>
HWY_INLINE typename A::Value logit_of(const A& a, const ScoreSpec& spec, typename A::Value dot,
                                      const typename A::Value* relative = nullptr,
                                      const typename A::Value* bias = nullptr) {
  if (relative != nullptr) dot = a.add(dot, *relative);
  typename A::Value x = a.mul(a.set(spec.scale), dot);
  if (spec.cap > 0.0f) x = a.mul(a.set(spec.cap), a.tanh(a.mul(x, a.set(1.0f / spec.cap))));
  return bias != nullptr ? a.add(x, *bias) : x;
}

// x as bfloat16 has it, to nearest even.
inline float to_bfloat16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits += 0x7FFF + ((bits >> 16) & 1);
  bits &= 0xFFFF0000u;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
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
  return logit_of(ScalarArithmetic<T>{}, head.score, dot, relative ? &parts : nullptr,
                  biased ? &bias : nullptr);
}

// Queries [row_begin, row_begin + rows) of a head, rows <= kRows, to qt [dim][kRows]; rows beyond
// `rows` become zeros.
inline void transpose_queries(const HeadView& head, std::int64_t row_begin, std::int64_t rows,
                              float* qt) {
  const float* query = head.query + row_begin * head.dim;
  for (std::int64_t i = 0; i < head.dim; ++i) {
    for (std::int64_t r = 0; r < rows; ++r) qt[i * kRows + r] = query[r * head.dim + i];
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

// Dot products, through scale and cap, to logits: adds what else the score has. out as below.
template <class D>
void add_terms(D d, const HeadView& head, std::int64_t row_begin, std::int64_t rows,
               std::int64_t key_begin, std::int64_t keys, float* out) {
  const bool relative = has_relative(head.terms), biased = has_bias(head.score, head.terms);
  const VectorArithmetic<D> arithmetic{d};
  const std::int64_t position = row_begin + head.keys - head.queries;
  HWY_ALIGN float parts[kRows] = {};
  HWY_ALIGN float biases[kRows] = {};
  for (std::int64_t k = 0; k < keys; ++k) {
    for (std::int64_t r = 0; relative && r < rows; ++r)
      parts[r] = relative_of<float>(head.terms, row_begin + r, position + r, key_begin + k);
    for (std::int64_t r = 0; biased && r < rows; ++r)
      biases[r] = bias_of<float>(head.score, head.terms, position + r, key_begin + k);
    for (std::int64_t r = 0; r < rows; r += static_cast<std::int64_t>(hn::Lanes(d))) {
      float* at = out + k * kRows + r;
      const auto part = hn::Load(d, parts + r), bias = hn::Load(d, biases + r);
      hn::Store(logit_of(arithmetic, head.score, hn::Load(d, at), relative ? &part : nullptr,
                         biased ? &bias : nullptr),
                d, at);
    }
  }
}

// -inf into the cells of `out` that the mask hides.
inline void mask_block(const HeadView& head, std::int64_t row_begin, std::int64_t rows,
                       std::int64_t key_begin, std::int64_t keys, float* out) {
  const ScoreSpec& spec = head.score;
  const bool by_range = spec.causal || spec.window > 0 || spec.chunk > 0;
  if (head.key_valid != nullptr)
    for (std::int64_t k = 0; k < keys; ++k)
      if (head.key_valid[key_begin + k] == 0)
        std::fill(out + k * kRows, out + (k + 1) * kRows, kHidden);
  if (!by_range && head.terms.blocks == nullptr) return;
  for (std::int64_t r = 0; r < rows; ++r) {
    const ScoreSpec::Range range = spec.visible(row_begin + r, head.queries, head.keys);
    const std::int64_t begin = std::clamp<std::int64_t>(range.begin - key_begin, 0, keys);
    const std::int64_t end = std::clamp<std::int64_t>(range.end - key_begin, begin, keys);
    for (std::int64_t k = 0; k < begin; ++k) out[k * kRows + r] = kHidden;
    for (std::int64_t k = end; k < keys; ++k) out[k * kRows + r] = kHidden;
    if (head.terms.blocks == nullptr) continue;
    const std::uint8_t* blocks =
        head.terms.blocks + (row_begin + r) / kRows * ((head.keys + kRows - 1) / kRows);
    for (std::int64_t k = begin; k < end; ++k)
      if (blocks[(key_begin + k) / kRows] == 0) out[k * kRows + r] = kHidden;
  }
}

// Logits, masked ones -inf, of queries [row_begin, row_begin + rows), rows <= kRows, which are
// transposed in qt, and keys [key_begin, key_begin + keys): out [keys][kRows], the first
// padded_rows() of each. qt and out aligned to 64 bytes.
template <class D>
HWY_INLINE void score_block(D d, const HeadView& head, std::int64_t row_begin, std::int64_t rows,
                            const float* qt, std::int64_t key_begin, std::int64_t keys,
                            float* out) {
  const std::int64_t step = kScoreVectors * static_cast<std::int64_t>(hn::Lanes(d));
  const bool more = has_relative(head.terms) || has_bias(head.score, head.terms);
  const ScoreSpec spec = more ? ScoreSpec{} : head.score;  // bare dot products first
  const float* key = head.key + key_begin * head.dim;
  std::int64_t k = 0;
  for (; k + 6 <= keys; k += 6)
    for (std::int64_t r = 0; r < padded_rows(d, rows); r += step)
      score_micro<6, kScoreVectors>(d, spec, qt + r, key + k * head.dim, head.dim,
                                    out + k * kRows + r);
  for (; k < keys; ++k)
    for (std::int64_t r = 0; r < padded_rows(d, rows); r += step)
      score_micro<1, kScoreVectors>(d, spec, qt + r, key + k * head.dim, head.dim,
                                    out + k * kRows + r);
  if (more) add_terms(d, head, row_begin, rows, key_begin, keys, out);
  mask_block(head, row_begin, rows, key_begin, keys, out);
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
