// SPDX-License-Identifier: Apache-2.0
// What the verbs share: settings and session, options that recur, reading text, writing output.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "regard/render/data.h"
#include "regard/render/terminal.h"
#include "regard/session/session.h"

namespace regard::cli {

// Where the time goes, for --timing.
class Timing {
 public:
  Timing();
  // The time since the last mark goes to `what`.
  void mark(std::string_view what);
  std::string report() const;
  double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_, last_;
  double before_main_;  // processor seconds spent in loading the program
  std::vector<std::pair<std::string, double>> parts_;
};

// One run of the program.
struct Context {
  Settings settings;
  Timing timing;
  bool print_timing = false;
  std::function<void()> run;  // the verb that was asked for

  // Made when first asked for.
  Session& session();

 private:
  std::unique_ptr<Session> session_;
};

// Makes a verb with its example and the options that every verb has.
CLI::App* add_verb(CLI::App& app, Context& context, const std::string& name,
                   const std::string& what, const std::string& example);

// Options that say what to run a model on.
struct InputOptions {
  std::string model;
  std::optional<std::string> text, pair, ids, target, target_ids;
  std::string kind;
  bool truncate = false, untrained = false;
};
void add_input(CLI::App* verb, InputOptions* options);
RunRequest run_request(const InputOptions& options);
// Options that say how a text is continued; `tokens` is the option for their number.
void add_generation(CLI::App* verb, const std::string& tokens, GenerationOptions* options);
// The share done, on standard error when that is a terminal, after a second.
class ProgressLine {
 public:
  Progress progress() const;
  void clear() const;

 private:
  struct State {
    Timing watch;
    bool shown = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};
// Runs with progress on a terminal, marking the time of each part.
Trace run(Context& context, const RunRequest& request);
// The trace in a file (`--trace`) when one is named, else a run on the text.
Trace open_input(Context& context, const InputOptions& options, const std::string& trace);

// An argument as typed, "-" for standard input, "@name" for a file.
std::string read_argument(const std::string& argument);

// "--head": L3H1, a number, a list of either, or mean; with "--layer". Fills the request.
void choose_heads(const std::optional<int>& layer, const std::string& head, ViewRequest* request);
// "L3H1,L5H11"; throws Error (usage) at anything else.
std::vector<HeadId> read_head_list(const std::string& list);
// "0-3,7".
std::vector<int> read_layer_list(const std::string& list);

enum class Format { kText, kJson, kCsv, kNpy, kPng, kSvg, kPdf, kHtml };
// From --format when given, else from the file's extension, else text. Throws Error (usage) that
// lists `known` for any other.
Format output_format(const std::string& format, const std::string& file,
                     const std::vector<Format>& known);

// Calls `write` with a sink into `file`, or standard output when it is empty. A file appears under
// its name only when everything is written. Binary formats do not go to a terminal.
void write_output(const std::string& file, Format format,
                  const std::function<void(const Sink& sink)>& write);
// A line on standard error.
void say(std::string_view line);

TerminalStyle terminal_style(const Context& context, const std::string& file);

void add_show(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_record(CLI::App& app, Context& context);
void add_tile(CLI::App& app, Context& context);
void add_tokenize(CLI::App& app, Context& context);
void add_lesson(CLI::App& app, Context& context);
void add_generate(CLI::App& app, Context& context);
void add_heads(CLI::App& app, Context& context);
void add_compare(CLI::App& app, Context& context);
void add_serve(CLI::App& app, Context& context);
void add_models(CLI::App& app, Context& context);
void add_train(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);

}  // namespace regard::cli
