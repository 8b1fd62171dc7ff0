// SPDX-License-Identifier: Apache-2.0
// regard explain: one word's attention in one head, with the real numbers.
#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/platform/error.h"

namespace regard::cli {
namespace {

struct Options {
  InputOptions input;
  std::string output, format, head, level, word, trace;
  std::optional<int> layer;
};

void explain_word(Context& context, const Options& options) {
  const Format format =
      output_format(options.format, options.output, {Format::kText, Format::kJson});
  ViewRequest request;
  choose_heads(options.layer, options.head, &request);
  if (request.mean || request.heads.size() > 1)
    throw Error("--head: expected one head to explain", Error::Kind::kUsage);
  if (!options.level.empty()) request.level = level_named(options.level);
  if (request.level == Level::kSentence)
    throw Error("--level: expected word or token, found sentence", Error::Kind::kUsage);
  request.word = options.word;
  request.one_head = true;

  Session& session = context.session();
  Trace trace = open_input(context, options.input, options.trace);
  const View view = session.view(trace, request);
  const HeadMap& shown = view.heads.front();
  const Unit& unit = view.units[static_cast<std::size_t>(view.row.value())];
  const std::int64_t token = unit.tokens.front();
  trace.notes.push_back(fmt::format("{}: {}", to_string(*shown.id), shown.why));
  if (unit.tokens.size() > 1)
    trace.notes.push_back(fmt::format(
        "\"{}\" is {} tokens; this is the first, \"{}\"; --level token --word names another",
        unit.text, unit.tokens.size(), trace.tokens[static_cast<std::size_t>(token)].text));
  const Explanation explanation = explain(trace, *shown.id, token);
  context.timing.mark("explain");
  write_output(options.output, format, [&](const Sink& sink) {
    if (format == Format::kJson) return write_json(trace, explanation, sink);
    sink(terminal_explanation(trace, explanation, terminal_style(context, options.output)));
  });
  context.timing.mark("write");
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  CLI::App* verb = add_verb(
      app, context, "explain", "One word's attention step by step: q, each k, q.k, softmax, output",
      "regard explain \"The animal didn't cross the street because it was too tired.\" --word it");
  auto options = std::make_shared<Options>();
  add_input(verb, &options->input);
  verb->add_option("--word", options->word, "The word that attends; it#2 for its second place")
      ->required();
  verb->add_option("--layer", options->layer, "Layer, from 0");
  verb->add_option("--head", options->head, "L3H1, or a number with --layer");
  verb->add_option("--level", options->level, "What --word names: word (the default) or token");
  verb->add_option("--trace", options->trace, "A trace instead of a text, from `regard record`");
  verb->add_option("-o,--output", options->output, "File to write: .txt .json");
  verb->add_option("--format", options->format, "text or json");
  verb->callback([&context, options] {
    context.run = [&context, options] { explain_word(context, *options); };
  });
}

}  // namespace regard::cli
