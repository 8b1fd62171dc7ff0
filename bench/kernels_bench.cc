// SPDX-License-Identifier: Apache-2.0
// Speed of the kernels. Each matrix product is timed in turn with a loop that does nothing but
// multiply-add, so that "peak_share" is a ratio within one run, whatever else the machine does.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/kernels_bench.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace regard::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Twelve independent chains of multiply-adds; returns the operations done (2 a lane).
double multiply_add_loop(std::int64_t rounds, float* sink) {
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
#include <chrono>
#include <random>
#include <vector>

#include "regard/kernels/activation.h"
#include "regard/kernels/matmul.h"
#include "regard/kernels/normalize.h"
#include "regard/platform/cpu.h"
#include "regard/platform/threads.h"

namespace regard {
namespace {

HWY_EXPORT(multiply_add_loop);

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Multiply-add operations a second, all threads together.
double peak() {
  const int threads = thread_count();
  std::vector<double> operations(static_cast<std::size_t>(threads));
  const double start = seconds();
  parallel_for(threads, [&](std::int64_t i) {
    float sink[3] = {0.5f, 1.0f, 0.0f};
    operations[static_cast<std::size_t>(i)] = HWY_DYNAMIC_DISPATCH(multiply_add_loop)(100000, sink);
    benchmark::DoNotOptimize(sink);
  });
  double total = 0.0;
  for (const double o : operations) total += o;
  return total / (seconds() - start);
}

std::vector<float> random_floats(std::int64_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Arguments: rows, in, out.
void matmul(benchmark::State& state) {
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const auto x = random_floats(rows * in), w = random_floats(in * out), bias = random_floats(out);
  std::vector<float> y(static_cast<std::size_t>(rows * out));
  const kernels::Weight weight{
      {DType::kF32, {out, in}, reinterpret_cast<const std::byte*>(w.data())}, false, bias.data()};
  std::vector<double> rates, peaks;
  for (auto _ : state) {
    const double start = seconds();
    kernels::matmul(x.data(), rows, in, weight, y.data(), out);
    const double elapsed = seconds() - start;
    state.SetIterationTime(elapsed);
    rates.push_back(2.0 * static_cast<double>(rows * in * out) / elapsed);
    if (rates.size() % 16 == 1) peaks.push_back(peak());
  }
  state.counters["gflops"] = median(rates) / 1e9;
  state.counters["peak_gflops"] = median(peaks) / 1e9;
  state.counters["peak_share"] = median(rates) / median(peaks);
  state.SetLabel(instruction_set());
}
BENCHMARK(matmul)
    ->ArgNames({"rows", "in", "out"})
    ->ArgsProduct({{16, 128, 512}, {384}, {384, 1536}})
    ->ArgsProduct({{16, 128, 512}, {1536}, {384}})
    ->UseManualTime()
    ->MinTime(0.2);

void layer_norm(benchmark::State& state) {
  const std::int64_t rows = state.range(0), width = state.range(1);
  const auto x = random_floats(rows * width), gain = random_floats(width);
  std::vector<float> y(x.size());
  for (auto _ : state)
    kernels::layer_norm(x.data(), rows, width, gain.data(), gain.data(), 1e-12f, y.data());
  state.SetItemsProcessed(state.iterations() * rows * width);
}
BENCHMARK(layer_norm)->ArgNames({"rows", "width"})->Args({128, 384})->Args({512, 384});

void gelu(benchmark::State& state) {
  const auto source = random_floats(state.range(0));
  std::vector<float> x = source;
  for (auto _ : state) {
    std::copy(source.begin(), source.end(), x.begin());
    kernels::activate(kernels::Activation::kGelu, x.data(), state.range(0));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(gelu)->ArgName("count")->Arg(16 * 1536)->Arg(512 * 1536);

}  // namespace
}  // namespace regard

BENCHMARK_MAIN();
#endif  // HWY_ONCE
