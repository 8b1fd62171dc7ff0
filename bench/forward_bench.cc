// SPDX-License-Identifier: Apache-2.0
// Times the forward pass of a model folder, on command, so that bench/compare_peers.py can
// interleave it with its peers. Reads commands from standard input, one a line, and answers each
// with one line of JSON:
//   ids 101,2009,102      the tokens from now on                 {"tokens": 3}
//   run 5                 5 forward passes, every head recorded  {"seconds": [..]}
//   plain 5               the same without recording             {"seconds": [..]}
//   tile 5                run, and a tile of the last head       {"seconds": [..]}
//   maps 5                run, and every map in full             {"seconds": [..]}
//   memory                largest resident size since last asked {"megabytes": 120.5}
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
#include <fstream>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "regard/kernels/peak.h"
#include "regard/model/model.h"
#include "regard/model/observer.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"
#include "regard/platform/threads.h"
#include "regard/trace/trace.h"

namespace regard {
namespace {

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
    parallel_for(thread_count(),
                 [&](std::int64_t) { operations += kernels::multiply_add(5'000'000); });
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

// Everything that is asked for after the pass is part of the time.
void time_forward(const Model& model, const ModelInput& input, int count, const std::string& what) {
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) {
    Trace trace;
    Recorder recorder(&trace);
    const auto start = Clock::now();
    model.forward(input, what == "plain" ? nullptr : &recorder);
    if (what == "tile") {
      const AttentionMap map = trace.map(trace.heads().back());
      map.tile({0, map.rows(), 0, map.columns()}, 512, Pool::kMean);
    } else if (what == "maps") {
      const auto heads = static_cast<std::int64_t>(trace.heads().size());
      const std::int64_t tokens = trace.map(trace.heads().front()).rows();
      Tensor weights({heads, tokens, tokens});
      float* out = weights.data();
      for (const HeadId id : trace.heads()) {
        trace.map(id).read_rows(0, tokens, out);
        out += tokens * tokens;
      }
      if (weights.empty()) throw Error("maps: expected weights, found none");
    }
    seconds.push_back(seconds_since(start));
  }
  print<double>("seconds", seconds);
}

// VmHWM of /proc/self/status, set back afterwards (proc(5), clear_refs).
double peak_megabytes() {
  double kilobytes = 0;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") status >> kilobytes;
  std::ofstream("/proc/self/clear_refs") << 5;
  return kilobytes / 1024;
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
  } else if (command == "run" || command == "plain" || command == "tile" || command == "maps") {
    int count = 1;
    in >> count;
    time_forward(model, *input, count, command);
  } else if (command == "memory") {
    std::printf("{\"megabytes\": %.1f}\n", peak_megabytes());
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
