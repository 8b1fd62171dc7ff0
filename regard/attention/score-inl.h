// SPDX-License-Identifier: Apache-2.0
// The one definition of a score, for every instruction set and for plain double. Vector lanes are
// queries. Others call transpose_queries() and score_block() only.
#if defined(REGARD_ATTENTION_SCORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef REGARD_ATTENTION_SCORE_INL_H_
#undef REGARD_ATTENTION_SCORE_INL_H_
#else
#define REGARD_ATTENTION_SCORE_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "regard/attention/dot-inl.h"
#include "regard/attention/round.h"
#include "regard/attention/score.h"

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

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

// What all cells of the distance key - query share of a bias.
template <typename T>
HWY_INLINE T bias_of_distance(const ScoreSpec& spec, const ScoreTerms& terms,
                              std::int64_t distance) {
  T bias = 0;
  if (terms.bias != nullptr)
    bias += static_cast<T>(terms.bias[by_distance(distance, terms.bias_reach)]);
  if (spec.alibi == Alibi::kDistance)
    bias -= static_cast<T>(terms.slopes[0]) * static_cast<T>(std::abs(distance));
  return bias;
}

// Falcon's f of a position: a bias has scale * (f(key) - f(query)).
template <typename T>
HWY_INLINE T falcon_shift(const ScoreTerms& terms, std::int64_t position) {
  return static_cast<T>(
      to_bfloat16(to_bfloat16(terms.slopes[0]) * to_bfloat16(static_cast<float>(position))));
}

// The bias of a key at `key` for a query at the position `query`.
template <typename T>
HWY_INLINE T bias_of(const ScoreSpec& spec, const ScoreTerms& terms, std::int64_t query,
                     std::int64_t key) {
  T bias = bias_of_distance<T>(spec, terms, key - query);
  if (spec.alibi == Alibi::kFalcon)
    bias +=
        static_cast<T>(spec.scale) * (falcon_shift<T>(terms, key) - falcon_shift<T>(terms, query));
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

// Queries [row_begin, row_begin + rows) of a head for score_block.
inline void transpose_queries(const HeadView& head, std::int64_t row_begin, std::int64_t rows,
                              float* qt) {
  transpose_strips(head.query + row_begin * head.dim, head.dim, rows, head.dim, qt);
}

// What dot_tile multiplies by: relative parts join before the scale, in add_terms.
inline float tile_scale(const HeadView& head) {
  return has_relative(head.terms) ? 1.0f : head.score.scale;
}
inline bool has_terms(const HeadView& head) {
  return has_relative(head.terms) || has_bias(head.score, head.terms) || head.score.cap > 0.0f;
}

// Biases and slots of the cells of up to kRows queries, the first at `position`, and up to kMaxKeys
// keys, looked up once a diagonal: those of a key k and all queries are neighbours, bias(k)[r] is
// of the distance (key + k) - (position + r). Lanes beyond `rows` go on in the same way.
class Diagonals {
 public:
  static constexpr std::int64_t kMaxKeys = 64;

  Diagonals(const HeadView& head, std::int64_t position, std::int64_t rows, std::int64_t key,
            std::int64_t keys)
      : last_(keys - 1) {
    const std::int64_t count = last_ + (rows + kLanes - 1) / kLanes * kLanes;
    const std::int64_t first = key + last_ - position;
    if (has_bias(head.score, head.terms))
      for (std::int64_t i = 0; i < count; ++i)
        bias_[i] = bias_of_distance<float>(head.score, head.terms, first - i);
    if (!has_relative(head.terms)) return;
    std::int64_t level = 0, up = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      slot_[i] = head.terms.slot[by_distance(first - i, head.terms.slot_reach)];
      level += slot_[i] == slot_[0] ? 1 : 0;
      up += slot_[i] == slot_[0] + i ? 1 : 0;
    }
    one_slot_ = level == count;
    rising_ = up == count;
  }
  const float* bias(std::int64_t k) const { return bias_ + last_ - k; }
  const std::int32_t* slot(std::int64_t k) const { return slot_ + last_ - k; }
  bool one_slot() const { return one_slot_; }  // far away: all distances share it
  bool rising() const { return rising_; }      // nearby: a slot a distance

 private:
  const std::int64_t last_;
  bool one_slot_ = false, rising_ = false;
  float bias_[kMaxKeys + kRows];
  std::int32_t slot_[kMaxKeys + kRows];
};

// The relative parts of the cells of `diagonals`: parts [keys][kRows], the lanes beyond `rows` left
// or finite. query, key: those of the first query and key, [slots] each; null: none. Rows of slots
// are fetched ahead, since no other access runs along them. No gathers: a lane of theirs takes
// longer than a scalar load.
inline void relative_parts(const Diagonals& diagonals, const float* query, const float* key,
                           std::int64_t slots, std::int64_t rows, std::int64_t keys, float* parts) {
  const Floats d;
  HWY_ALIGN float row[4][Diagonals::kMaxKeys];
  if (query == nullptr) {
    std::fill_n(parts, keys * kRows, 0.0f);
  } else if (diagonals.one_slot()) {
    for (std::int64_t r = 0; r < rows; ++r) parts[r] = query[r * slots + *diagonals.slot(0)];
    for (std::int64_t k = 1; k < keys; ++k) std::copy_n(parts, rows, parts + k * kRows);
  } else if (diagonals.rising()) {  // along a key's row of parts and along keys, backwards
    transpose(query + *diagonals.slot(keys - 1), slots + 1, rows, keys, parts + (keys - 1) * kRows,
              -kRows);
  } else {
    for (std::int64_t r = 0; r < rows; r += 4) {
      const std::int64_t some = std::min<std::int64_t>(4, rows - r);
      for (std::int64_t i = 0; i < some; ++i) {
        if (r + i + 4 < rows)
          for (std::int64_t k = 0; k < keys; k += 16)
            hwy::Prefetch(query + (r + i + 4) * slots + diagonals.slot(k)[r + i + 4]);
        for (std::int64_t k = 0; k < keys; ++k)
          row[i][k] = query[(r + i) * slots + diagonals.slot(k)[r + i]];
      }
      transpose(row[0], Diagonals::kMaxKeys, some, keys, parts + r, kRows);
    }
  }
  if (key == nullptr) return;
  for (std::int64_t k = 0; k < keys; ++k, key += slots, parts += kRows) {
    const std::int32_t* slot = diagonals.slot(k);
    if (k + 8 < keys)
      for (std::int64_t r = 0; r < rows; r += 16) hwy::Prefetch(key + 8 * slots + slot[r]);
    if (!diagonals.one_slot() && !diagonals.rising()) {
      for (std::int64_t r = 0; r < rows; ++r) parts[r] += key[slot[r]];
      continue;
    }
    const auto far = hn::Set(d, key[slot[0]]);
    for (std::int64_t r = 0; r < rows; r += kLanes) {
      const auto part = diagonals.one_slot() ? far : hn::LoadU(d, key + slot[0] + r);
      hn::Store(hn::Add(hn::Load(d, parts + r), part), d, parts + r);
    }
  }
}

// Tile results to logits: `rows` queries of row_begin on, keys [key_begin, key_begin + keys), out
// [keys], `stride` floats apart.
inline void add_terms(const HeadView& head, std::int64_t row_begin, std::int64_t rows,
                      std::int64_t key_begin, std::int64_t keys, float* out, std::int64_t stride) {
  const Floats d;
  const ScoreTerms& terms = head.terms;
  const VectorArithmetic<Floats> arithmetic{d};
  const bool relative = has_relative(terms), biased = has_bias(head.score, terms);
  const bool falcon = head.score.alibi == Alibi::kFalcon;
  const std::int64_t position = row_begin + head.keys - head.queries;
  HWY_ALIGN float parts[Diagonals::kMaxKeys * kRows];
  HWY_ALIGN float shifts[kRows] = {};  // Falcon's, of the queries
  if (rows % kLanes != 0) std::fill_n(parts, Diagonals::kMaxKeys * kRows, 0.0f);
  for (std::int64_t r = 0; falcon && r < rows; ++r)
    shifts[r] = falcon_shift<float>(terms, position + r);
  const auto from = [&](const float* all, std::int64_t row) {
    return all != nullptr ? all + row * terms.slots : nullptr;
  };
  for (std::int64_t begin = 0; begin < keys; begin += Diagonals::kMaxKeys) {
    const std::int64_t key = key_begin + begin;
    const std::int64_t some = std::min(Diagonals::kMaxKeys, keys - begin);
    const Diagonals diagonals(head, position, rows, key, some);
    if (relative)
      relative_parts(diagonals, from(terms.query_relative, row_begin),
                     from(terms.key_relative, key), terms.slots, rows, some, parts);
    for (std::int64_t k = 0; k < some; ++k) {
      const auto shift = hn::Set(d, falcon ? falcon_shift<float>(terms, key + k) : 0.0f);
      for (std::int64_t r = 0; r < rows; r += kLanes) {
        float* at = out + (begin + k) * stride + r;
        auto x = hn::Load(d, at), bias = hn::Zero(d);
        if (relative) {
          const auto part = hn::Load(d, parts + k * kRows + r);
          x = scaled(arithmetic, head.score, x, &part);
        }
        if (biased) bias = hn::LoadU(d, diagonals.bias(k) + r);
        if (falcon)
          bias = hn::Add(
              bias, hn::Mul(hn::Set(d, head.score.scale), hn::Sub(shift, hn::Load(d, shifts + r))));
        hn::Store(capped_and_biased(arithmetic, head.score, x, biased ? &bias : nullptr), d, at);
      }
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
