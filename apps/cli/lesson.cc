// SPDX-License-Identifier: Apache-2.0
// regard lesson: the lesson on self-attention as one file that opens from disk.
#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/session/builtin_model.h"
#include "regard/session/page.h"

namespace regard::cli {
namespace {

struct Options {
  std::string output, model;
  std::optional<std::string> text;
};

void lesson(Context& context, const Options& options) {
  Session& session = context.session();
  const std::vector<RunRequest> requests =
      lesson_runs(options.model, options.text ? read_argument(*options.text) : "");
  std::vector<Trace> traces;
  for (const RunRequest& request : requests) traces.push_back(session.run(request));
  std::vector<PageRun> runs;
  for (std::size_t i = 0; i < traces.size(); ++i)
    runs.push_back({.trace = &traces[i], .untrained = requests[i].untrained});
  // What the program keeps of its own model's training.
  std::vector<KeptRun> kept;
  if (session.resolve(options.model) == kBuiltinModel)
    for (const RunRequest& request : requests)
      if (!request.untrained)
        for (KeptRun& one : kept_runs(request.text)) kept.push_back(std::move(one));
  for (const KeptRun& one : kept)
    runs.push_back({.trace = &one.trace, .checkpoint = one.checkpoint});
  std::size_t bytes = 0;
  write_output(options.output, Format::kHtml, [&](const Sink& sink) {
    write_page(session, runs, {.lesson = true}, [&](std::string_view part) {
      bytes += part.size();
      sink(part);
    });
  });
  say(fmt::format("{}: written, {:.1f} megabytes, {} runs of {}", options.output,
                  1e-6 * static_cast<double>(bytes), runs.size(), traces.front().model));
}

}  // namespace

void add_lesson(CLI::App& app, Context& context) {
  CLI::App* verb = add_verb(app, context, "lesson", "The lesson on self-attention, as one file",
                            "regard lesson -o /tmp/lesson.html");
  auto options = std::make_shared<Options>();
  verb->add_option("TEXT", options->text,
                   "A sentence to begin with, - for standard input, @name for a file");
  verb->add_option("-o,--output", options->output, "The file to write, .html")->required();
  verb->add_option("--model", options->model, "Model folder, or a name from `regard models list`");
  verb->callback(
      [&context, options] { context.run = [&context, options] { lesson(context, *options); }; });
}

}  // namespace regard::cli
