// SPDX-License-Identifier: Apache-2.0
// regard heads: every head in a few numbers.
#include "apps/cli/command.h"
#include "regard/analysis/head_measures.h"
#include "regard/platform/error.h"
#include "regard/render/measures.h"

namespace regard::cli {
namespace {

struct Options {
  InputOptions input;
  std::string output, format, head, sort, trace;
  std::optional<int> layer;
};

void measure(Context& context, const Options& options) {
  const Format format =
      output_format(options.format, options.output, {Format::kText, Format::kJson, Format::kCsv});
  std::vector<HeadMeasures> none;
  if (!options.sort.empty()) sort_heads(options.sort, &none);  // a wrong name fails before the run
  ViewRequest request;
  choose_heads(options.layer, options.head, &request);
  if (request.mean)
    throw Error("--head: expected heads to measure, found mean", Error::Kind::kUsage);
  Session& session = context.session();
  const Trace trace = open_input(context, options.input, options.trace);
  const ProgressLine line;
  std::vector<HeadMeasures> heads =
      measure_heads(trace, session.select_heads(trace, request), line.progress());
  line.clear();
  if (!options.sort.empty()) sort_heads(options.sort, &heads);
  context.timing.mark("measure");
  write_output(options.output, format, [&](const Sink& sink) {
    if (format == Format::kJson) return write_json(trace, heads, sink);
    if (format == Format::kCsv) return write_csv(trace, heads, sink);
    sink(terminal_measures(trace, heads, terminal_style(context, options.output)));
  });
  context.timing.mark("write");
}

}  // namespace

void add_heads(CLI::App& app, Context& context) {
  CLI::App* verb = add_verb(
      app, context, "heads", "Every head in a few numbers: entropy, distance, where weight goes",
      "regard heads \"The animal didn't cross the street because it was too tired.\" --sort link");
  auto options = std::make_shared<Options>();
  add_input(verb, &options->input);
  verb->add_option("--layer", options->layer, "Only this layer, from 0");
  verb->add_option("--head", options->head, "L3H1, a number from 0, or a list of either");
  verb->add_option(
      "--sort", options->sort,
      "Largest first: entropy, distance, previous, next, same, first, special or link");
  verb->add_option("--trace", options->trace, "A trace instead of a text, from `regard record`");
  verb->add_option("-o,--output", options->output, "File to write: .txt .json .csv");
  verb->add_option("--format", options->format, "text, json or csv");
  verb->callback(
      [&context, options] { context.run = [&context, options] { measure(context, *options); }; });
}

}  // namespace regard::cli
