// SPDX-License-Identifier: Apache-2.0
// Tokenising 1 MB of English and opening a tokenizer: set REGARD_TOKENIZER to a model folder or a
// tokenizer.json and REGARD_TEXT to a text. bench/compare_tokenizers.py measures the tokenizers
// library on the same.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "regard/platform/mapped_file.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {
namespace {

constexpr std::size_t kLongest = std::size_t{1} << 28;

Tokenizer open(const std::string& path) {
  if (std::filesystem::is_directory(path)) return Tokenizer::open(path);
  return Tokenizer::from_json(read_text_file(path, kLongest), path);
}

void encode(benchmark::State& state) {
  const char* path = std::getenv("REGARD_TOKENIZER");
  const char* file = std::getenv("REGARD_TEXT");
  if (!path || !file) return state.SkipWithError("REGARD_TOKENIZER and REGARD_TEXT are not set");
  const Tokenizer tokenizer = open(path);
  const std::string text =
      mend_utf8(read_text_file(file, kLongest).substr(0, std::size_t{1} << 20), nullptr);
  std::size_t tokens = 0;
  for (auto _ : state) tokens = tokenizer.encode(text).tokens.size();
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
  state.counters["tokens"] = static_cast<double>(tokens);
}
BENCHMARK(encode)->Unit(benchmark::kMillisecond);

void open_file(benchmark::State& state) {
  const char* path = std::getenv("REGARD_TOKENIZER");
  if (!path) return state.SkipWithError("REGARD_TOKENIZER is not set");
  for (auto _ : state) benchmark::DoNotOptimize(open(path).vocabulary_size());
}
BENCHMARK(open_file)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace regard

BENCHMARK_MAIN();
