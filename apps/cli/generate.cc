// SPDX-License-Identifier: Apache-2.0
// regard generate: a text that the model continues, or translates.
#include <fmt/format.h>

#include "apps/cli/command.h"

namespace regard::cli {
namespace {

struct Options {
  InputOptions input;
  GenerationOptions generation;
  bool ids = false;
};

void generate(Context& context, const Options& options) {
  RunRequest request = run_request(options.input);
  request.generation = options.generation;
  const ProgressLine line;
  const Generated made = context.session().generate_text(request, line.progress());
  line.clear();
  context.timing.mark("generate");
  const std::string text =
      options.ids || made.text.empty() ? fmt::format("{}", fmt::join(made.ids, ",")) : made.text;
  write_output("", Format::kText, [&](const Sink& sink) { sink(text + "\n"); });
}

}  // namespace

void add_generate(CLI::App& app, Context& context) {
  CLI::App* verb = add_verb(app, context, "generate", "Let a model continue or translate a text",
                            "regard generate \"Once upon a time\" --model smollm2 --tokens 20");
  auto options = std::make_shared<Options>();
  add_input(verb, &options->input);
  add_generation(verb, "--tokens", &options->generation);
  verb->add_flag("--show-ids", options->ids, "Print the new tokens' ids instead of the text");
  verb->callback(
      [&context, options] { context.run = [&context, options] { generate(context, *options); }; });
}

}  // namespace regard::cli
