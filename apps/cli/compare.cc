// SPDX-License-Identifier: Apache-2.0
// regard compare: two heads, models or texts against each other.
#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/analysis/compare.h"
#include "regard/platform/error.h"
#include "regard/render/comparison.h"

namespace regard::cli {
namespace {

struct Options {
  InputOptions input;
  std::string output, format, head, level, scale = "linear", other_model, other_head;
  std::optional<std::string> other_text, other_pair;
  std::optional<int> layer;
  bool no_special = false, dark = false;
};

Error usage(const std::string& message) { return Error(message, Error::Kind::kUsage); }

ViewRequest one_head(const std::string& head, const std::optional<int>& layer,
                     const Options& options) {
  ViewRequest request;
  choose_heads(layer, head, &request);
  if (request.heads.size() > 1) throw usage("--head: expected one head to compare, found a list");
  if (!options.level.empty()) request.level = level_named(options.level);
  request.specials = !options.no_special;
  request.links = 0;
  return request;
}

void compare_two(Context& context, const Options& options) {
  const Format format = output_format(
      options.format, options.output,
      {Format::kText, Format::kPng, Format::kSvg, Format::kPdf, Format::kJson, Format::kCsv});
  const Scale scale = scale_named(options.scale);
  if (scale == Scale::kRank)
    throw usage("--scale: two maps are compared on linear or log, not by rank");
  const bool other_words = options.other_text || options.other_pair;
  if (options.other_model.empty() && !other_words && options.other_head.empty())
    throw usage(
        "compare: expected --with-model, --with-text, --with-pair or --with-head, found none");
  const ViewRequest request = one_head(options.head, options.layer, options);
  RunRequest first = run_request(options.input);
  if (other_words && first.use_ids)
    throw usage("--with-text, --with-pair: go with TEXT, not with --ids");
  RunRequest second = first;
  if (!options.other_model.empty()) second.model = options.other_model;
  if (options.other_text) second.text = read_argument(*options.other_text);
  if (options.other_pair) second.pair = read_argument(*options.other_pair);

  Session& session = context.session();
  const bool same_run = options.other_model.empty() && !other_words;
  const Trace trace = run(context, first);
  const Trace other = same_run ? Trace() : run(context, second);
  const View view = session.view(trace, request);
  // The same head of the same model, unless another is named; of another model its own choice.
  ViewRequest wanted = one_head(options.other_head, std::nullopt, options);
  const HeadMap& shown = view.heads.front();
  if (options.other_head.empty() && options.other_model.empty()) {
    wanted.mean = request.mean;
    if (shown.id) wanted.heads = {*shown.id};
    if (request.mean) wanted.layer = request.layer;
  }
  const View against = session.view(same_run ? trace : other, wanted);
  const Comparison comparison = compare(view, against);
  context.timing.mark("compare");
  TerminalStyle terminal = terminal_style(context, options.output);
  terminal.scale = scale;
  PictureStyle picture;
  picture.scale = scale;
  picture.dark = options.dark;
  picture.source_date = context.settings.source_date;
  write_output(options.output, format, [&](const Sink& sink) {
    switch (format) {
      case Format::kPng:
        return sink(draw(comparison, PictureFormat::kPng, picture));
      case Format::kSvg:
        return sink(draw(comparison, PictureFormat::kSvg, picture));
      case Format::kPdf:
        return sink(draw(comparison, PictureFormat::kPdf, picture));
      case Format::kJson:
        return write_json(comparison, sink);
      case Format::kCsv:
        return write_csv(comparison, sink);
      default:
        return sink(terminal_comparison(comparison, terminal));
    }
  });
  context.timing.mark("write");
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  CLI::App* verb = add_verb(
      app, context, "compare", "Two heads, models or texts against each other, word by word",
      "regard compare \"The animal didn't cross the street because it was too tired.\" --with-text "
      "\"The animal didn't cross the street because it was too wide.\" --head L2H3");
  auto options = std::make_shared<Options>();
  add_input(verb, &options->input);
  verb->add_option("--layer", options->layer, "Only this layer, from 0");
  verb->add_option("--head", options->head, "L3H1, a number from 0, or mean");
  verb->add_option("--with-model", options->other_model, "Against this model");
  verb->add_option("--with-text", options->other_text, "Against this text");
  verb->add_option("--with-pair", options->other_pair,
                   "Against this second text of a pair; the first is --with-text's, or TEXT");
  verb->add_option("--with-head", options->other_head, "Against this head: L3H1 or mean");
  verb->add_option("--level", options->level, "token, word (the default) or sentence");
  verb->add_option("--scale", options->scale, "Colours: linear or log");
  verb->add_flag("--no-special", options->no_special, "Leave out special tokens");
  verb->add_flag("--dark", options->dark, "A dark page for pictures");
  verb->add_option("-o,--output", options->output, "File to write: .png .svg .pdf .json .csv .txt");
  verb->add_option("--format", options->format, "text, png, svg, pdf, json or csv");
  verb->callback([&context, options] {
    context.run = [&context, options] { compare_two(context, *options); };
  });
}

}  // namespace regard::cli
