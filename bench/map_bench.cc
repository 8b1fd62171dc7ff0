// SPDX-License-Identifier: Apache-2.0
// Speed of looking at a long map: a head of 131,072 tokens, in memory and as a mapped trace file.
// Tiles at full zoom, the whole map from its overview, a row, a column.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "regard/attention/attention_map.h"
#include "regard/attention/forward.h"
#include "regard/platform/cpu.h"
#include "regard/trace/trace.h"

namespace regard {
namespace {

constexpr std::int64_t kTokens = 131072;

// A head with random queries and keys of variance 1, so that a row's log-sum-exp is about
// ln n + 1/2.
struct Head {
  Tensor query, key, sum, max;
  Buffer<double> lse;
  std::int64_t dim;
  explicit Head(std::int64_t d) : dim(d) {
    std::mt19937 random(1);
    const auto uniform = [&] { return (static_cast<float>(random()) * 0x1p-31f - 1) * 1.7320508f; };
    const std::int64_t blocks = kTokens / overview_edge(kTokens);
    query = Tensor({1, kTokens, dim});
    key = Tensor({1, kTokens, dim});
    for (Tensor* t : {&query, &key})
      for (float& x : t->span()) x = uniform();
    lse = Buffer<double>({1, kTokens});
    for (double& x : lse.span()) x = std::log(static_cast<double>(kTokens)) + 0.5;
    sum = Tensor({1, blocks, blocks});
    max = Tensor({1, blocks, blocks});
    for (float& x : sum.span()) x = 0.5f;
    for (float& x : max.span()) x = 0.01f;
  }
  LayerTrace layer() const {
    const auto view = [](const auto& buffer, DType type) {
      return TensorView{type, buffer.shape(), reinterpret_cast<const std::byte*>(buffer.data())};
    };
    LayerTrace layer;
    layer.head_ids = layer.kv_of = {0};
    layer.queries = layer.keys = kTokens;
    layer.dim = dim;
    layer.score.scale = 1.0f / std::sqrt(static_cast<float>(dim));
    layer.block_edge = overview_edge(kTokens);
    layer.query = view(query, DType::kF32);
    layer.key = view(key, DType::kF32);
    layer.lse = view(lse, DType::kF64);
    layer.overview_sum = view(sum, DType::kF32);
    layer.overview_max = view(max, DType::kF32);
    return layer;
  }
};

// Such a head, made once.
const Head& head_of(std::int64_t dim) {
  static std::map<std::int64_t, std::unique_ptr<Head>> heads;
  auto& head = heads[dim];
  if (head == nullptr) head = std::make_unique<Head>(dim);
  return *head;
}

// The head as a trace, in memory or read from a file that is already in the page cache.
Trace trace_of(const Head& head, bool mapped) {
  Trace trace;
  trace.tokens.resize(kTokens);
  trace.layers[0] = head.layer();
  if (!mapped) return trace;
  const std::string path = "/tmp/regard_map_bench.safetensors";
  write_trace(trace, path);
  Trace read = read_trace(path);
  std::remove(path.c_str());
  return read;
}

// Arguments: dim, mapped file or memory.
void tile_at_full_zoom(benchmark::State& state) {
  const Trace trace = trace_of(head_of(state.range(0)), state.range(1) != 0);
  std::mt19937 random(2);
  for (auto _ : state) {
    const auto q = static_cast<std::int64_t>(random() % (kTokens - 512));
    const auto k = static_cast<std::int64_t>(random() % (kTokens - 512));
    const auto tile = trace.map({0, 0}).tile({q, q + 512, k, k + 512}, 512, Pool::kMax);
    benchmark::DoNotOptimize(tile.cells.data());
  }
  state.SetLabel(instruction_set());
}
BENCHMARK(tile_at_full_zoom)
    ->ArgNames({"dim", "mapped"})
    ->ArgsProduct({{32, 64, 128}, {0, 1}})
    ->MeasureProcessCPUTime()
    ->UseRealTime();

// Arguments: tile size, mapped file or memory.
void whole_map(benchmark::State& state) {
  const Trace trace = trace_of(head_of(64), state.range(1) != 0);
  for (auto _ : state) {
    const auto tile = trace.map({0, 0}).tile({0, kTokens, 0, kTokens}, state.range(0), Pool::kMean);
    benchmark::DoNotOptimize(tile.cells.data());
  }
}
BENCHMARK(whole_map)
    ->ArgNames({"size", "mapped"})
    ->ArgsProduct({{512, 64, 1}, {0, 1}})
    ->UseRealTime();

void estimate_of_the_whole(benchmark::State& state) {
  const Trace trace = trace_of(head_of(64), false);
  for (auto _ : state) {
    const auto tile = trace.map({0, 0}).estimate({5, kTokens, 7, kTokens}, 512, Pool::kMean);
    benchmark::DoNotOptimize(tile.cells.data());
  }
}
BENCHMARK(estimate_of_the_whole)->UseRealTime();

void row_or_column(benchmark::State& state) {
  const Trace trace = trace_of(head_of(64), false);
  const AttentionMap map = trace.map({0, 0});
  std::vector<float> out(kTokens);
  std::int64_t at = 0;
  for (auto _ : state) {
    at = (at + 7919) % kTokens;
    if (state.range(0) != 0)
      map.column(at, out);
    else
      map.row(at, out);
  }
}
BENCHMARK(row_or_column)->ArgName("column")->Arg(0)->Arg(1)->UseRealTime();

}  // namespace
}  // namespace regard

BENCHMARK_MAIN();
