// SPDX-License-Identifier: Apache-2.0
// regard train: a small transformer from a corpus.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "apps/cli/command.h"
#include "apps/server/api.h"
#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/session/training.h"

namespace regard::cli {
namespace {

struct Options {
  TrainRequest request;
  std::string documents = "lines", pieces, curve = "cosine", file;
  int port = 0;
  bool in_order = false, keep_case = false, watch = false;
};

CancelToken stop_wanted;
void ask_to_stop(int /*signal*/) { stop_wanted.cancel(); }

std::string clock_time(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

// A line that is drawn over on a terminal, else one a twentieth of the way.
class Bar {
 public:
  void show(const StepReport& r) {
    const std::int64_t step = r.metrics.step;
    const bool last = step == r.steps;
    if (!terminal_ && !last && step * 20 / r.steps == (step - 1) * 20 / r.steps) return;
    const std::string line =
        fmt::format("step {}/{}  loss {:.3f}{}  {:.0f} tokens/s  {} left", step, r.steps,
                    r.metrics.loss, r.held_out ? fmt::format("  held out {:.3f}", *r.held_out) : "",
                    r.metrics.tokens_per_second, clock_time(r.seconds_left));
    if (!terminal_) return say(line);
    constexpr std::int64_t kCells = 20;
    const auto full = static_cast<std::size_t>(step * kCells / r.steps);
    fmt::print(stderr, "\r[{}{}] {}\033[K", std::string(full, '#'), std::string(kCells - full, '.'),
               line);
    drawn_ = true;
  }
  ~Bar() {
    if (drawn_) fmt::print(stderr, "\n");
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  bool drawn_ = false;
};

// Serves a run while it is trained, on this machine alone and by a session of its own: what that
// computes changes nothing in training. Clients that come before begin() wait.
class Watch {
 public:
  Watch(const Settings& settings, const std::string& run, int port)
      : session_(settings),
        api_(session_, options_of(settings, run)),
        http_("127.0.0.1", port, server::Api::common_headers(),
              [this](const server::Request& request, server::Exchange& exchange) {
                api_.handle(request, exchange);
              }) {}
  ~Watch() {
    http_.stop();
    if (serving_.joinable()) serving_.join();
  }
  void begin() {
    if (serving_.joinable()) return;
    serving_ = std::thread([this] {
      try {
        http_.run();
      } catch (const Error& error) {
        say(error.what());
      }
    });
    say(fmt::format("watch it at http://127.0.0.1:{}/", http_.port()));
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  static server::ApiOptions options_of(const Settings& settings, const std::string& run) {
    server::ApiOptions options;
    options.model = options.run = run;
    options.budget = std::uint64_t{256} << 20;
    options.temporary = settings.temporary;
    return options;
  }
  Session session_;
  server::Api api_;
  server::HttpServer http_;
  std::thread serving_;
};

// A finite number that is positive, or not negative, and below `limit`.
CLI::Validator number_where(bool zero, const char* what,
                            double limit = std::numeric_limits<double>::infinity()) {
  return {[=](const std::string& text) {
            char* end = nullptr;
            const double x = std::strtod(text.c_str(), &end);
            const bool good =
                end != text.c_str() && *end == 0 && (x > 0 || (zero && x == 0)) && x < limit;
            return good ? std::string()
                        : fmt::format("expected a number {}, found \"{}\"", what, text);
          },
          ""};
}

// Number of the nth line of the text, from 1, that begins with the name; 0: there is none.
int line_of(const std::string& text, const std::string& name, int nth) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    line.erase(0, line.find_first_not_of(" \t"));
    const bool named = line.compare(0, name.size(), name) == 0 &&
                       line.find_first_of(" \t\r=", name.size()) <= name.size();
    if ((named || line == name) && nth-- == 0) return number;
  }
  return 0;
}

// Options of the file that the command line does not give.
void read_options(CLI::App* verb, const std::string& path) {
  if (path.empty()) return;
  const std::string text = read_text_file(path, 1 << 20);
  std::istringstream stream(text);
  std::map<std::string, int> seen;
  std::set<CLI::Option*> own;
  for (const CLI::ConfigItem& item : verb->get_config_formatter_base()->from_config(stream)) {
    const int line = line_of(text, item.name, seen[item.name]++);
    const std::string place =
        line > 0 ? fmt::format("line {}: {}", line, item.name) : item.fullname();
    CLI::Option* const option = verb->get_option_no_throw("--" + item.name);
    if (option == nullptr || !item.parents.empty())
      throw Error::at(path, place, "the name of an option", "none of that name");
    if (own.contains(option)) throw Error::at(path, place, "each option once", "it a second time");
    if (option->count() > 0) continue;
    own.insert(option);
    try {
      option->add_result(item.inputs);
      option->run_callback();
    } catch (const CLI::ParseError& error) {
      throw Error(fmt::format("{}: {}: {}", path, place, error.what()), Error::Kind::kUsage);
    }
  }
}

void train_model(Context& context, const Options& options) {
#ifdef __GLIBC__
  // Every step asks for the arrays that the last one gave back: keep their pages.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
  TrainRequest request = options.request;
  context.session();  // threads and instruction set as set
  std::erase_if(request.corpus, [&](const std::string& path) {
    if (path == "-") request.texts.emplace_back("standard input", read_argument("-"));
    return path == "-";
  });
  if (request.corpus.empty() && request.texts.empty() && request.generator.empty())
    throw Error("CORPUS: expected files, folders, - or --generator, found none",
                Error::Kind::kUsage);
  if (request.run.folder.empty())
    throw Error("--output: expected a folder for the run, found none", Error::Kind::kUsage);
  if (options.documents == "blank-lines") request.rule = DocumentRule::kBlankLines;
  request.any_kind = options.pieces.empty();
  if (options.pieces == "bpe") request.pieces.kind = PieceKind::kBytePairs;
  request.pieces.lower_case = !options.keep_case;
  request.run.shuffle = !options.in_order;
  if (options.curve == "linear") request.run.schedule.curve = Curve::kLinear;
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  Bar bar;
  std::optional<Watch> watch;
  if (options.watch) watch.emplace(context.settings, request.run.folder, options.port);
  train(
      request,
      [&](const TrainPlan& plan) {
        for (const std::string& note : plan.notes) say(note);
        say(
            fmt::format("{} parameters, {} pieces; {} documents of {} tokens, {} held out; step {} "
                        "of {}",
                        plan.parameters, plan.vocabulary, plan.documents, plan.tokens,
                        plan.held_out, plan.steps_done, plan.steps));
        context.timing.mark("corpus, tokenizer, model");
      },
      [&](const StepReport& report) {
        if (watch) watch->begin();  // the first checkpoint is there
        bar.show(report);
      },
      &stop_wanted);
  say(fmt::format("{}: trained; {}/curves.svg shows how", request.run.folder, request.run.folder));
  context.timing.mark("training");
}

}  // namespace

void add_train(CLI::App& app, Context& context) {
  CLI::App* verb =
      add_verb(app, context, "train", "Train a small transformer on a corpus",
               "printf 'the cat sat on the mat\\nthe dog sat on the cat\\n' | regard train - -o "
               "/tmp/run --pieces 40 --batch 2 --steps 20 --held-out 0");
  auto options = std::make_shared<Options>();
  TrainRequest& request = options->request;
  RunOptions& run = request.run;
  run.schedule.steps = 1000;
  const CLI::Validator positive = number_where(false, "above 0");
  const CLI::Validator not_negative = number_where(true, "of at least 0");
  const auto share = CLI::Range(0.0, 1.0);
  const CLI::Validator part = number_where(true, "of at least 0 and below 1", 1.0);
  verb->add_option("--options", options->file, "Options from a file, a line each: rate = 0.003");
  verb->add_option("CORPUS", request.corpus, "Files, folders, - for standard input");
  verb->add_option("--generator", request.generator, "A command that writes the corpus");
  verb->add_option("--documents", options->documents, "What parts documents")
      ->check(CLI::IsMember({"lines", "blank-lines"}))
      ->capture_default_str();
  verb->add_option("-o,--output", run.folder, "Folder of the run");
  verb->add_flag("--resume", request.resume, "Go on with the run that the folder holds");
  verb->add_flag("--watch", options->watch,
                 "Show the run in a browser while it is trained, a text at each checkpoint");
  verb->add_option("--port", options->port, "Port of --watch; 0: any free one")
      ->check(CLI::Range(0, 65535));
  verb->add_option("--architecture", request.model.architecture, "What is trained")
      ->check(CLI::IsMember(new_architectures()))
      ->capture_default_str();
  verb->add_option("--width", request.model.width, "Of the hidden states")->check(positive);
  verb->add_option("--layers", request.model.layers, "Layers")->check(positive);
  verb->add_option("--heads", request.model.heads, "Heads of a layer")->check(positive);
  verb->add_option("--kv-heads", request.model.kv_heads, "Heads of keys and values (llama)")
      ->check(not_negative);
  verb->add_option("--mlp", request.model.mlp, "Width of the MLP")->check(not_negative);
  verb->add_option("--positions", request.model.positions, "Longest text")->check(positive);
  verb->add_option("--rotary-base", request.model.rotary_base, "Base of rotary positions")
      ->check(not_negative);
  verb->add_option("--model-config", request.config, "A config.json instead of these");
  verb->add_option("--init-embedding", request.start.embedding, "Deviation of new embeddings")
      ->check(not_negative);
  verb->add_option("--init", request.start.weight, "Deviation of new weights")->check(not_negative);
  verb->add_option("--init-output", request.start.residual,
                   "Of those that add to the hidden states, before the division by sqrt(2 layers)")
      ->check(not_negative);
  verb->add_option("--tokenizer", request.tokenizer, "A tokenizer.json instead of a new one");
  verb->add_option("--pieces", request.pieces.size, "Size of the new vocabulary")
      ->check(positive)
      ->capture_default_str();
  verb->add_option("--piece-kind", options->pieces,
                   "wordpiece, or bpe, which decoders get by default")
      ->check(CLI::IsMember({"wordpiece", "bpe"}));
  verb->add_flag("--keep-case", options->keep_case, "WordPiece: do not fold case and accents");
  verb->add_flag("--wrap", request.pieces.wrap, "WordPiece: [CLS] and [SEP] around a text");
  verb->add_option("--objective", request.objective, "masked or causal, as the model attends")
      ->check(CLI::IsMember({"masked", "causal"}));
  verb->add_option("--choose", request.choose, "Share of tokens to be predicted (masked)")
      ->check(share)
      ->capture_default_str();
  verb->add_option("--corruption", request.corruption,
                   "A JSON file that says by classes of words what is chosen and put instead");
  verb->add_option("--length", request.longest, "Tokens at which documents are cut")
      ->check(not_negative);
  verb->add_option("--held-out", request.held_out, "Share of the documents to measure on")
      ->check(part)
      ->capture_default_str();
  verb->add_flag("--in-order", options->in_order, "Documents in the corpus's order, not shuffled");
  verb->add_option(
          "--group", run.group,
          "Documents of so many batches are sorted by length, so that those of a batch are "
          "about as long")
      ->check(not_negative);
  verb->add_option("--batch", run.batch, "Documents of a pass")->check(positive);
  verb->add_option("--accumulate", run.accumulate, "Passes of a step")->check(positive);
  verb->add_option("--steps", run.schedule.steps, "Steps")->check(positive)->capture_default_str();
  verb->add_option("--rate", run.schedule.rate, "Learning rate")
      ->check(positive)
      ->capture_default_str();
  verb->add_option("--warm-up", run.schedule.warm_up, "Steps in which the rate rises")
      ->check(not_negative);
  verb->add_option("--hold", run.schedule.hold, "Share of the steps before the rate falls")
      ->check(share)
      ->capture_default_str();
  verb->add_option("--last-rate", run.schedule.last, "Share of the rate at the end")->check(share);
  verb->add_option("--curve", options->curve, "How the rate falls")
      ->check(CLI::IsMember({"cosine", "linear"}))
      ->capture_default_str();
  verb->add_option("--beta1", run.optimizer.beta1, "AdamW")->check(part)->capture_default_str();
  verb->add_option("--beta2", run.optimizer.beta2, "AdamW")->check(part)->capture_default_str();
  verb->add_option("--decay", run.optimizer.decay, "AdamW: of weights and embeddings")
      ->check(not_negative)
      ->capture_default_str();
  verb->add_flag("--decay-all", run.optimizer.decay_all, "AdamW: of gains and biases too");
  verb->add_option("--clip", run.optimizer.clip, "Largest norm of the gradient; 0: any")
      ->check(not_negative)
      ->capture_default_str();
  verb->add_option("--seed", run.seed, "The same seed gives the same model")->capture_default_str();
  verb->add_option("--save-every", run.save_every, "Steps")
      ->check(not_negative)
      ->capture_default_str();
  verb->add_option("--evaluate-every", run.evaluate_every, "Steps")
      ->check(not_negative)
      ->capture_default_str();
  verb->callback([&context, options, verb] {
    read_options(verb, options->file);
    context.run = [&context, options] { train_model(context, *options); };
  });
}

}  // namespace regard::cli
