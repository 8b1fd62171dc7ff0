// SPDX-License-Identifier: Apache-2.0
// Times the forward pass of a model folder, on command, so that bench/compare_peers.py can
// interleave it with its peers. Reads commands from standard input, one a line, and answers each
// with one line of JSON:
//   ids 101,2009,102      the tokens from now on                 {"tokens": 3}
//   run 5                 5 forward passes, every head recorded  {"seconds": [..]}
//   plain 5               the same without recording             {"seconds": [..]}
//   hidden                the last hidden state, flat            {"hidden": [..]}
//   attention 3 1         one head's map, flat                   {"weights": [..]}
//   peak                  FMA peak of all threads                {"gflops": 250.1}
//   info                                                         {"instruction_set": ..}
// Threads: --threads N; otherwise one per core.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/forward_bench.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "regard/model/model.h"
#include "regard/model/observer.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"
#include "regard/platform/threads.h"
#include "regard/trace/trace.h"

HWY_BEFORE_NAMESPACE();
namespace regard {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Twelve independent chains hide the latency of a fused multiply-add; two operations each a lane.
// Returns operations done; *out keeps the compiler from dropping them.
double multiply_add_chains(std::int64_t rounds, float* out) {
  const hn::ScalableTag<float> d;
  const auto m = hn::Set(d, 0.999f);
  auto a = hn::Set(d, 1.0f), b = a, c = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a,
       n = a;
  for (std::int64_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, m, m), b = hn::MulAdd(b, m, m), c = hn::MulAdd(c, m, m);
    e = hn::MulAdd(e, m, m), f = hn::MulAdd(f, m, m), g = hn::MulAdd(g, m, m);
    h = hn::MulAdd(h, m, m), i = hn::MulAdd(i, m, m), j = hn::MulAdd(j, m, m);
    k = hn::MulAdd(k, m, m), l = hn::MulAdd(l, m, m), n = hn::MulAdd(n, m, m);
  }
  const auto sum = hn::Add(
      hn::Add(hn::Add(a, b), hn::Add(c, e)),
      hn::Add(hn::Add(hn::Add(f, g), hn::Add(h, i)), hn::Add(hn::Add(j, k), hn::Add(l, n))));
  *out = hn::GetLane(sum);
  return static_cast<double>(rounds) * 12 * 2 * static_cast<double>(hn::Lanes(d));
}

}  // namespace HWY_NAMESPACE
}  // namespace regard
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard {
namespace {

HWY_EXPORT(multiply_add_chains);

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The best of five, as a peak is.
double peak_gflops() {
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::atomic<double> operations = 0;
    const auto start = Clock::now();
    parallel_for(thread_count(), [&](std::int64_t) {
      float sink = 0;
      operations += HWY_DYNAMIC_DISPATCH(multiply_add_chains)(10'000'000, &sink);
      if (sink == 0) operations = 0;
    });
    best = std::max(best, operations / seconds_since(start) / 1e9);
  }
  return best;
}

template <typename T>
void print(const char* name, std::span<const T> values) {
  std::printf("{\"%s\": [", name);
  char digits[40];
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto end = std::to_chars(digits, digits + sizeof digits, values[i]).ptr;
    std::printf("%s%.*s", i == 0 ? "" : ", ", static_cast<int>(end - digits), digits);
  }
  std::printf("]}\n");
}

void time_forward(const Model& model, const ModelInput& input, int count, bool capture) {
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) {
    Trace trace;
    Recorder recorder(&trace);
    const auto start = Clock::now();
    model.forward(input, capture ? &recorder : nullptr);
    seconds.push_back(seconds_since(start));
  }
  print<double>("seconds", seconds);
}

void answer(const Model& model, const std::string& line, ModelInput* input) {
  std::istringstream in(line);
  std::string command;
  in >> command;
  if (command == "ids") {
    input->ids.clear();
    for (std::string id; std::getline(in >> std::ws, id, ',');) {
      input->ids.push_back(std::stoll(id));
    }
    std::printf("{\"tokens\": %zu}\n", input->ids.size());
  } else if (command == "run" || command == "plain") {
    int count = 1;
    in >> count;
    time_forward(model, *input, count, command == "run");
  } else if (command == "hidden") {
    print<float>("hidden", model.forward(*input).span());
  } else if (command == "attention") {
    HeadId id;
    in >> id.layer >> id.head;
    Trace trace;
    Recorder recorder(&trace);
    model.forward(*input, &recorder);
    const AttentionMap map = trace.map(id);
    std::vector<float> weights(static_cast<std::size_t>(map.rows() * map.columns()));
    map.read_rows(0, map.rows(), weights.data());
    print<float>("weights", weights);
  } else if (command == "peak") {
    std::printf("{\"gflops\": %.2f}\n", peak_gflops());
  } else if (command == "info") {
    std::printf("{\"instruction_set\": \"%s\", \"threads\": %d, \"layers\": %d, \"heads\": %d}\n",
                instruction_set().c_str(), thread_count(), static_cast<int>(model.spec().layers),
                static_cast<int>(model.spec().heads));
  } else {
    throw Error("unknown command \"" + line + "\"");
  }
  std::fflush(stdout);
}

int main_of(int argc, char** argv) {
  if (argc != 2 && !(argc == 4 && std::string(argv[2]) == "--threads")) {
    std::fprintf(stderr, "usage: %s MODEL_FOLDER [--threads N]\n", argv[0]);
    return 2;
  }
  try {
    if (argc == 4) set_thread_count(std::stoi(argv[3]));
    const Model model = Model::open(argv[1]);
    ModelInput input;
    for (std::string line; std::getline(std::cin, line);) answer(model, line, &input);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace regard

int main(int argc, char** argv) { return regard::main_of(argc, argv); }
#endif  // HWY_ONCE
