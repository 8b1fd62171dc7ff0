// SPDX-License-Identifier: Apache-2.0
// regard models list | info | pull: which models are here, what one is made of, fetching one.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/utf8.h"
#include "regard/render/labels.h"
#include "regard/session/hub_pull.h"

namespace regard::cli {
namespace {

struct Options {
  std::string model, output, format;
};

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
}

// "6", or "6+6" of an encoder and a decoder.
std::string both(std::int64_t one, std::int64_t decoder) {
  return decoder == 0 ? fmt::to_string(one) : fmt::format("{}+{}", one, decoder);
}

std::string list_as_text(const Context& context, const std::vector<ModelEntry>& entries) {
  const std::string own = context.settings.cache_folder.empty()
                              ? "no cache folder of its own (set REGARD_CACHE or HOME)"
                              : context.settings.cache_folder + "/models";
  const std::string& hub = context.settings.hub.cache_folder;
  const std::string where = hub.empty() ? own : own + " and " + hub;
  std::size_t width = 4, architecture = 12;
  for (const ModelEntry& entry : entries) {
    width = std::max(width, display_width(one_line(entry.name)));
    architecture = std::max(architecture, display_width(one_line(entry.architecture)));
  }
  std::string text = fmt::format("{:<{}}  {:<{}}  {:>6}  {:>5}  {:>12}\n", "name", width,
                                 "architecture", architecture, "layers", "heads", "size");
  for (const ModelEntry& entry : entries) {
    const std::string name = pad_to(one_line(entry.name), width);
    if (!entry.opens) {
      text += fmt::format("{}  cannot be opened: {}\n", name, one_line(entry.note));
      continue;
    }
    text += fmt::format("{}  {}  {:>6}  {:>5}  {:>12}{}\n", name,
                        pad_to(one_line(entry.architecture), architecture),
                        both(entry.layers, entry.decoder_layers),
                        both(entry.heads, entry.decoder_heads), megabytes(entry.bytes),
                        entry.note.empty() ? "" : "  " + one_line(entry.note));
  }
  return text + "lesson is in the program, others in " + one_line(where) +
         "; `regard models pull ID` fetches one\n";
}

std::string list_as_json(const std::vector<ModelEntry>& entries) {
  std::string json = fmt::format("{{\"format\": {}, \"models\": [", kJsonFormat);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const ModelEntry& entry = entries[i];
    json += fmt::format(
        "{}\n  {{\"name\": {}, \"path\": {}, \"opens\": {}, \"architecture\": {}, \"layers\": {}, "
        "\"heads\": {}, \"decoder_layers\": {}, \"decoder_heads\": {}, \"bytes\": {}, "
        "\"note\": {}}}",
        i == 0 ? "" : ",", json_quoted(entry.name), json_quoted(entry.path), entry.opens,
        json_quoted(entry.architecture), entry.layers, entry.heads, entry.decoder_layers,
        entry.decoder_heads, entry.bytes, json_quoted(entry.note));
  }
  return json + "\n]}\n";
}

void list(Context& context, const Options& options) {
  const Format format =
      output_format(options.format, options.output, {Format::kText, Format::kJson});
  const std::vector<ModelEntry> entries = context.session().list_models();
  write_output(options.output, format, [&](const Sink& sink) {
    sink(format == Format::kJson ? list_as_json(entries) : list_as_text(context, entries));
  });
}

struct Fact {
  std::string name;
  std::string value;  // as JSON
};

// A string without its quotes, anything else as it stands.
std::string_view plain(std::string_view json) {
  return json.starts_with('"') ? json.substr(1, json.size() - 2) : json;
}

std::vector<Fact> facts_of(Context& context, const std::string& name) {
  const std::string folder = context.session().resolve(name);
  const std::shared_ptr<const Model> model = context.session().open_model(name);
  const std::shared_ptr<const Tokenizer> tokenizer = context.session().open_tokenizer(name);
  const ModelSpec& spec = model->spec();
  std::int64_t parameters = 0;
  for (const std::string& tensor : model->checkpoint().names())
    parameters += model->checkpoint().find(tensor)->size();
  std::string notes = "[";
  for (std::size_t i = 0; i < spec.notes.size(); ++i)
    notes += (i == 0 ? "" : ", ") + json_quoted(spec.notes[i]);
  notes += "]";
  std::vector<Fact> facts = {
      {"path", json_quoted(folder)},
      {"architecture", json_quoted(spec.architecture)},
      {"layers", fmt::to_string(spec.layers)},
      {"heads", fmt::to_string(spec.heads)},
      {"head_dim", fmt::to_string(spec.head_dim)},
      {"width", fmt::to_string(spec.width)},
      {"mlp_width", fmt::to_string(spec.mlp_width)},
      {"vocabulary", fmt::to_string(spec.vocabulary)},
      {"max_positions", fmt::to_string(spec.max_positions)},
      {"token_types", fmt::to_string(spec.types)},
      {"language_head", model->has_language_head() ? "true" : "false"},
      {"tokenizer", tokenizer == nullptr ? "null" : json_quoted(tokenizer->kind())},
      {"parameters", fmt::to_string(parameters)},
      {"bytes", fmt::to_string(model->checkpoint().bytes())},
      {"notes", notes}};
  if (!spec.decoder) return facts;
  // The facts above are the encoder's.
  const StackSpec& decoder = *spec.decoder;
  const std::vector<Fact> more = {{"attention", "\"encoder, decoder, cross\""},
                                  {"decoder_layers", fmt::to_string(decoder.layers)},
                                  {"decoder_heads", fmt::to_string(decoder.heads)},
                                  {"decoder_head_dim", fmt::to_string(decoder.head_dim)},
                                  {"decoder_mlp_width", fmt::to_string(decoder.mlp_width)},
                                  {"cross_layers", fmt::to_string(decoder.layers)},
                                  {"cross_heads", fmt::to_string(decoder.heads)}};
  const auto place = std::find_if(facts.begin(), facts.end(),
                                  [](const Fact& fact) { return fact.name == "vocabulary"; });
  facts.insert(place, more.begin(), more.end());
  return facts;
}

void info(Context& context, const Options& options) {
  const Format format =
      output_format(options.format, options.output, {Format::kText, Format::kJson});
  const std::vector<Fact> facts = facts_of(context, options.model);
  write_output(options.output, format, [&](const Sink& sink) {
    std::string text = format == Format::kJson ? fmt::format("{{\"format\": {}", kJsonFormat) : "";
    for (const Fact& fact : facts)
      text += format == Format::kJson ? fmt::format(", \"{}\": {}", fact.name, fact.value)
                                      : fmt::format("{:<17} {}\n", fact.name, plain(fact.value));
    sink(format == Format::kJson ? text + "}\n" : text);
  });
}

// On a terminal a line of progress, rewritten ten times a second at most.
class ProgressLine {
 public:
  void show(const std::string& file, std::uint64_t done, std::uint64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal_ || (now - last_ < std::chrono::milliseconds(100) && done != total)) return;
    last_ = now;
    const std::string line =
        fmt::format("{}  {} of {}", printable(file), megabytes(static_cast<std::int64_t>(done)),
                    total == 0 ? "?" : megabytes(static_cast<std::int64_t>(total)));
    fmt::print(stderr, "\r{:<{}}", line, width_);
    std::fflush(stderr);
    width_ = line.size();
  }
  ~ProgressLine() {
    if (width_ > 0) fmt::print(stderr, "\r{:<{}}\r", "", width_);
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  std::size_t width_ = 0;
  std::chrono::steady_clock::time_point last_{};
};

void pull(Context& context, const Options& options) {
  const std::optional<HubId> id = HubId::parse(options.model);
  if (!id)
    throw Error(fmt::format("models pull: expected ORG/NAME, ORG/NAME/FILE or either with "
                            "@REVISION, found \"{}\"",
                            options.model),
                Error::Kind::kUsage);
  std::string place;
  {
    ProgressLine line;
    place = pull_model(context.settings.hub, *id,
                       [&](const std::string& file, std::uint64_t done, std::uint64_t total) {
                         line.show(file, done, total);
                       });
  }
  write_output("", Format::kText, [&](const Sink& sink) { sink(place + "\n"); });
}

void add_common(CLI::App* verb, Options* options) {
  verb->add_option("-o,--output", options->output, "File to write: .txt .json");
  verb->add_option("--format", options->format, "text or json");
}

}  // namespace

void add_models(CLI::App& app, Context& context) {
  CLI::App* models = app.add_subcommand("models", "The models that are here");
  models->set_help_flag("-h,--help", "This help");
  models->require_subcommand(1);
  models->footer("Example:\n  regard models list");
  auto options = std::make_shared<Options>();
  CLI::App* list_verb =
      add_verb(*models, context, "list", "Models on this machine: Regard's cache and the hub's",
               "regard models list");
  add_common(list_verb, options.get());
  list_verb->callback(
      [&context, options] { context.run = [&context, options] { list(context, *options); }; });
  CLI::App* info_verb =
      add_verb(*models, context, "info", "What a model is made of", "regard models info lesson");
  info_verb->add_option("MODEL", options->model,
                        "Model folder or name; the default one unless given");
  info_verb->add_option("--model", options->model, "The same");
  add_common(info_verb, options.get());
  info_verb->callback(
      [&context, options] { context.run = [&context, options] { info(context, *options); }; });
  CLI::App* pull_verb = add_verb(*models, context, "pull",
                                 "Fetch a model from the hub into its cache on this machine",
                                 "regard models pull sentence-transformers/all-MiniLM-L6-v2");
  pull_verb
      ->add_option("ID", options->model,
                   "ORG/NAME on the hub, with @REVISION or /FILE behind it as need be")
      ->required();
  pull_verb->callback(
      [&context, options] { context.run = [&context, options] { pull(context, *options); }; });
}

}  // namespace regard::cli
