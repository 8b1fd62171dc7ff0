// SPDX-License-Identifier: Apache-2.0
// Speed of each kernel, on one thread and on two. Every measurement takes turns with a loop that
// does nothing but multiply-add, on the same threads, so that "peak_share" is a ratio within one
// run, whatever else the machine does. With one thread the time is the thread's own (its processor
// time), with more it is the clock's; rates are medians.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <random>
#include <vector>

#include "regard/kernels/activation.h"
#include "regard/kernels/matmul.h"
#include "regard/kernels/normalize.h"
#include "regard/kernels/peak.h"
#include "regard/platform/cpu.h"
#include "regard/platform/threads.h"

namespace regard {
namespace {

double seconds(bool own) {
  if (own) {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Multiply-add operations a second, all threads together.
double peak() {
  const int threads = thread_count();
  std::vector<double> operations(static_cast<std::size_t>(threads));
  const double start = seconds(threads == 1);
  parallel_for(threads, [&](std::int64_t i) {
    operations[static_cast<std::size_t>(i)] = kernels::multiply_add(100000);
  });
  const double elapsed = seconds(threads == 1) - start;
  double total = 0.0;
  for (const double o : operations) total += o;
  return total / elapsed;
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

// Times `work`, which does `operations` floating-point operations and reads or writes `bytes` of
// memory that no cache holds.
void measure(benchmark::State& state, int threads, double operations, double bytes,
             const std::function<void()>& work) {
  set_thread_count(threads);
  work();
  std::vector<double> times, peaks;
  for (auto _ : state) {
    const double start = seconds(threads == 1);
    work();
    times.push_back(seconds(threads == 1) - start);
    state.SetIterationTime(times.back());
    if (times.size() % 16 == 1) peaks.push_back(peak());
  }
  const double time = median(times), roof = median(peaks);
  state.counters["gflops"] = operations / time / 1e9;
  state.counters["peak_gflops"] = roof / 1e9;
  state.counters["peak_share"] = operations / time / roof;
  if (bytes > 0.0) state.counters["GB/s"] = bytes / time / 1e9;
  state.SetLabel(instruction_set());
  set_thread_count(0);
}

// Arguments: threads, rows, in, out, bits of a weight.
void matmul(benchmark::State& state) {
  const std::int64_t rows = state.range(1), in = state.range(2), out = state.range(3);
  const DType type = state.range(4) == 16 ? DType::kBF16 : DType::kF32;
  const std::int64_t bytes = in * out * static_cast<std::int64_t>(size_of(type));
  // As many weights as no cache holds: a model's layers follow one another.
  const std::int64_t copies =
      rows > 16 ? 1 : std::max<std::int64_t>(1, (std::int64_t{64} << 20) / bytes);
  const auto x = random_floats(rows * in), bias = random_floats(out);
  const auto w = random_floats(copies * bytes / 4);
  std::vector<float> y(static_cast<std::size_t>(rows * out));
  std::int64_t next = 0;
  measure(state, static_cast<int>(state.range(0)), 2.0 * static_cast<double>(rows * in * out),
          copies > 1 ? static_cast<double>(bytes) : 0.0, [&] {
            const auto* data = reinterpret_cast<const std::byte*>(w.data()) + next * bytes;
            next = (next + 1) % copies;
            kernels::matmul(x.data(), rows, in, {{type, {out, in}, data}, false, bias.data()},
                            y.data(), out);
          });
}
BENCHMARK(matmul)
    ->ArgNames({"threads", "rows", "in", "out", "bits"})
    ->ArgsProduct({{1, 2}, {1, 4, 16, 128, 512}, {384}, {384, 1536}, {32}})
    ->ArgsProduct({{1, 2}, {1, 4, 16, 128, 512}, {1536}, {384}, {32}})
    ->ArgsProduct({{1, 2}, {1, 128, 2048}, {2048}, {2048}, {16, 32}})
    ->UseManualTime()
    ->MinTime(0.2);

// Operations counted: 8 an element.
void layer_norm(benchmark::State& state) {
  const std::int64_t rows = state.range(1), width = state.range(2);
  const auto x = random_floats(rows * width), gain = random_floats(width);
  std::vector<float> y(x.size());
  measure(state, static_cast<int>(state.range(0)), 8.0 * static_cast<double>(rows * width), 0.0,
          [&] {
            kernels::layer_norm(x.data(), rows, width, gain.data(), gain.data(), 1e-12f, y.data());
          });
}
BENCHMARK(layer_norm)
    ->ArgNames({"threads", "rows", "width"})
    ->ArgsProduct({{1, 2}, {128, 512}, {384}})
    ->UseManualTime()
    ->MinTime(0.1);

// Operations counted: 45 an element.
void gelu(benchmark::State& state) {
  const std::int64_t count = state.range(1);
  std::vector<float> x = random_floats(count);
  measure(state, static_cast<int>(state.range(0)), 45.0 * static_cast<double>(count), 0.0,
          [&] { kernels::activate(kernels::Activation::kGelu, x.data(), count); });
}
BENCHMARK(gelu)
    ->ArgNames({"threads", "count"})
    ->ArgsProduct({{1, 2}, {16 * 1536, 512 * 1536}})
    ->UseManualTime()
    ->MinTime(0.1);

}  // namespace
}  // namespace regard

BENCHMARK_MAIN();
