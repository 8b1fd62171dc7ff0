// SPDX-License-Identifier: Apache-2.0
// regard show: attention as a grid, a picture or data.
#include <unistd.h>

#include <fmt/format.h>

#include "apps/cli/command.h"
#include "apps/cli/show_run.h"
#include "regard/analysis/long_text.h"
#include "regard/platform/error.h"
#include "regard/render/links_picture.h"
#include "regard/render/picture.h"
#include "regard/session/page.h"

namespace regard::cli {
namespace {

struct Options {
  InputOptions input;
  std::string output, format, head, level, scale = "linear", darkest = "map", part = "all",
                                           attention, words, trace, run, drawn = "grid";
  std::optional<std::string> word;
  std::optional<int> layer;
  std::optional<double> keep_mass;
  std::int64_t links = 12;
  bool all_heads = false, no_special = false, no_sinks = false, dark = false, half = false;
};

Error usage(const std::string& message) { return Error(message, Error::Kind::kUsage); }

ViewRequest view_request(const Options& options) {
  ViewRequest request;
  choose_heads(options.layer, options.head, &request);
  if (options.all_heads && (request.mean || !request.heads.empty()))
    throw usage("--all-heads: does not go with a list of heads or mean");
  request.all_heads = options.all_heads;
  if (!options.level.empty()) request.level = level_named(options.level);
  request.word = options.word;
  request.specials = !options.no_special;
  request.sinks = !options.no_sinks;
  request.part = part_named(options.part);
  constexpr std::int64_t kMostLinks = 1000000;
  if (options.links < 0 || options.links > kMostLinks)
    throw usage(fmt::format("--links: expected 0 to {}, found {}", kMostLinks, options.links));
  request.links = static_cast<std::size_t>(options.links);
  if (options.keep_mass) {
    if (!(*options.keep_mass > 0 && *options.keep_mass <= 1))
      throw usage(fmt::format("--keep-mass: expected a share above 0 and at most 1, found {}",
                              *options.keep_mass));
    request.keep_mass = options.keep_mass;
  }
  return request;
}

Trace open(Context& context, const Options& options, const ViewRequest& view, Format format) {
  const int given = (options.input.text || options.input.ids ? 1 : 0) +
                    (options.attention.empty() ? 0 : 1) + (options.trace.empty() ? 0 : 1);
  if (given > 1) throw usage("TEXT or --ids, --attention, --trace: expected one of them");
  const bool ready = !options.attention.empty() || !options.trace.empty();
  if (ready && options.half) throw usage("--half: goes with TEXT, not with --attention or --trace");
  if (ready && (!options.input.model.empty() || options.input.pair || options.input.truncate))
    throw usage("--model, --pair, --truncate: go with TEXT, not with --attention or --trace");
  if (!options.words.empty() && options.attention.empty())
    throw usage("--words: are the labels of --attention, found no --attention");
  if (!options.attention.empty() && view.level == Level::kSentence)
    throw usage("--level: ready weights have no sentences, only their labels");
  if (!options.trace.empty()) return context.session().open_trace(options.trace);
  if (!options.attention.empty()) {
    if (options.words.empty())
      throw usage("--attention: expected --words too, a file with one label a line");
    return context.session().from_matrices(options.attention, options.words);
  }
  RunRequest request = run_request(options.input);
  request.half = options.half;
  // A dense export lists no links of other heads, so only its own layers are recorded.
  if (format == Format::kNpy) {
    for (const HeadId id : view.heads) request.layers.push_back(id.layer);
    if (view.layer) request.layers.push_back(*view.layer);
  }
  return run(context, request);
}

// float32 [layer, head, query, key], raw weights of tokens.
void write_dense(Context& context, const Options& options, const Trace& trace,
                 const ViewRequest& request) {
  if (request.level != Level::kToken && !options.level.empty())
    say("regard: npy is at token level: --level is not applied");
  if (!request.specials || !request.sinks || request.part != Part::kAll || request.keep_mass ||
      request.word)
    throw usage(
        "npy: holds the raw weights of all tokens, so --no-special, --no-sinks, --part, "
        "--keep-mass "
        "and --word do not apply; use json or csv");
  const std::vector<HeadId> heads = context.session().select_heads(trace, request);
  const std::size_t count = request.mean ? 1 : heads.size();
  const std::size_t tokens = trace.tokens.size(), keys = trace.columns().tokens.size();
  say(fmt::format("npy: {} map{} of {} x {} tokens, {} bytes", count, count == 1 ? "" : "s", tokens,
                  keys, 4.0 * static_cast<double>(count * tokens) * static_cast<double>(keys)));
  write_output(options.output, Format::kNpy, [&](const Sink& sink) {
    if (!request.mean) return write_npy(trace, heads, sink);
    const std::vector<Unit> rows_units = units_of(trace, Level::kToken),
                            columns = units_of(trace.columns(), Level::kToken);
    const Kept every{std::vector<bool>(tokens, true), std::vector<bool>(keys, true)};
    const HeadMap mean = streamed_map(trace, heads, {rows_units, columns}, every, std::nullopt);
    const Shape shape = {1, 1, mean.rows, mean.columns};
    sink(npy_header(shape));
    constexpr std::int64_t kRows = 64;
    std::vector<float> rows(static_cast<std::size_t>(std::min(kRows, mean.rows) * mean.columns));
    for (std::int64_t row = 0; row < mean.rows; row += kRows) {
      const std::int64_t end = std::min(mean.rows, row + kRows);
      mean.read(row, end, rows.data());
      sink({reinterpret_cast<const char*>(rows.data()),
            static_cast<std::size_t>((end - row) * mean.columns) * sizeof(float)});
    }
  });
}

// Every head is in a page, so options that choose do not apply.
void check_page(const ViewRequest& request) {
  if (!request.heads.empty() || request.layer || request.head || request.mean ||
      request.keep_mass || request.word || !request.specials || !request.sinks ||
      request.part != Part::kAll)
    throw usage(
        "html: the page holds every head and chooses by itself, so --layer, --head, --word, "
        "--keep-mass, --no-special, --no-sinks and --part do not apply");
}

// The page with the trace inside.
void write_html(Context& context, const Options& options, const Trace& trace,
                const ViewRequest& request) {
  check_page(request);
  for (const std::string& note : trace.notes) say(note);
  say(fmt::format("html: about {:.1f} megabytes",
                  1e-6 * (4.0 / 3 * static_cast<double>(trace_file_size(trace)) + 4e5)));
  write_output(options.output, Format::kHtml, [&](const Sink& sink) {
    write_page(context.session(), {{.trace = &trace}}, {}, sink);
  });
}

// What a large export is going to be.
void say_size(const View& view, Format format) {
  double weights = 0;
  for (const HeadMap& map : view.heads)
    if (map.read && (weights == 0 || format == Format::kJson))
      weights += static_cast<double>(map.rows) * static_cast<double>(map.columns);
  if (weights > 0)
    say(fmt::format("{}: {:.0f} weights, about {:.0f} megabytes",
                    format == Format::kJson ? "json" : "csv", weights, weights * 1.2e-5));
}

std::optional<PictureFormat> picture_format(Format format) {
  if (format == Format::kPng) return PictureFormat::kPng;
  if (format == Format::kSvg) return PictureFormat::kSvg;
  if (format == Format::kPdf) return PictureFormat::kPdf;
  return std::nullopt;
}

PictureStyle picture_style(const Context& context, const Options& options) {
  PictureStyle picture;
  picture.scale = scale_named(options.scale);
  picture.top = top_named(options.darkest);
  picture.dark = options.dark;
  picture.source_date = context.settings.source_date;
  return picture;
}

void write_view(Context& context, const Options& options, const View& view, Format format) {
  const std::optional<std::int64_t> row = view.row;
  TerminalStyle terminal = terminal_style(context, options.output);
  terminal.scale = scale_named(options.scale);
  terminal.top = top_named(options.darkest);
  PictureStyle picture = picture_style(context, options);
  if (row) {
    picture.kind = PictureKind::kRow;
    picture.row = *row;
  } else if (options.all_heads) {
    picture.kind = PictureKind::kAllHeads;
  }
  const auto drawn = [&](PictureFormat as) {
    return options.drawn == "links" ? draw_links(view, as, picture) : draw(view, as, picture);
  };
  write_output(options.output, format, [&](const Sink& sink) {
    if (const auto as = picture_format(format)) return sink(drawn(*as));
    if (format == Format::kJson) return write_json(view, sink);
    if (format == Format::kCsv)
      return write_csv(view, sink, options.output.empty() && isatty(STDOUT_FILENO) != 0);
    if (row) return sink(terminal_row(view, *row, terminal));
    sink(options.all_heads ? terminal_heads(view, terminal) : terminal_grid(view, terminal));
  });
}

void show(Context& context, const Options& options) {
  const Format format = output_format(options.format, options.output,
                                      {Format::kText, Format::kPng, Format::kSvg, Format::kPdf,
                                       Format::kJson, Format::kCsv, Format::kNpy, Format::kHtml});
  scale_named(options.scale);
  top_named(options.darkest);
  if (options.drawn == "links" && format != Format::kPng && format != Format::kSvg &&
      format != Format::kPdf)
    throw usage("--view links: is a picture, expected the formats png, svg or pdf");
  ViewRequest request = view_request(options);
  if (!options.run.empty()) {
    if (!options.attention.empty() || !options.trace.empty() || !options.input.model.empty())
      throw usage("--run: goes with TEXT, not with --model, --attention or --trace");
    if (format == Format::kCsv || format == Format::kNpy)
      throw usage("--run: expected the formats text, json, png, svg, pdf or html");
    if (format == Format::kHtml) check_page(request);
    const std::optional<PictureFormat> picture = picture_format(format);
    if (options.drawn == "links")
      throw usage("--view links: with --run the checkpoints are drawn as grids, expected grid");
    if (picture && (options.all_heads || options.word))
      throw usage(
          "--run: a picture shows one head's map at each checkpoint, so --all-heads and "
          "--word do not apply");
    RunRequest text = run_request(options.input);
    text.half = options.half;
    const RunShow wanted{options.run,
                         std::move(text),
                         request,
                         options.output,
                         format,
                         scale_named(options.scale),
                         top_named(options.darkest),
                         options.all_heads};
    if (format == Format::kHtml) return write_run_page(context, wanted);
    if (picture) return draw_run(context, wanted, *picture, picture_style(context, options));
    return show_run(context, wanted);
  }
  request.stream = format == Format::kJson || format == Format::kCsv;
  // Other formats list no links, and seeking them computes every map.
  if (format != Format::kText && format != Format::kJson) request.links = 0;
  const Trace trace = open(context, options, request, format);
  if (format == Format::kHtml) {
    write_html(context, options, trace, request);
  } else if (format == Format::kNpy) {
    write_dense(context, options, trace, request);
  } else {
    const View view = context.session().view(trace, request);
    // Says what there is when --no-special left the unit out.
    if (options.word && !view.row) context.session().find_unit(view.units, *options.word);
    context.timing.mark("view");
    say_size(view, format);
    write_view(context, options, view, format);
  }
  context.timing.mark("write");
}

}  // namespace

void add_show(CLI::App& app, Context& context) {
  CLI::App* verb = add_verb(
      app, context, "show", "What every word attends to: a grid, a picture or data",
      "regard show \"The animal didn't cross the street because it was too tired.\" --word "
      "it");
  auto options = std::make_shared<Options>();
  add_input(verb, &options->input);
  verb->add_option("-o,--output", options->output,
                   "File to write: .png .svg .pdf .html .json .csv .npy .txt");
  verb->add_option("--format", options->format, "text, png, svg, pdf, html, json, csv or npy");
  verb->add_option("--layer", options->layer, "Only this layer, from 0");
  verb->add_option("--head", options->head, "L3H1, a number from 0, a list of either, or mean");
  verb->add_option("--view", options->drawn,
                   "Picture: the grid, or links: words in two columns, a line a weight, a colour "
                   "a head")
      ->check(CLI::IsMember({"grid", "links"}))
      ->capture_default_str();
  verb->add_flag("--all-heads", options->all_heads, "Every head");
  verb->add_option("--level", options->level, "token, word (the default) or sentence");
  verb->add_option("--word", options->word,
                   "One word's attention as bars; it#2 for its second place, @7 for number 7");
  verb->add_option("--scale", options->scale, "Colours: linear, log, or rank in the row");
  verb->add_option("--darkest", options->darkest,
                   "The darkest cell: the largest weight of the map, or of each row")
      ->check(CLI::IsMember({"map", "row"}))
      ->capture_default_str();
  verb->add_flag("--no-special", options->no_special, "Leave out special tokens");
  verb->add_flag("--no-sinks", options->no_sinks,
                 "Without the columns of special tokens and of a first word, rows divided by what "
                 "is left");
  verb->add_option("--part", options->part, "Of a pair: all, within a text, or across the two")
      ->check(CLI::IsMember({"all", "within", "across"}))
      ->capture_default_str();
  verb->add_flag("--half", options->half,
                 "Queries, keys and values rounded to fp16 before attention: a page of half the "
                 "size");
  verb->add_option("--keep-mass", options->keep_mass,
                   "In each row only the largest weights that make this share");
  verb->add_option("--links", options->links, "How many of the strongest links to list");
  verb->add_flag("--dark", options->dark, "A dark page for pictures");
  verb->add_option("--attention", options->attention,
                   "Ready weights instead of a text: a .npy of [.., head, query, key]");
  verb->add_option("--words", options->words, "Labels of --attention, one a line");
  verb->add_option("--trace", options->trace, "A trace instead of a text, from `regard record`");
  verb->add_option("--run", options->run,
                   "A run of `regard train`: the text at every checkpoint, with loss and measures");
  verb->callback(
      [&context, options] { context.run = [&context, options] { show(context, *options); }; });
}

}  // namespace regard::cli
