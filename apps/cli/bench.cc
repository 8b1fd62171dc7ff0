// SPDX-License-Identifier: Apache-2.0
// regard bench: what this machine can do and how much of it the kernels reach. Every measurement
// takes turns with a loop of multiply-adds on the same threads, so that its share of the peak is a
// ratio within one run; medians throughout.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <random>

#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/attention/forward.h"
#include "regard/kernels/matmul.h"
#include "regard/kernels/peak.h"
#include "regard/kernels/softmax.h"
#include "regard/model/model.h"
#include "regard/model/observer.h"
#include "regard/platform/cpu.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/threads.h"
#include "regard/render/labels.h"
#include "regard/trace/trace.h"

namespace regard::cli {
namespace {

constexpr double kSecondsEach = 0.12;  // a measurement's share of the run
constexpr int kFewestRounds = 5;
constexpr int kAttempts = 3;  // while the peak measured beside a kernel is below the kernel

struct Options {
  std::string model, output;
  bool json = false;
};

struct Measurement {
  std::string kernel, shape;
  double seconds;     // median of a call
  double rate;        // floating-point operations a second; 0: not counted
  double peak_share;  // rate / the peak measured in turns with it; above 1: disturbed
};

struct Report {
  std::string processor;
  double peak = 0, memory = 0;  // operations and bytes a second
  std::vector<Measurement> kernels;
  double attention_capture = 0;  // time with record / without - 1
  std::string model;
  std::vector<Measurement> forward;
  double forward_capture = 0;  // the same at the longest of them
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <typename Work>
double timed(const Work& work) {
  const double start = now();
  work();
  return now() - start;
}

// Multiply-add operations a second on all threads, from about half a millisecond.
double peak_once() {
  const int threads = thread_count();
  std::vector<double> operations(static_cast<std::size_t>(threads));
  const double taken = timed([&] {
    parallel_for(threads, [&](std::int64_t i) {
      operations[static_cast<std::size_t>(i)] = kernels::multiply_add(200'000);
    });
  });
  double total = 0;
  for (const double each : operations) total += each;
  return total / taken;
}

// Medians of two things done in turns for kSecondsEach.
template <typename First, typename Second>
std::pair<double, double> in_turns(const First& first, const Second& second) {
  std::vector<double> a, b;
  const double end = now() + kSecondsEach;
  while (a.size() < kFewestRounds || now() < end) {
    a.push_back(first());
    b.push_back(second());
  }
  return {median(a), median(b)};
}

template <typename Work>
Measurement measure(std::string kernel, std::string shape, double operations, const Work& work) {
  work();  // memory is there and caches are warm
  Measurement result{std::move(kernel), std::move(shape), 0, 0, 0};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto [seconds, peak] = in_turns([&] { return timed(work); }, peak_once);
    result.seconds = seconds;
    result.rate = operations / seconds;
    result.peak_share = result.rate / peak;
    if (result.peak_share <= 1) break;  // above, other programs took the cores from the peak
  }
  return result;
}

std::vector<float> random_floats(std::int64_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "unknown";
}

// Bytes a second that all threads together read from memory that no cache holds.
double memory_rate() {
  const std::vector<std::uint64_t> words(std::size_t{1} << 23, 1);  // 64 MiB
  const std::int64_t parts = 64, part = static_cast<std::int64_t>(words.size()) / parts;
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(parts));
  std::vector<double> rates;
  for (int round = 0; round < kFewestRounds; ++round) {
    const double taken = timed([&] {
      parallel_for(parts, [&](std::int64_t i) {
        std::uint64_t sum = 0;
        for (std::int64_t k = i * part; k < (i + 1) * part; ++k)
          sum += words[static_cast<std::size_t>(k)];
        sums[static_cast<std::size_t>(i)] = sum;
      });
    });
    for (const std::uint64_t sum : sums)
      if (sum != static_cast<std::uint64_t>(part)) return 0;  // keeps the sums alive
    rates.push_back(static_cast<double>(words.size()) * sizeof(std::uint64_t) / taken);
  }
  return median(rates);
}

Measurement measure_matmul(std::int64_t rows, std::int64_t in, std::int64_t out) {
  const auto x = random_floats(rows * in), w = random_floats(in * out), bias = random_floats(out);
  std::vector<float> y(static_cast<std::size_t>(rows * out));
  const kernels::Weight weight{
      {DType::kF32, {out, in}, reinterpret_cast<const std::byte*>(w.data())}, false, bias.data()};
  return measure("matmul", fmt::format("{} x {} x {}", rows, in, out),
                 2.0 * static_cast<double>(rows * in * out),
                 [&] { kernels::matmul(x.data(), rows, in, weight, y.data(), out); });
}

// One layer's attention, heads as many as make 256 columns.
struct Attention {
  Attention(std::int64_t n, std::int64_t dim, bool causal) {
    in.heads = in.kv_heads = 256 / dim;
    in.queries = in.keys = n;
    in.dim = in.value_dim = dim;
    in.score.scale = 1.0f / std::sqrt(static_cast<float>(dim));
    in.score.causal = causal;
    values = random_floats(3 * in.heads * n * dim);
    in.query = values.data();
    in.key = in.query + in.heads * n * dim;
    in.value = in.key + in.heads * n * dim;
    const std::int64_t blocks = (n + overview_edge(n) - 1) / overview_edge(n);
    mixed.resize(static_cast<std::size_t>(in.heads * n * dim));
    lse.resize(static_cast<std::size_t>(in.heads * n));
    sums.resize(static_cast<std::size_t>(in.heads * blocks * blocks));
    maxima = sums;
  }
  void run(bool overview) {
    attention_forward(in, {mixed.data(), lse.data(), overview ? sums.data() : nullptr,
                           overview ? maxima.data() : nullptr});
  }
  // Two products of N x N x d a head; half of the pairs when causal.
  double operations() const {
    const double pairs = in.score.causal ? 0.5 * static_cast<double>(in.queries * (in.keys + 1))
                                         : static_cast<double>(in.queries * in.keys);
    return 4.0 * pairs * static_cast<double>(in.heads * in.dim);
  }

  AttentionInput in;
  std::vector<float> values, mixed, sums, maxima;
  std::vector<double> lse;
};

void measure_kernels(Report* report, const std::function<void(std::string_view)>& step) {
  step("matrix products");
  for (const auto [rows, in, out] : std::initializer_list<std::array<std::int64_t, 3>>{
           {1, 384, 1536}, {16, 384, 1536}, {128, 384, 1536}, {512, 384, 1536}, {512, 1536, 384}})
    report->kernels.push_back(measure_matmul(rows, in, out));
  for (const bool causal : {false, true})
    for (const std::int64_t dim : {32, 64, 128})
      for (const std::int64_t n : {512, 2048}) {
        step(fmt::format("attention, d = {}, N = {}", dim, n));
        Attention attention(n, dim, causal);
        report->kernels.push_back(
            measure("attention", fmt::format("d {} N {}{}", dim, n, causal ? " causal" : ""),
                    attention.operations(), [&] { attention.run(true); }));
      }
  step("cost of the record");
  Attention attention(2048, 64, false);
  const auto [with, without] = in_turns([&] { return timed([&] { attention.run(true); }); },
                                        [&] { return timed([&] { attention.run(false); }); });
  report->attention_capture = with / without - 1;

  step("exponentials");
  const std::int64_t rows = 64, width = 4096;
  const auto x = random_floats(rows * width);
  std::vector<float> y(x.size());
  const auto softmax = [&] { kernels::softmax(x.data(), rows, width, y.data(), nullptr); };
  Measurement exponentials = measure("softmax", fmt::format("{} x {}", rows, width), 0, softmax);
  report->kernels.push_back(exponentials);
}

// Operations of the matrix products and of attention over the visible pairs in one pass over n
// tokens of a single stack; 0, not counted, for what has a router or a second stack.
double forward_operations(const ModelSpec& spec, std::int64_t n) {
  if (spec.experts || spec.decoder) return 0;
  const double inner = static_cast<double>(spec.heads * spec.head_dim);
  const double shared = static_cast<double>(spec.kv_heads * spec.head_dim);
  const double mlp = (spec.gated ? 3.0 : 2.0) * static_cast<double>(spec.mlp_width);
  const double products =
      2.0 * static_cast<double>(n * spec.width) * (2 * inner + 2 * shared + mlp);
  double operations = products * static_cast<double>(spec.layers);
  for (const LayerSpec& layer : spec.layer) {
    ScoreSpec score;
    score.causal = spec.causal;
    score.window = layer.window;
    std::int64_t pairs = 0;
    for (std::int64_t q = 0; q < n; ++q) {
      const ScoreSpec::Range seen = score.visible(q, n, n);
      pairs += seen.end - seen.begin;
    }
    operations += 4.0 * static_cast<double>(pairs) * inner;
  }
  return operations;
}

void measure_model(Context& context, const Options& options, Report* report,
                   const std::function<void(std::string_view)>& step) {
  const std::shared_ptr<const Model> model = context.session().open_model(options.model);
  report->model = context.session().resolve(options.model);
  for (const std::int64_t n : {16, 128, 512}) {
    const ModelSpec& spec = model->spec();
    if (spec.max_positions > 0 && n > spec.max_positions) break;
    step(fmt::format("forward pass, {} tokens", n));
    ModelInput input;
    for (std::int64_t i = 0; i < n; ++i) input.ids.push_back((i * 7919 + 1000) % spec.vocabulary);
    const auto recorded = [&] {
      Trace trace;
      Recorder recorder(&trace);
      model->forward(input, &recorder);
    };
    report->forward.push_back(measure("forward, recorded", fmt::format("{} tokens", n),
                                      forward_operations(spec, n), recorded));
    const auto [with, without] = in_turns([&] { return timed(recorded); },
                                          [&] { return timed([&] { model->forward(input); }); });
    report->forward_capture = with / without - 1;
  }
}

std::string as_text(const Report& report) {
  std::string text = fmt::format(
      "{}\ninstruction set {}, {} thread{}\nfused multiply-add peak {:.1f} GFLOP/s, memory {:.1f} "
      "GB/s\n\n{:<18}  {:<18}{:>12}{:>12}{:>10}\n",
      report.processor, instruction_set(), thread_count(), thread_count() == 1 ? "" : "s",
      report.peak * 1e-9, report.memory * 1e-9, "kernel", "shape", "time", "GFLOP/s", "of peak");
  bool disturbed = false;
  const auto row = [&](const Measurement& m) {
    text += fmt::format("{:<18}  {:<18}{:>9.3f} ms", m.kernel, m.shape, m.seconds * 1e3);
    if (m.rate > 0)
      text += fmt::format("{:>12.1f}", m.rate * 1e-9) +
              (m.peak_share > 1 ? " disturbed" : fmt::format("{:>8.0f} %", m.peak_share * 100));
    text += "\n";
    disturbed = disturbed || m.peak_share > 1;
  };
  for (const Measurement& m : report.kernels) row(m);
  text += fmt::format("\nrecord, of attention's time (d 64, N 2048): {:+.1f} %\n",
                      report.attention_capture * 100);
  text += fmt::format("\n{}\n", one_line(report.model));
  for (const Measurement& m : report.forward) row(m);
  text += fmt::format("record, of the longest pass: {:+.1f} %\n", report.forward_capture * 100);
  if (disturbed) text += "disturbed: other programs took the cores; measure again when they rest\n";
  return text;
}

std::string as_json(const Report& report) {
  const auto rows = [](const std::vector<Measurement>& measurements) {
    std::string json = "[";
    for (const Measurement& m : measurements) {
      json += fmt::format("{}\n  {{\"kernel\": {}, \"shape\": {}, \"seconds\": {:.9f}",
                          json.size() == 1 ? "" : ",", json_quoted(m.kernel), json_quoted(m.shape),
                          m.seconds);
      if (m.rate > 0)
        json += fmt::format(", \"gflops\": {:.3f}, \"peak_share\": {}", m.rate * 1e-9,
                            m.peak_share > 1 ? "null" : fmt::format("{:.4f}", m.peak_share));
      json += "}";
    }
    return json + "]";
  };
  return fmt::format(
      "{{\"format\": {}, \"processor\": {}, \"instruction_set\": {}, \"threads\": {}, "
      "\"peak_gflops\": {:.3f}, \"memory_gigabytes_per_second\": {:.3f},\n\"kernels\": {},\n"
      "\"capture\": {{\"attention\": {:.4f}, \"forward\": {}}},\n\"model\": {}, \"forward\": "
      "{}}}\n",
      kJsonFormat, json_quoted(report.processor), json_quoted(instruction_set()), thread_count(),
      report.peak * 1e-9, report.memory * 1e-9, rows(report.kernels), report.attention_capture,
      report.forward.empty() ? "null" : fmt::format("{:.4f}", report.forward_capture),
      json_quoted(report.model), rows(report.forward));
}

void bench(Context& context, const Options& options) {
  context.session();  // threads and instruction set as the settings say
  const auto step = [](std::string_view what) { say(fmt::format("measuring: {}", what)); };
  Report report;
  report.processor = processor_name();
  step("peak and memory");
  peak_once();
  std::vector<double> peaks;
  for (int round = 0; round < 4 * kFewestRounds; ++round) peaks.push_back(peak_once());
  report.peak = median(peaks);
  report.memory = memory_rate();
  measure_kernels(&report, step);
  measure_model(context, options, &report, step);
  write_output(options.output, options.json ? Format::kJson : Format::kText,
               [&](const Sink& sink) { sink(options.json ? as_json(report) : as_text(report)); });
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  CLI::App* verb =
      add_verb(app, context, "bench",
               "How fast this machine is, and what share of it the kernels reach", "regard bench");
  auto options = std::make_shared<Options>();
  verb->add_option(
      "--model", options->model,
      "Model folder, or a name from `regard models list`; the default one unless given");
  verb->add_flag("--json", options->json, "JSON instead of a table");
  verb->add_option("-o,--output", options->output, "File to write");
  verb->callback(
      [&context, options] { context.run = [&context, options] { bench(context, *options); }; });
}

}  // namespace regard::cli
