// SPDX-License-Identifier: Apache-2.0
// The fused pass on random shapes, options and layouts against the formula of docs/mathematics.md
// written down plainly in double precision, on every instruction set of the machine.
#include "regard/attention/forward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "regard/attention/attention_map.h"
#include "regard/kernels/testing.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();
using kernels::GuardedMemory;

// A random problem whose every array, in and out, ends where an unreadable page begins.
struct Problem {
  AttentionInput in;
  AttentionOutput out;
  bool biased_by_distance = false;
  std::vector<std::unique_ptr<GuardedMemory>> memory;
  std::mt19937 random;

  std::int64_t pick(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  }
  bool chance(double p) { return std::bernoulli_distribution(p)(random); }
  template <typename T>
  T* room(std::int64_t count) {
    memory.push_back(std::make_unique<GuardedMemory>(static_cast<std::size_t>(count) * sizeof(T)));
    return reinterpret_cast<T*>(memory.back()->data());
  }
  float* normal(std::int64_t count, double deviation) {
    std::normal_distribution<double> draw(0.0, deviation);
    float* data = room<float>(count);
    for (std::int64_t i = 0; i < count; ++i) data[i] = static_cast<float>(draw(random));
    return data;
  }

  explicit Problem(unsigned seed) : random(seed) {
    static constexpr std::int64_t kSizes[] = {1, 3, 16, 24, 32, 33, 64, 80, 96, 112, 128, 256};
    in.kv_heads = pick(1, 3);
    in.heads = in.kv_heads * pick(1, 3);
    in.queries = pick(1, chance(0.3) ? 300 : 140);
    in.keys = chance(0.4) ? in.queries : pick(1, 300);
    in.dim = kSizes[pick(0, 11)];
    in.value_dim = chance(0.5) ? in.dim : pick(1, 70);
    draw_score();
    draw_arrays();
    draw_terms();
  }

  void draw_score() {
    in.score.scale = chance(0.5) ? 1.0f / std::sqrt(static_cast<float>(in.dim)) : 0.25f;
    in.score.cap = chance(0.2) ? 4.0f : 0.0f;
    in.score.causal = chance(0.5);
    if (chance(0.3)) in.score.window = pick(1, 100);
    if (chance(0.15)) in.score.chunk = pick(1, 100);
    if (chance(0.2)) in.score.prefix = pick(1, 100);
  }

  // Queries and keys whose logits have a standard deviation of some 3.
  void draw_arrays() {
    const double deviation =
        std::sqrt(3.0 / (in.score.scale * std::sqrt(static_cast<double>(in.dim))));
    const auto array = [&](std::int64_t heads, std::int64_t rows, std::int64_t dim, double spread,
                           RowLayout* layout) {
      if (chance(0.5)) return normal(heads * rows * dim, spread);
      // Heads side by side in wider rows, as projections leave them.
      layout->row = heads * dim + pick(0, 5);
      layout->head = dim;
      return normal((rows - 1) * layout->row + heads * dim, spread);
    };
    in.query = array(in.heads, in.queries, in.dim, deviation, &in.query_layout);
    in.key = array(in.kv_heads, in.keys, in.dim, deviation, &in.key_layout);
    in.value = array(in.kv_heads, in.keys, in.value_dim, 1.0, &in.value_layout);
    const double type = std::uniform_real_distribution<double>()(random);
    if (type < 0.3) in.key_value_type = type < 0.15 ? DType::kBF16 : DType::kF16;
    out.out = room<float>(in.queries * in.heads * in.value_dim);
    out.lse = room<double>(in.heads * in.queries);
    const std::int64_t edge = overview_edge(std::max(in.queries, in.keys));
    const std::int64_t cells =
        in.heads * ((in.queries + edge - 1) / edge) * ((in.keys + edge - 1) / edge);
    out.overview_sum = room<float>(cells);
    out.overview_max = room<float>(cells);
    out.query = room<float>(in.heads * in.queries * in.dim);
    out.key = room<float>(in.kv_heads * in.keys * in.dim);
    out.value = room<float>(in.kv_heads * in.keys * in.value_dim);
  }

  void draw_terms() {
    if (chance(0.3)) {
      std::uint8_t* valid = room<std::uint8_t>(in.keys);
      const bool left = chance(0.3);
      const std::int64_t padding = pick(0, in.keys);
      for (std::int64_t k = 0; k < in.keys; ++k)
        valid[k] = left ? k >= padding : k < in.keys - padding;
      in.key_valid = valid;
    }
    if (chance(0.25)) {
      in.score.alibi = chance(0.5) ? Alibi::kDistance : Alibi::kFalcon;
      float* slopes = room<float>(in.heads);
      for (std::int64_t h = 0; h < in.heads; ++h) slopes[h] = std::exp2(-0.7f * (1.0f + h));
      in.terms.slopes = slopes;
    }
    if (chance(0.25)) in.terms.sinks = normal(in.heads, 3.0);
    if (chance(0.25)) {
      in.terms.bias_reach = pick(0, 150);
      in.terms.bias = normal(in.heads * (2 * in.terms.bias_reach + 1), 2.0);
    }
    if (chance(0.2)) {
      in.terms.slots = pick(1, 40);
      in.terms.slot_reach = pick(0, 300);
      auto* slot = room<std::int32_t>(2 * in.terms.slot_reach + 1);
      for (std::int64_t i = 0; i <= 2 * in.terms.slot_reach; ++i)
        slot[i] = static_cast<std::int32_t>(pick(0, in.terms.slots - 1));
      in.terms.slot = slot;
      if (chance(0.7))
        in.terms.query_relative = normal(in.heads * in.queries * in.terms.slots, 2.0);
      if (chance(0.7)) in.terms.key_relative = normal(in.heads * in.keys * in.terms.slots, 2.0);
    }
    if (chance(0.2)) {
      const std::int64_t count = (in.queries + 63) / 64 * ((in.keys + 63) / 64);
      auto* blocks = room<std::uint8_t>(count);
      for (std::int64_t i = 0; i < count; ++i) blocks[i] = chance(0.5) ? 1 : 0;
      in.terms.blocks = blocks;
    }
  }

  // The record of a head, as a trace would hold it.
  HeadView record(std::int64_t h) const {
    HeadView view;
    view.query = out.query + h * in.queries * in.dim;
    view.key = out.key + h / (in.heads / in.kv_heads) * in.keys * in.dim;
    view.lse = out.lse + h * in.queries;
    view.key_valid = in.key_valid;
    view.queries = in.queries, view.keys = in.keys, view.dim = in.dim;
    view.score = in.score;
    view.terms = in.terms.of_head(h, in.queries, in.keys);
    return view;
  }

  // The formula of docs/mathematics.md from the recorded bits, plainly.
  double logit(std::int64_t h, std::int64_t q, std::int64_t k) const {
    const ScoreSpec& s = in.score;
    const std::int64_t p = q + in.keys - in.queries;
    if (in.key_valid != nullptr && in.key_valid[k] == 0) return kNothing;
    if (s.causal && k > p && k >= s.prefix) return kNothing;
    if (s.window > 0 && std::abs(p - k) >= s.window) return kNothing;
    if (s.chunk > 0 && (p < 0 || p / s.chunk != k / s.chunk)) return kNothing;
    if (in.terms.blocks != nullptr && in.terms.blocks[q / 64 * ((in.keys + 63) / 64) + k / 64] == 0)
      return kNothing;
    const HeadView view = record(h);
    double x = 0;
    for (std::int64_t i = 0; i < in.dim; ++i)
      x += static_cast<double>(view.query[q * in.dim + i]) * view.key[k * in.dim + i];
    const auto at = [&](std::int64_t reach) {
      return std::min(std::max(k - p, -reach), reach) + reach;
    };
    if (in.terms.slot != nullptr) {
      const std::int64_t slot = in.terms.slot[at(in.terms.slot_reach)];
      const auto part = [&](const float* parts, std::int64_t rows, std::int64_t row) {
        return parts == nullptr ? 0.0 : parts[(h * rows + row) * in.terms.slots + slot];
      };
      x += part(in.terms.query_relative, in.queries, q) + part(in.terms.key_relative, in.keys, k);
    }
    x *= s.scale;
    if (s.cap > 0) x = s.cap * std::tanh(x / s.cap);
    if (in.terms.bias != nullptr)
      x += in.terms.bias[h * (2 * in.terms.bias_reach + 1) + at(in.terms.bias_reach)];
    if (s.alibi == Alibi::kDistance) x -= in.terms.slopes[h] * std::abs(static_cast<double>(p - k));
    if (s.alibi == Alibi::kFalcon) {
      const auto bf16 = [](double v) {  // 8 significant bits, ties to even
        int exponent = 0;
        const double fraction = std::frexp(v, &exponent);
        return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
      };
      const double slope = bf16(in.terms.slopes[h]);
      const auto shift = [&](std::int64_t j) { return bf16(slope * bf16(static_cast<double>(j))); };
      x += s.scale * (shift(k) - shift(p));
    }
    return x;
  }
};

class Forward : public kernels::OnEveryInstructionSet {};
INSTANTIATE_TEST_SUITE_P(Sets, Forward, testing::ValuesIn(instruction_sets()));

// The row's logits and its log-sum-exp, the sink included.
double plain_row(const Problem& p, std::int64_t h, std::int64_t q, std::vector<double>* logits) {
  double top = p.in.terms.sinks == nullptr ? kNothing : p.in.terms.sinks[h];
  for (std::int64_t k = 0; k < p.in.keys; ++k) {
    (*logits)[static_cast<std::size_t>(k)] = p.logit(h, q, k);
    top = std::max(top, (*logits)[static_cast<std::size_t>(k)]);
  }
  if (top == kNothing) return kNothing;
  double sum = p.in.terms.sinks == nullptr ? 0 : std::exp(p.in.terms.sinks[h] - top);
  for (double x : *logits) sum += std::exp(x - top);
  return top + std::log(sum);
}

void check_row(const Problem& p, const AttentionMap& map, std::int64_t h, std::int64_t q,
               std::vector<double>* overview_sum, std::vector<double>* overview_max) {
  const AttentionInput& in = p.in;
  const auto keys = static_cast<std::size_t>(in.keys);
  std::vector<double> logits(keys);
  std::vector<float> row(keys);
  const double lse = plain_row(p, h, q, &logits), found = p.out.lse[h * in.queries + q];
  if (lse == kNothing) {
    ASSERT_EQ(found, kNothing);
  } else {
    ASSERT_NEAR(found, lse, 2e-6 + 0x1p-22 * std::max(1.0, std::abs(lse)));
  }
  map.row(q, row);
  double sum = 0;
  const double sink =
      in.terms.sinks == nullptr || lse == kNothing ? 0 : std::exp(in.terms.sinks[h] - lse);
  std::vector<double> mixed(static_cast<std::size_t>(in.value_dim));
  const float* value = p.out.value + h / (in.heads / in.kv_heads) * in.keys * in.value_dim;
  const std::int64_t edge = overview_edge(std::max(in.queries, in.keys));
  for (std::size_t k = 0; k < keys; ++k) {
    const double weight = logits[k] == kNothing ? 0.0 : std::exp(logits[k] - lse);
    const double slack = 2e-6 + 0x1p-22 * std::max(1.0, std::abs(logits[k])) * weight;
    if (logits[k] == kNothing) {
      ASSERT_EQ(row[k], 0.0f) << q << ", " << k;
    } else {
      ASSERT_NEAR(row[k], weight, slack) << q << ", " << k << ": logit " << logits[k];
      ASSERT_NEAR(reference_logit(p.record(h), q, static_cast<std::int64_t>(k)), logits[k], 1e-6);
    }
    sum += row[k];
    const auto cell = static_cast<std::size_t>(q / edge * ((in.keys + edge - 1) / edge) +
                                               static_cast<std::int64_t>(k) / edge);
    (*overview_sum)[cell] += weight;
    (*overview_max)[cell] = std::max((*overview_max)[cell], weight);
    for (std::int64_t i = 0; i < in.value_dim; ++i)
      mixed[static_cast<std::size_t>(i)] +=
          weight * value[static_cast<std::int64_t>(k) * in.value_dim + i];
  }
  bool sees_nothing = true;
  for (double x : logits) sees_nothing = sees_nothing && x == kNothing;
  ASSERT_NEAR(sum, sees_nothing ? 0.0 : 1.0 - sink, 1e-5);
  for (std::int64_t i = 0; i < in.value_dim; ++i) {
    const float out = p.out.out[(q * in.heads + h) * in.value_dim + i];
    if (sees_nothing) {
      ASSERT_EQ(out, 0.0f);
    }
    ASSERT_NEAR(out, mixed[static_cast<std::size_t>(i)], 1e-5) << q << ", value " << i;
  }
}

// Sanitized, every problem takes a quarter of a second.
#ifdef __SANITIZE_ADDRESS__
constexpr unsigned kProblems = 12;
#else
constexpr unsigned kProblems = 40;
#endif

TEST_P(Forward, RandomProblemsEqualThePlainFormula) {
  for (unsigned seed = 0; seed < kProblems; ++seed) {
    const Problem p(seed);
    SCOPED_TRACE(testing::Message()
                 << "seed " << seed << ": " << p.in.queries << " x " << p.in.keys << ", d "
                 << p.in.dim << ", values " << p.in.value_dim << ", " << to_json(p.in.score));
    attention_forward(p.in, p.out);
    const std::int64_t edge = overview_edge(std::max(p.in.queries, p.in.keys));
    const auto cells = static_cast<std::size_t>((p.in.queries + edge - 1) / edge *
                                                ((p.in.keys + edge - 1) / edge));
    for (std::int64_t h = 0; h < p.in.heads; ++h) {
      const AttentionMap map(p.record(h));
      std::vector<double> sums(cells), maxima(cells);
      for (std::int64_t q = 0; q < p.in.queries; ++q)
        ASSERT_NO_FATAL_FAILURE(check_row(p, map, h, q, &sums, &maxima)) << "head " << h;
      for (std::size_t i = 0; i < cells; ++i) {
        const auto at = static_cast<std::size_t>(h) * cells + i;
        ASSERT_NEAR(p.out.overview_sum[at], sums[i], 1e-5 * (1 + sums[i])) << "block " << i;
        ASSERT_NEAR(p.out.overview_max[at], maxima[i], 1e-5) << "block " << i;
      }
    }
  }
}

// Products in ascending d, one rounding a step where there is fused multiply-add, in chains of 32
// whose sums are added in order; then the scale.
float logit_in_order(const HeadView& head, std::int64_t q, std::int64_t k, bool fused) {
  float sum = 0;
  for (std::int64_t begin = 0; begin < head.dim; begin += 32) {
    float chain = 0;
    for (std::int64_t i = begin; i < std::min(head.dim, begin + 32); ++i) {
      const float a = head.query[q * head.dim + i], b = head.key[k * head.dim + i];
      const volatile float product = a * b;
      chain = fused ? std::fma(a, b, chain) : chain + product;
    }
    sum = begin == 0 ? chain : sum + chain;
  }
  return head.score.scale * sum;
}

TEST_P(Forward, LogitsOfTheForwardAndOfTheMapAreTheDocumentedBits) {
  const bool fused = GetParam() != "sse4" && GetParam() != "ssse3" && GetParam() != "sse2" &&
                     GetParam() != "emu128" && GetParam() != "scalar";
  for (const std::int64_t dim : {1, 16, 33, 64, 80, 112}) {
    const std::int64_t n = 77;
    const auto query = kernels::normal_floats(n * dim, 1), key = kernels::normal_floats(n * dim, 2);
    std::vector<float> out(static_cast<std::size_t>(n * dim));
    std::vector<double> lse(static_cast<std::size_t>(n));
    AttentionInput in;
    in.query = query.data(), in.key = in.value = key.data();
    in.heads = in.kv_heads = 1, in.queries = in.keys = n, in.dim = in.value_dim = dim;
    in.score.scale = 0.3f;
    in.score.window = 1;  // each query sees one key, so that its log-sum-exp is that logit
    attention_forward(in, {out.data(), lse.data(), nullptr, nullptr});
    HeadView head = in.head(0);
    head.lse = lse.data();
    const AttentionMap seen(head);
    head.score.window = 0;
    const AttentionMap map(head);
    for (std::int64_t q = 0; q < n; ++q) {
      ASSERT_EQ(lse[static_cast<std::size_t>(q)], static_cast<double>(map.logit(q, q))) << q;
      ASSERT_EQ(seen.cell(q, q), 1.0f);
      for (std::int64_t k = 0; k < n; k += 5)
        ASSERT_EQ(map.logit(q, k), logit_in_order(head, q, k, fused)) << q << ", " << k;
    }
  }
}

TEST_P(Forward, LogitsOfTenThousandAndASinkLoseNothing) {
  // A sink far above, far below and beside logits near 1e4.
  for (const float sink : {-50.0f, 9990.0f, 20000.0f}) {
    const std::int64_t n = 200, dim = 4;
    auto query = kernels::normal_floats(n * dim, 3, 0.1f);
    auto key = kernels::normal_floats(n * dim, 4, 0.1f);
    for (float& x : query) x += 50.0f;
    for (float& x : key) x += 50.0f;
    std::vector<float> out(query.size());
    std::vector<double> lse(static_cast<std::size_t>(n));
    AttentionInput in;
    in.query = query.data(), in.key = in.value = key.data();
    in.heads = in.kv_heads = 1, in.queries = in.keys = n, in.dim = in.value_dim = dim;
    in.terms.sinks = &sink;
    attention_forward(in, {out.data(), lse.data(), nullptr, nullptr});
    HeadView head = in.head(0);
    head.lse = lse.data();
    const AttentionMap map(head);
    std::vector<float> row(static_cast<std::size_t>(n));
    for (std::int64_t q = 0; q < n; ++q) {
      double top = sink, sum = 0;
      for (std::int64_t k = 0; k < n; ++k)
        top = std::max(top, static_cast<double>(map.logit(q, k)));
      for (std::int64_t k = 0; k < n; ++k)
        sum += std::exp(static_cast<double>(map.logit(q, k)) - top);
      const double expected = top + std::log(sum + std::exp(sink - top));
      ASSERT_NEAR(lse[static_cast<std::size_t>(q)], expected, 1e-6);
      map.row(q, row);
      double total = 0;
      for (float weight : row) total += weight;
      ASSERT_NEAR(total, 1.0 - std::exp(sink - expected), 1e-5);
    }
  }
}

TEST_P(Forward, NothingInGivesNothingOut) {
  AttentionInput in;
  in.heads = in.kv_heads = 1, in.dim = in.value_dim = 2;
  attention_forward(in, {});  // no queries: nothing is touched
  const float query[4] = {1, 2, 3, 4};
  float out[4] = {9, 9, 9, 9};
  double lse[2] = {9, 9};
  in.query = query, in.queries = 2;
  attention_forward(in, {out, lse, nullptr, nullptr});
  EXPECT_EQ(out[0], 0.0f);
  EXPECT_EQ(out[3], 0.0f);
  EXPECT_EQ(lse[0], kNothing);
  EXPECT_EQ(lse[1], kNothing);
}

TEST_P(Forward, NotFiniteNumbersAreNamedByHeadAndPosition) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto error_with = [](int array, std::int64_t row, float bad, bool padded = false) {
    const std::int64_t n = 150, dim = 4;
    std::vector<float> arrays[3];
    for (auto& a : arrays) a.assign(static_cast<std::size_t>(2 * n * dim), 0.5f);
    arrays[array][static_cast<std::size_t>((n + row) * dim + 1)] = bad;  // of head 1
    std::vector<float> out(arrays[0]);
    std::vector<double> lse(static_cast<std::size_t>(2 * n));
    std::vector<std::uint8_t> valid(static_cast<std::size_t>(n), 1);
    if (padded) valid[static_cast<std::size_t>(row)] = 0;
    AttentionInput in;
    in.query = arrays[0].data(), in.key = arrays[1].data(), in.value = arrays[2].data();
    in.heads = in.kv_heads = 2, in.queries = in.keys = n, in.dim = in.value_dim = dim;
    if (padded) in.key_valid = valid.data();
    try {
      attention_forward(in, {out.data(), lse.data(), nullptr, nullptr});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  for (const float bad : {nan, infinity, -infinity}) {
    const std::string what = std::isnan(bad) ? "a NaN" : "an infinity";
    for (const std::int64_t row : {0, 63, 149}) {
      const std::string at = std::to_string(row) + ": expected finite numbers, found " + what;
      EXPECT_EQ(error_with(0, row, bad), "head 1, query " + at);
      EXPECT_EQ(error_with(1, row, bad), "head 1, key " + at);
      EXPECT_EQ(error_with(2, row, bad), "head 1, value of key " + at);
    }
    EXPECT_EQ(error_with(1, 63, bad, true), "no error");  // padding is seen by nobody
  }
  EXPECT_EQ(error_with(0, 3, 1e30f), "no error");
}

TEST_P(Forward, OverflowingLogitsAreAnError) {
  const std::int64_t n = 3, dim = 2;
  const std::vector<float> large(static_cast<std::size_t>(n * dim), 1e30f);
  std::vector<float> out(large);
  std::vector<double> lse(3);
  AttentionInput in;
  in.query = in.key = in.value = large.data();
  in.heads = in.kv_heads = 1, in.queries = in.keys = n, in.dim = in.value_dim = dim;
  EXPECT_THROW(attention_forward(in, {out.data(), lse.data(), nullptr, nullptr}), Error);
  in.score.scale = -1.0f;
  EXPECT_THROW(attention_forward(in, {out.data(), lse.data(), nullptr, nullptr}), Error);
}

TEST_P(Forward, ACancelledPassThrows) {
  const auto x = kernels::normal_floats(300 * 8, 1);
  std::vector<float> out(x.size());
  std::vector<double> lse(300);
  AttentionInput in;
  in.query = in.key = in.value = x.data();
  in.heads = in.kv_heads = 1, in.queries = in.keys = 300, in.dim = in.value_dim = 8;
  CancelToken cancel;
  cancel.cancel();
  try {
    attention_forward(in, {out.data(), lse.data(), nullptr, nullptr}, &cancel);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kCancelled);
  }
}

// Longer than 512 blocks of 128, which the kernel takes at once, so that the overview's columns
// join groups whose references differ: maxima go on growing, or jump by 9 within a column.
TEST_P(Forward, OverviewOfALongTextEqualsItsRows) {
  const std::int64_t keys = 128 * 512 + 700, queries = 70, dim = 4;
  const std::int64_t edge = overview_edge(keys), columns = (keys + edge - 1) / edge;
  ASSERT_EQ(edge, 192);
  const std::int64_t there = ((columns - 3) * edge / 128 + 1) * 128;  // within a column
  for (const bool jump : {false, true}) {
    auto query = kernels::normal_floats(queries * dim, 5, jump ? 0.3f : 2.0f);
    auto key = kernels::normal_floats(keys * dim, 6, 1.0f);
    for (std::size_t i = 0; i < key.size(); ++i) {
      const auto k = static_cast<std::int64_t>(i) / dim;
      key[i] *= 1.0f + 3.0f * static_cast<float>(i) / static_cast<float>(key.size());
      if (jump && i % dim == 0) key[i] = k >= there ? 18.0f : 0.0f;
    }
    for (std::size_t i = 0; jump && i < query.size(); i += dim) query[i] = 1;
    std::vector<float> out(query.size()), sum(static_cast<std::size_t>(columns)), top(sum);
    std::vector<double> lse(static_cast<std::size_t>(queries));
    AttentionInput in;
    in.query = query.data(), in.key = in.value = key.data();
    in.heads = in.kv_heads = 1, in.queries = queries, in.keys = keys, in.dim = in.value_dim = dim;
    in.score.causal = true;
    attention_forward(in, {out.data(), lse.data(), sum.data(), top.data()});
    HeadView head = in.head(0);
    head.lse = lse.data();
    std::vector<double> sums(sum.size()), tops(sum.size());
    for (std::int64_t q = 0; q < queries; ++q)
      for (std::int64_t k = 0; k < keys; ++k) {
        const double weight =
            std::exp(reference_logit(head, q, k) - lse[static_cast<std::size_t>(q)]);
        sums[static_cast<std::size_t>(k / edge)] += weight;
        tops[static_cast<std::size_t>(k / edge)] =
            std::max(tops[static_cast<std::size_t>(k / edge)], weight);
      }
    for (std::size_t c = 0; c < sums.size(); ++c) {
      ASSERT_NEAR(sum[c], sums[c], 1e-5 * (1 + sums[c])) << c;
      ASSERT_NEAR(top[c], tops[c], 1e-5) << c;
    }
  }
}

}  // namespace
}  // namespace regard
