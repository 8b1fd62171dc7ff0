// SPDX-License-Identifier: Apache-2.0
// regard serve: the page, and what it asks of the program, over HTTP.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "apps/cli/command.h"
#include "apps/server/api.h"
#include "regard/platform/error.h"
#include "regard/session/checkpoints.h"

namespace regard::cli {
namespace {

struct Options {
  std::string model, run, address = "127.0.0.1", token, ask_url, ask_model = "default";
  int port = 8742;
  std::int64_t megabytes = 1024;
  std::vector<std::string> traces, hosts;
  bool open = false;
};

// The one that a signal ends.
server::HttpServer* running = nullptr;

void end_running(int) { running->stop(); }

// SIGINT and SIGTERM end the server as long as this lives.
class EndOnSignal {
 public:
  explicit EndOnSignal(server::HttpServer* server) {
    running = server;
    struct sigaction action{};
    action.sa_handler = end_running;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &before_[0]);
    ::sigaction(SIGTERM, &action, &before_[1]);
  }
  ~EndOnSignal() {
    ::sigaction(SIGINT, &before_[0], nullptr);
    ::sigaction(SIGTERM, &before_[1], nullptr);
  }
  EndOnSignal(const EndOnSignal&) = delete;
  EndOnSignal& operator=(const EndOnSignal&) = delete;

 private:
  struct sigaction before_[2]{};
};

// Shows an address in the user's browser; says so when there is no way to.
void open_browser(const std::string& address) {
  std::string program = "xdg-open", argument = address;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  if (::posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments, environ) != 0)
    return say("regard: xdg-open is not here; open the address by hand");
  // It may run for as long as the browser: nobody waits for it here.
  std::thread([child] { ::waitpid(child, nullptr, 0); }).detach();
}

std::string own_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

void check(const Options& options) {
  for (const char c : options.token)
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
          c == '_'))
      throw Error("--token: expected letters, digits, - and _", Error::Kind::kUsage);
  if (!options.token.empty() && options.token.size() < 16)
    throw Error(
        fmt::format("--token: expected at least 16 characters, found {}", options.token.size()),
        Error::Kind::kUsage);
  if (!options.ask_url.empty() && !options.ask_url.starts_with("http://") &&
      !options.ask_url.starts_with("https://"))
    throw Error(fmt::format("--ask-url: expected http:// or https://, found {}", options.ask_url),
                Error::Kind::kUsage);
}

void serve(Context& context, const Options& options) {
  check(options);
  server::ApiOptions api_options;
  if (!options.run.empty()) run_checkpoints(options.run);  // says early that it holds none
  api_options.run = options.run;
  api_options.model = options.model.empty() ? options.run : options.model;
  api_options.token = options.token;
  api_options.hosts = options.hosts;
  api_options.hosts.insert(api_options.hosts.end(), {options.address, own_name()});
  api_options.budget = static_cast<std::uint64_t>(options.megabytes) << 20;
  api_options.temporary = context.settings.temporary;
  if (!options.ask_url.empty())
    api_options.assistant = {options.ask_url, options.ask_model, context.settings.ask_key};
  server::Api api(context.session(), api_options);
  for (const std::string& file : options.traces) api.add(context.session().open_trace(file));
  server::HttpServer http(options.address, options.port, server::Api::common_headers(),
                          [&](const server::Request& request, server::Exchange& exchange) {
                            api.handle(request, exchange);
                          });
  if (!http.loopback() && options.token.empty())
    throw Error(fmt::format("--listen {}: others can reach that address; expected --token, which "
                            "they must know",
                            options.address),
                Error::Kind::kUsage);
  const bool v6 = options.address.find(':') != std::string::npos;
  const std::string address =
      fmt::format("http://{}:{}/", v6 ? "[" + options.address + "]" : options.address, http.port());
  const EndOnSignal guard(&http);
  const std::string first =
      options.token.empty() ? address : fmt::format("{}?token={}", address, options.token);
  write_output("", Format::kText, [&](const Sink& sink) {
    sink(fmt::format("Regard is at {} (Ctrl-C ends it)\n", first));
  });
  if (options.open) open_browser(first);
  http.run();
}

}  // namespace

void add_serve(CLI::App& app, Context& context) {
  CLI::App* verb =
      add_verb(app, context, "serve", "The page: see and compare attention in a browser",
               "regard serve --open   (Ctrl-C ends it)");
  auto options = std::make_shared<Options>();
  verb->add_option("--port", options->port, "Port; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  verb->add_option("--listen", options->address,
                   "Address of this machine; needs --token when "
                   "others can reach it")
      ->capture_default_str();
  verb->add_option("--host", options->hosts,
                   "Name by which browsers may call this machine, beside its own");
  verb->add_option("--token", options->token, "What a browser must know to be served");
  verb->add_flag("--open", options->open, "Open the page in the browser");
  verb->add_option("--model", options->model, "Model to begin with");
  verb->add_option("--run", options->run,
                   "A folder of `regard train`: texts are shown at each of its checkpoints");
  verb->add_option("--trace", options->traces, "Traces to show, from `regard record`");
  verb->add_option("--memory", options->megabytes,
                   "Megabytes of traces in memory; the others are "
                   "kept in a temporary folder")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 24))
      ->capture_default_str();
  verb->add_option("--ask-url", options->ask_url,
                   "Service with OpenAI's chat interface for free questions, such as "
                   "http://localhost:11434/v1; its key is read from REGARD_ASK_KEY");
  verb->add_option("--ask-model", options->ask_model, "The service's name for its model")
      ->capture_default_str();
  verb->callback(
      [&context, options] { context.run = [&context, options] { serve(context, *options); }; });
}

}  // namespace regard::cli
