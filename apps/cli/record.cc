// SPDX-License-Identifier: Apache-2.0
// regard record: a run's queries, keys and log-sum-exps into a trace file.
#include <fmt/format.h>

#include "apps/cli/command.h"

namespace regard::cli {
namespace {

struct Options {
  InputOptions input;
  std::string output, layers, heads;
  GenerationOptions generation{.tokens = 0};
  bool half = false;
};

void record(Context& context, const Options& options) {
  RunRequest request = run_request(options.input);
  request.generation = options.generation;
  request.half = options.half;
  if (!options.layers.empty()) request.layers = read_layer_list(options.layers);
  if (!options.heads.empty()) request.heads = read_head_list(options.heads);
  Session& session = context.session();
  const ProgressLine line;
  const std::uint64_t bytes = session.record(
      request, options.output,
      [&](const RecordPlan& plan) {
        const std::string keys =
            plan.keys == plan.tokens ? "" : fmt::format(" that attend to {}", plan.keys);
        say(fmt::format("{}: {} tokens{}, {} heads of {} layers, about {} bytes", options.output,
                        plan.tokens, keys, plan.heads, plan.layers, plan.bytes));
        for (const std::string& note : plan.notes) say(note);
      },
      line.progress());
  line.clear();
  say(fmt::format("{}: written, {} bytes", options.output, bytes));
  context.timing.mark("tokenise, forward, write");
}

}  // namespace

void add_record(CLI::App& app, Context& context) {
  CLI::App* verb =
      add_verb(app, context, "record", "Keep a run in a file, from which any weight can be had",
               "regard record \"The animal didn't cross the street.\" -o /tmp/t.safetensors");
  auto options = std::make_shared<Options>();
  add_input(verb, &options->input);
  verb->add_option("-o,--output", options->output, "The trace file, .safetensors")->required();
  verb->add_option("--layers", options->layers, "Only these layers: 0-3,7");
  verb->add_option("--heads", options->heads, "Only these heads: L3H1,L5H11");
  verb->add_flag("--half", options->half,
                 "Queries, keys and values rounded to fp16 before attention: half the file");
  add_generation(verb, "--generate", &options->generation);
  verb->callback(
      [&context, options] { context.run = [&context, options] { record(context, *options); }; });
}

}  // namespace regard::cli
