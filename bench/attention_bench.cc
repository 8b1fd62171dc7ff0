// SPDX-License-Identifier: Apache-2.0
// The fused attention on one thread, as a share of the multiply-add peak of the same run: each pass
// is timed in turn with a loop that does nothing but multiply-add, on the thread's CPU time, and
// medians are divided. attention: head size, length, causal, capture (overview on, queries and keys
// written out). attention_with_term: what a part of the score besides the product costs.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/attention_bench.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Twelve independent chains of multiply-adds; returns the operations done (2 a lane).
double attention_peak_loop(std::int64_t rounds, float* sink) {
  const hn::CappedTag<float, 16> d;
  constexpr int kChains = 12;
  hn::Vec<decltype(d)> sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = hn::Set(d, static_cast<float>(i));
  const auto a = hn::Set(d, sink[0]), b = hn::Set(d, sink[1]);
  for (std::int64_t n = 0; n < rounds; ++n)
    for (int i = 0; i < kChains; ++i) sum[i] = hn::MulAdd(sum[i], a, b);
  for (int i = 1; i < kChains; ++i) sum[0] = hn::Add(sum[0], sum[i]);
  sink[2] = hn::GetLane(sum[0]);
  return 2.0 * static_cast<double>(rounds) * kChains * static_cast<double>(hn::Lanes(d));
}

}  // namespace regard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>
#include <vector>

#include "regard/attention/forward.h"
#include "regard/attention/relative.h"
#include "regard/platform/cpu.h"
#include "regard/platform/threads.h"
#include "regard/tensor/tensor.h"

namespace regard {
namespace {

HWY_EXPORT(attention_peak_loop);

double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double peak() {
  float sink[3] = {0.5f, 1.0f, 0.0f};
  const double start = thread_seconds();
  const double operations = HWY_DYNAMIC_DISPATCH(attention_peak_loop)(40000, sink);
  benchmark::DoNotOptimize(sink);
  return operations / (thread_seconds() - start);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Tensor random_tensor(Shape shape, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensor tensor(std::move(shape));
  for (float& x : tensor.span()) x = normal(random);
  return tensor;
}

// A head of n tokens and all that a pass over it writes.
struct Head {
  Tensor query, key, value, out, query_out, key_out, sum, largest;
  Buffer<double> lse;
  AttentionInput in;
  AttentionOutput result;
  Head(const Head&) = delete;  // in and result point into it
  Head(std::int64_t dim, std::int64_t n, bool causal, bool capture)
      : query(random_tensor({n, dim}, 1)),
        key(random_tensor({n, dim}, 2)),
        value(random_tensor({n, dim}, 3)),
        out({n, dim}),
        query_out({n, dim}),
        key_out({n, dim}),
        lse({n}) {
    const std::int64_t edge = overview_edge(n), blocks = (n + edge - 1) / edge;
    sum = Tensor({blocks, blocks}), largest = Tensor({blocks, blocks});
    in.query = query.data(), in.key = key.data(), in.value = value.data();
    in.heads = in.kv_heads = 1, in.queries = in.keys = n, in.dim = in.value_dim = dim;
    in.score.scale = 1.0f / std::sqrt(static_cast<float>(dim));
    in.score.causal = causal;
    result.out = out.data(), result.lse = lse.data();
    if (!capture) return;
    result.overview_sum = sum.data(), result.overview_max = largest.data();
    result.query = query_out.data(), result.key = key_out.data();
  }
};

void measure(benchmark::State& state, const Head& head) {
  const auto n = static_cast<double>(head.in.keys);
  const double pairs = head.in.score.causal ? 0.5 * n * (n + 1) : n * n;
  const double operations = 4.0 * pairs * static_cast<double>(head.in.dim);
  set_thread_count(1);
  attention_forward(head.in, head.result);
  std::vector<double> rates, peaks;
  for (auto _ : state) {
    peaks.push_back(peak());
    const double start = thread_seconds();
    attention_forward(head.in, head.result);
    const double elapsed = thread_seconds() - start;
    state.SetIterationTime(elapsed);
    rates.push_back(operations / elapsed);
  }
  set_thread_count(0);
  state.counters["gflops"] = median(rates) / 1e9;
  state.counters["peak_gflops"] = median(peaks) / 1e9;
  state.counters["peak_share"] = median(rates) / median(peaks);
  state.SetLabel(instruction_set());
}

void attention(benchmark::State& state) {
  measure(state, Head(state.range(0), state.range(1), state.range(2) != 0, state.range(3) != 0));
}
BENCHMARK(attention)
    ->ArgNames({"d", "n", "causal", "capture"})
    ->ArgsProduct({{32, 64, 128}, {512, 2048, 4096}, {0, 1}, {1, 0}})
    ->UseManualTime()
    ->MinTime(0.25);

// d = 64, every part of a score in turn; the share counts the multiply-adds of the products alone.
enum Term { kNone, kAlibi, kFalconBias, kBias, kRelative, kCap };
void attention_with_term(benchmark::State& state) {
  const std::int64_t n = state.range(1), slots = 512;
  Head head(64, n, false, true);
  ScoreTerms& terms = head.in.terms;
  const float slope = 0.01f;
  const Tensor bias = random_tensor({257}, 4);
  const Tensor relative = random_tensor({2, n, slots}, 5);
  const std::vector<std::int32_t> slot = deberta_slots(n, slots / 2, slots / 2, slots);
  switch (state.range(0)) {
    case kAlibi:
    case kFalconBias:
      head.in.score.alibi = state.range(0) == kAlibi ? Alibi::kDistance : Alibi::kFalcon;
      terms.slopes = &slope;
      break;
    case kBias:
      terms.bias = bias.data(), terms.bias_reach = 128;
      break;
    case kRelative:
      terms.query_relative = relative.data(), terms.key_relative = relative.data() + n * slots;
      terms.slot = slot.data(), terms.slots = slots, terms.slot_reach = n;
      break;
    case kCap:
      head.in.score.cap = 30.0f;
      break;
    default:
      break;
  }
  measure(state, head);
}
BENCHMARK(attention_with_term)
    ->ArgNames({"term", "n"})
    ->ArgsProduct({{kNone, kAlibi, kFalconBias, kBias, kRelative, kCap}, {512, 2048}})
    ->UseManualTime()
    ->MinTime(0.25);

}  // namespace
}  // namespace regard

BENCHMARK_MAIN();
#endif  // HWY_ONCE
