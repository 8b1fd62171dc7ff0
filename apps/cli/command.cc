// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/command.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iterator>

#include <fmt/format.h>

#include "regard/platform/error.h"

namespace regard::cli {
namespace {

constexpr std::size_t kTextLimit = std::size_t{1} << 30;

Error usage(const std::string& message) { return Error(message, Error::Kind::kUsage); }

// All that comes out of a descriptor: a file, a pipe, a terminal.
std::string read_all(int descriptor, const std::string& name) {
  std::string text;
  std::vector<char> chunk(1 << 16);
  while (true) {
    const ssize_t got = ::read(descriptor, chunk.data(), chunk.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      throw Error::at(name, "", "something to read", std::strerror(errno));
    }
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > kTextLimit)
      throw Error::at(name, "", fmt::format("at most {} bytes", kTextLimit), "more");
  }
}

std::string read_named(const std::string& name) {
  const int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw Error::at(name, "", "a readable file", std::strerror(errno));
  try {
    std::string text = read_all(descriptor, name);
    ::close(descriptor);
    return text;
  } catch (...) {
    ::close(descriptor);
    throw;
  }
}

std::vector<std::string> split(const std::string& list, std::string_view separators) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find_first_of(separators, at), list.size());
    parts.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

template <typename T>
std::optional<T> number(const std::string& text) {
  T value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::int64_t> read_ids(const std::string& argument) {
  const std::string list =
      argument.starts_with('@') || argument == "-" ? read_argument(argument) : argument;
  std::vector<std::int64_t> ids;
  for (const std::string& part : split(list, ", \t\r\n\v\f")) {
    if (part.empty()) continue;
    const auto id = number<std::int64_t>(part);
    if (!id) throw usage(fmt::format("--ids: expected whole numbers, found \"{}\"", part));
    ids.push_back(*id);
  }
  if (ids.empty()) throw usage("--ids: expected at least one token id, found none");
  return ids;
}

}  // namespace

Timing::Timing() : begin_(Clock::now()), last_(begin_) {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  before_main_ = static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

void Timing::mark(std::string_view what) {
  const Clock::time_point now = Clock::now();
  parts_.emplace_back(what, std::chrono::duration<double>(now - last_).count());
  last_ = now;
}

double Timing::seconds() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

std::string Timing::report() const {
  std::string text = fmt::format("{:<28}{:9.2f} ms", "loading the program", before_main_ * 1e3);
  for (const auto& [what, taken] : parts_)
    text += fmt::format("\n{:<28}{:9.2f} ms", what, taken * 1e3);
  return text + fmt::format("\n{:<28}{:9.2f} ms", "all", (before_main_ + seconds()) * 1e3);
}

Session& Context::session() {
  if (session_ == nullptr) session_ = std::make_unique<Session>(settings);
  return *session_;
}

CLI::App* add_verb(CLI::App& app, Context& context, const std::string& name,
                   const std::string& what, const std::string& example) {
  CLI::App* verb = app.add_subcommand(name, what);
  verb->set_help_flag("-h,--help", "This help");
  verb->add_flag("--timing", context.print_timing, "Say on standard error where the time went");
  verb->footer("Example:\n  " + example);
  return verb;
}

void add_input(CLI::App* verb, InputOptions* options) {
  verb->add_option("TEXT", options->text, "The text, - for standard input, @name for a file");
  verb->add_option("--model", options->model, "Model folder, or a name from `regard models list`");
  verb->add_option("--pair", options->pair, "Second text of a sentence pair");
  verb->add_option("--ids", options->ids,
                   "Token ids instead of a text, used as they are: 101,7592,102 or @name");
  verb->add_option("--target", options->target,
                   "Text on the decoder's side of an encoder-decoder model");
  verb->add_option("--target-ids", options->target_ids,
                   "Token ids on the decoder's side, used as they are");
  verb->add_option("--kind", options->kind,
                   "Attention of an encoder-decoder model: encoder, decoder, or cross, which is "
                   "shown when there is a target; self: the only one of other models")
      ->check(CLI::IsMember({"self", "encoder", "decoder", "cross"}));
  verb->add_flag("--untrained", options->untrained,
                 "Random weights instead of the trained ones, for comparison");
  verb->add_flag("--truncate", options->truncate, "Cut what is longer than the model's positions");
}

void add_generation(CLI::App* verb, const std::string& tokens, GenerationOptions* options) {
  verb->add_option(tokens, options->tokens, "At most so many new tokens")
      ->check(CLI::PositiveNumber);
  verb->add_option("--temperature", options->temperature, "Sample; 0: the likeliest token always")
      ->capture_default_str();
  verb->add_option("--top-p", options->top_p, "Sample from the tokens that together have this mass")
      ->capture_default_str();
  verb->add_option("--seed", options->seed, "The same seed gives the same text")
      ->capture_default_str();
  verb->add_option("--beams", options->beams, "Beam search instead of sampling")
      ->capture_default_str();
}

RunRequest run_request(const InputOptions& options) {
  RunRequest request;
  request.model = options.model;
  request.truncate = options.truncate;
  request.untrained = options.untrained;
  if (options.target && options.target_ids)
    throw usage("--target-ids: stands instead of --target, found both");
  if (options.target) request.target = read_argument(*options.target);
  if (options.target_ids) {
    request.target_ids = read_ids(*options.target_ids);
    request.use_target_ids = true;
  }
  if (!options.kind.empty()) request.kind = kind_named(options.kind);
  if (options.ids) {
    if (options.text || options.pair) throw usage("--ids: stands instead of a text, found both");
    request.ids = read_ids(*options.ids);
    request.use_ids = true;
    return request;
  }
  if (!options.text) throw usage("TEXT: expected a text (or --ids), found none");
  request.text = read_argument(*options.text);
  std::error_code none;
  if (options.text->find_first_of(" \n") == std::string::npos && options.text->size() < 256 &&
      std::filesystem::is_regular_file(*options.text, none))
    say(fmt::format("regard: the text is the name {}; the file's text is @{}", *options.text,
                    *options.text));
  if (options.pair) request.pair = read_argument(*options.pair);
  return request;
}

Progress ProgressLine::progress() const {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [state = state_](double done) {
    if (state->watch.seconds() < 1.0) return;
    state->shown = true;
    fmt::print(stderr, "\r{:3.0f} %", done * 100);
  };
}

void ProgressLine::clear() const {
  if (state_->shown) fmt::print(stderr, "\r     \r");
  state_->shown = false;
}

Trace run(Context& context, const RunRequest& request) {
  Session& session = context.session();
  session.open_tokenizer(request.model);
  context.timing.mark("open the tokenizer");
  session.open_model(request.model, request.untrained);
  context.timing.mark("open the model");
  const ProgressLine line;
  Trace trace = session.run(request, line.progress());
  line.clear();
  context.timing.mark("tokenise, forward, record");
  return trace;
}

Trace open_input(Context& context, const InputOptions& options, const std::string& trace) {
  if (trace.empty()) return run(context, run_request(options));
  if (options.text || options.ids) throw usage("TEXT or --ids, --trace: expected one of them");
  if (!options.model.empty() || options.pair || options.truncate)
    throw usage("--model, --pair, --truncate: go with TEXT, not with --trace");
  return context.session().open_trace(trace);
}

std::string read_argument(const std::string& argument) {
  if (argument == "-") return read_all(STDIN_FILENO, "standard input");
  if (argument.size() > 1 && argument.front() == '@') return read_named(argument.substr(1));
  return argument;
}

std::vector<HeadId> read_head_list(const std::string& list) {
  std::vector<HeadId> heads;
  for (const std::string& part : split(list, ",")) {
    const auto head = head_named(part);
    if (!head) throw usage(fmt::format("--heads: expected names like L3H1, found \"{}\"", part));
    heads.push_back(*head);
  }
  return heads;
}

std::vector<int> read_layer_list(const std::string& list) {
  constexpr int kMost = 10000;
  std::vector<int> layers;
  for (const std::string& part : split(list, ",")) {
    const std::size_t dash = part.find('-');
    const auto first = number<int>(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : number<int>(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last >= kMost)
      throw usage(fmt::format("--layers: expected a list like 0-3,7, found \"{}\"", part));
    for (int layer = *first; layer <= *last; ++layer) layers.push_back(layer);
  }
  return layers;
}

void choose_heads(const std::optional<int>& layer, const std::string& head, ViewRequest* request) {
  request->layer = layer;
  if (head.empty()) return;
  if (head == "mean") {
    request->mean = true;
    return;
  }
  const std::vector<std::string> parts = split(head, ",");
  if (const auto plain = number<int>(head); plain && *plain >= 0) {
    request->head = *plain;
    return;
  }
  for (const std::string& part : parts) {
    const auto named = head_named(part);
    const auto plain = number<int>(part);
    if (named && layer && named->layer != *layer)
      throw usage(fmt::format("--head {}: not in --layer {}", part, *layer));
    const auto add = [&](HeadId id) {  // each once
      std::vector<HeadId>& heads = request->heads;
      if (std::find(heads.begin(), heads.end(), id) == heads.end()) heads.push_back(id);
    };
    if (named) {
      add(*named);
    } else if (plain && *plain >= 0 && layer) {
      add({*layer, *plain});
    } else {
      throw usage(
          fmt::format("--head: expected L3H1, a number (a list of numbers with --layer), a "
                      "list or mean, found \"{}\"",
                      part));
    }
  }
  request->layer.reset();
}

}  // namespace regard::cli
