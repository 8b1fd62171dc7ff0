// SPDX-License-Identifier: Apache-2.0
// regard tokenize: the tokens of a text with their ids and the bytes they came from.
#include <algorithm>

#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/utf8.h"

namespace regard::cli {
namespace {

struct Options {
  InputOptions input;
  std::string output, format;
};

std::string own_text(const Trace& trace, const Token& token) {
  const std::string* text = token.sequence == 0                 ? &trace.text
                            : token.sequence == 1 && trace.pair ? &*trace.pair
                                                                : nullptr;
  if (text == nullptr || token.span.end > text->size()) return {};
  return text->substr(token.span.start, token.span.end - token.span.start);
}

std::string as_table(const Trace& trace) {
  std::size_t width = 5;
  for (const Token& token : trace.tokens) width = std::max(width, display_width(token.text));
  const auto padded = [&](const std::string& text) {
    const std::size_t used = display_width(text);
    return text + std::string(width - std::min(width, used), ' ');
  };
  std::string table = fmt::format("{:>6}  {:>8}  {}  {:>6}  {:>6}  {}\n", "index", "id",
                                  padded("token"), "start", "end", "text");
  for (std::size_t i = 0; i < trace.tokens.size(); ++i) {
    const Token& token = trace.tokens[i];
    const std::string text = printable(own_text(trace, token));
    table += fmt::format("{:>6}  {:>8}  {}  {:>6}  {:>6}{}{}\n", i, token.id,
                         padded(printable(token.text)), token.span.start, token.span.end,
                         text.empty() ? "" : "  ", text);
  }
  for (const std::string& note : trace.notes) table += note + "\n";
  return table;
}

std::string as_json(const Trace& trace) {
  std::string json = fmt::format("{{\"format\": {}, \"model\": {}, \"text\": {}", kJsonFormat,
                                 json_quoted(trace.model), json_quoted(trace.text));
  if (trace.pair) json += ", \"pair\": " + json_quoted(*trace.pair);
  json += ", \"tokens\": [";
  for (std::size_t i = 0; i < trace.tokens.size(); ++i) {
    const Token& token = trace.tokens[i];
    json += fmt::format(
        "{}\n  {{\"id\": {}, \"text\": {}, \"start\": {}, \"end\": {}, \"sequence\": {}, \"type\": "
        "{}, \"special\": {}}}",
        i == 0 ? "" : ",", token.id, json_quoted(token.text), token.span.start, token.span.end,
        token.sequence, token.type, token.special);
  }
  json += "\n], \"notes\": [";
  for (std::size_t i = 0; i < trace.notes.size(); ++i)
    json += (i == 0 ? "" : ", ") + json_quoted(trace.notes[i]);
  return json + "]}\n";
}

void tokenize(Context& context, const Options& options) {
  const Format format =
      output_format(options.format, options.output, {Format::kText, Format::kJson});
  const RunRequest request = run_request(options.input);
  context.session().open_tokenizer(request.model);
  context.timing.mark("open the tokenizer");
  const Trace trace = context.session().encode(request);
  context.timing.mark("tokenise");
  write_output(options.output, format, [&](const Sink& sink) {
    sink(format == Format::kJson ? as_json(trace) : as_table(trace));
  });
  context.timing.mark("write");
}

}  // namespace

void add_tokenize(CLI::App& app, Context& context) {
  CLI::App* verb = add_verb(app, context, "tokenize", "The tokens of a text, with ids and bytes",
                            "regard tokenize \"The animal didn't cross the street.\"");
  auto options = std::make_shared<Options>();
  verb->add_option("TEXT", options->input.text, "The text, - for standard input, @name for a file");
  verb->add_option("--model", options->input.model,
                   "Model folder, or a name from `regard models list`");
  verb->add_option("--pair", options->input.pair, "Second text of a sentence pair");
  verb->add_option("--ids", options->input.ids, "Token ids instead of a text");
  verb->add_option("-o,--output", options->output, "File to write: .txt .json");
  verb->add_option("--format", options->format, "text or json");
  verb->callback(
      [&context, options] { context.run = [&context, options] { tokenize(context, *options); }; });
}

}  // namespace regard::cli
