// SPDX-License-Identifier: Apache-2.0
// Who may ask, and who answers what.
#include "apps/server/api.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "apps/server/place.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/session/builtin_model.h"
#include "regard/session/checkpoints.h"
#include "regard/session/page.h"

namespace regard::server {
namespace {

constexpr int kMostStreams = 32;  // of the connections, so that others stay free
constexpr std::size_t kMostText = std::size_t{4} << 20;
constexpr std::int64_t kMostGenerated = 4096;
constexpr auto kHeartbeat = std::chrono::seconds(1);
constexpr auto kModelsStay = std::chrono::seconds(5);

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const Headers kJson = {{"Content-Type", "application/json"}};

// As many steps whatever the two texts have in common.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^
                  static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  return difference == 0;
}

// "[::1]:8742" without its port and brackets, in small letters: names do not tell them apart.
std::string host_name(std::string_view host) {
  std::string name(host.starts_with('[') ? host.substr(1, host.find(']') - 1)
                                         : host.substr(0, host.find(':')));
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name;
}

bool is_numeric(const std::string& name) {
  unsigned char room[16];
  return ::inet_pton(AF_INET, name.c_str(), room) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), room) == 1;
}

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  path.remove_prefix(1);
  while (true) {
    const std::size_t slash = path.find('/');
    parts.emplace_back(path.substr(0, slash));
    if (slash == path.npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

// The body as a JSON object; what it says wrongly is the client's mistake.
template <typename Read>
auto read_body(const Request& request, const Read& read) {
  if (!request.header("content-type").starts_with("application/json"))
    throw Failure{415, "body: expected the content type application/json"};
  try {
    const JsonDocument document = JsonDocument::parse(request.body, "request");
    if (!document.root().is_object()) throw document.root().wrong("an object");
    return read(document.root());
  } catch (const Error& error) {
    throw Failure{400, error.what()};
  }
}

// checkpoint: the step of the run's checkpoint that is to be used.
RunRequest run_request(const Json& json, std::optional<std::int64_t>* checkpoint) {
  RunRequest request;
  const auto text = [](const Json& value) {
    const std::string_view found = value.string();
    if (found.size() > kMostText)
      throw Failure{
          413, fmt::format("text: expected at most {} bytes, found {}", kMostText, found.size())};
    return std::string(found);
  };
  json.for_each_member([&](std::string_view key, Json value) {
    if (value.is_null()) return;
    if (key == "model") {
      request.model = value.string();
    } else if (key == "text") {
      request.text = text(value);
    } else if (key == "pair") {
      request.pair = text(value);
    } else if (key == "target") {
      request.target = text(value);
    } else if (key == "truncate") {
      request.truncate = value.boolean();
    } else if (key == "untrained") {
      request.untrained = value.boolean();
    } else if (key == "checkpoint") {
      *checkpoint = value.integer();
    } else if (key == "kind") {
      request.kind = kind_named(value.string());
      if (!request.kind) throw value.wrong("self, encoder, decoder or cross");
    } else if (key == "generate") {
      request.generation.tokens = value.integer();
      if (request.generation.tokens < 0 || request.generation.tokens > kMostGenerated)
        throw value.wrong(fmt::format("0 to {}", kMostGenerated));
    } else {
      throw Failure{400, fmt::format("request: expected model, text, pair, target, kind, truncate, "
                                     "untrained, checkpoint or generate, found {}",
                                     json_quoted(key))};
    }
  });
  if (request.text.empty()) throw Failure{400, "text: expected at least one character, found none"};
  return request;
}

[[noreturn]] void throw_no_checkpoint(std::int64_t step) {
  throw Failure{404, fmt::format("checkpoint {}: not there; /api/checkpoints lists what is", step)};
}

std::string checkpoint_folder(const std::string& run, std::int64_t step) {
  for (const RunCheckpoint& one : run_checkpoints(run))
    if (one.step == step) return one.folder;
  throw_no_checkpoint(step);
}

std::string event(std::string_view name, std::string_view data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

std::string progress_event(const RunStatus& status) {
  const std::string what = status.phase == RunStatus::Phase::kRunning ? "running the model"
                           : status.before > 0
                               ? fmt::format("waiting: {} come first", status.before)
                               : "waiting";
  return event("progress", fmt::format(R"({{"done":{:.3f},"total":1,"what":{}}})", status.done,
                                       json_quoted(what)));
}

}  // namespace

Api::Api(Session& session, ApiOptions options)
    : session_(session),
      options_(std::move(options)),
      store_(options_.budget, options_.temporary),
      runs_(store_),
      assistant_(options_.assistant) {}

Headers Api::common_headers() {
  return {{"Content-Security-Policy", std::string(kPolicy)},
          {"X-Content-Type-Options", "nosniff"},
          {"X-Frame-Options", "DENY"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"Cache-Control", "no-store"}};
}

bool Api::knows_token(const Request& request) const {
  if (options_.token.empty()) return true;
  constexpr std::string_view kBearer = "Bearer ", kCookie = "regard_token=";
  const std::string authorization = request.header("authorization");
  if (authorization.starts_with(kBearer))
    return same_secret(authorization.substr(kBearer.size()), options_.token);
  const std::string cookies = request.header("cookie");
  const std::size_t at = cookies.find(kCookie);
  if (at == cookies.npos || (at > 0 && cookies[at - 1] != ' ')) return false;
  const std::size_t begin = at + kCookie.size();
  return same_secret(cookies.substr(begin, cookies.find(';', begin) - begin), options_.token);
}

void Api::check_access(const Request& request) const {
  // Another site's name that was made to mean this machine (DNS rebinding).
  const std::string host = request.header("host");
  const std::string name = host_name(host);
  if (name != "localhost" && !is_numeric(name) &&
      std::none_of(options_.hosts.begin(), options_.hosts.end(),
                   [&](const std::string& known) { return host_name(known) == name; }))
    throw Failure{403, fmt::format("Host: expected localhost or a numeric address, found {}",
                                   json_quoted(name))};
  // Another site's page.
  const std::string origin = request.header("origin");
  if (!origin.empty() && origin != "http://" + host)
    throw Failure{403, fmt::format("Origin: expected http://{}, found {}", host, origin)};
  const std::string site = request.header("sec-fetch-site");
  const bool opened = request.path == "/" && request.method == "GET" &&
                      request.header("sec-fetch-mode") == "navigate";
  if (!opened && !site.empty() && site != "same-origin" && site != "none")
    throw Failure{403, fmt::format("Sec-Fetch-Site: expected same-origin, found {}", site)};
}

void Api::handle(const Request& request, Exchange& exchange) {
  check_access(request);
  const auto needs = [&](std::string_view method) {
    if (request.method != method)
      throw Failure{405,
                    fmt::format("{}: expected {}, found {}", request.path, method, request.method)};
  };
  const std::vector<std::string> parts = parts_of(request.path);
  if (parts[0] != "api") {
    needs("GET");
    return page(request, exchange);
  }
  if (!knows_token(request))
    throw Failure{401, "token: expected the one that `regard serve` printed"};
  const std::string what = parts.size() > 1 ? parts[1] : "";
  if (parts.size() == 2 && what == "models") {
    needs("GET");
    return models(exchange);
  }
  if (parts.size() == 2 && what == "runs") {
    needs("POST");
    return start_run(request, exchange);
  }
  if (parts.size() == 3 && what == "runs") {
    needs("DELETE");
    runs_.cancel(parts[2]);
    return exchange.send(204, {}, "");
  }
  if (parts.size() == 4 && what == "runs" && parts[3] == "events") {
    needs("GET");
    return follow_run(parts[2], exchange);
  }
  if (parts.size() == 2 && what == "traces") {
    needs("GET");
    return list_traces(exchange);
  }
  if (parts.size() == 2 && what == "checkpoints") {
    needs("GET");
    return list_checkpoints(request, exchange);
  }
  if ((parts.size() == 3 || parts.size() == 4) && what == "traces") {
    needs("GET");
    return of_trace(parts[2], parts.size() == 4 ? parts[3] : "", request, exchange);
  }
  if (parts.size() == 2 && what == "ask") {
    if (request.method == "POST") return ask(request, exchange);
    needs("GET");
    const std::string& model = assistant_.model();
    return exchange.send(
        200, kJson, fmt::format("{{\"model\":{}}}", model.empty() ? "null" : json_quoted(model)));
  }
  throw Failure{404, fmt::format("{}: not there", request.path)};
}

void Api::page(const Request& request, Exchange& exchange) {
  const PageFiles& files = page_files();
  if (request.path == "/page.css")
    return exchange.send(200, {{"Content-Type", "text/css; charset=utf-8"}}, files.style);
  if (request.path == "/page.js")
    return exchange.send(200, {{"Content-Type", "text/javascript; charset=utf-8"}}, files.script);
  if (request.path != "/") throw Failure{404, fmt::format("{}: not there", request.path)};
  // The address that `regard serve` prints holds the token once; from then on a cookie does.
  const Headers html = {{"Content-Type", "text/html; charset=utf-8"}};
  const auto token = request.query.find("token");
  if (token == request.query.end() || options_.token.empty())
    return exchange.send(200, html, files.html);
  if (!same_secret(token->second, options_.token))
    throw Failure{401, "token: expected the one that `regard serve` printed"};
  exchange.send(303,
                {{"Location", "/"},
                 {"Set-Cookie", fmt::format("regard_token={}; Path=/; HttpOnly; SameSite=Strict",
                                            options_.token)}},
                "");
}

std::vector<ModelEntry> Api::known_models(std::string* chosen) {
  const std::lock_guard lock(models_mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now >= models_until_) {
    models_ = session_.list_models();
    chosen_.clear();
    try {
      const std::string path = session_.resolve(options_.model);
      for (const ModelEntry& entry : models_)
        if (chosen_.empty() &&
            (entry.name == options_.model || path == entry.path ||
             (entry.path != kBuiltinModel && path.starts_with(entry.path + "/"))))
          chosen_ = entry.name;
      if (chosen_.empty()) {  // named on the command line, and in no cache
        const auto model = Model::open(path);
        ModelEntry entry;
        entry.name = chosen_ = options_.model.empty() ? path : options_.model;
        entry.path = path;
        entry.opens = true;
        entry.architecture = model.spec().architecture;
        entry.layers = model.spec().layers;
        entry.heads = model.spec().heads;
        entry.bytes = static_cast<std::int64_t>(model.checkpoint().bytes());
        models_.insert(models_.begin(), std::move(entry));
      }
    } catch (const Error&) {
      // None can be opened by default: the page offers those of the list.
      if (!models_.empty()) chosen_ = models_.front().name;
    }
    models_until_ = std::chrono::steady_clock::now() + kModelsStay;
  }
  *chosen = chosen_;
  return models_;
}

void Api::models(Exchange& exchange) {
  std::string chosen, json = "{\"models\":[";
  for (const ModelEntry& entry : known_models(&chosen)) {
    if (json.back() != '[') json += ',';
    json += fmt::format(
        R"({{"name":{},"path":{},"note":{},"opens":{},"architecture":{},"layers":{},"heads":{},)"
        R"("bytes":{}}})",
        json_quoted(entry.name), json_quoted(entry.path), json_quoted(entry.note), entry.opens,
        json_quoted(entry.architecture), entry.layers, entry.heads, entry.bytes);
  }
  exchange.send(200, kJson, json + fmt::format("],\"chosen\":{}}}", json_quoted(chosen)));
}

void Api::start_run(const Request& request, Exchange& exchange) {
  std::optional<std::int64_t> checkpoint;
  RunRequest run =
      read_body(request, [&](const Json& json) { return run_request(json, &checkpoint); });
  const auto begin = [&](MakeTrace make) {
    exchange.send(202, kJson, fmt::format("{{\"run\":\"{}\"}}", runs_.start(std::move(make))));
  };
  const auto run_model = [&] {
    begin([this, run](const Progress& progress, const CancelToken* cancel) {
      return session_.run(run, progress, cancel);
    });
  };
  if (checkpoint && !options_.run.empty()) {
    run.model = checkpoint_folder(options_.run, *checkpoint);
    return run_model();
  }
  if (checkpoint) {
    for (const KeptRun& kept : kept_runs(run.text))
      if (kept.checkpoint.step == *checkpoint)
        return begin([trace = kept.trace](const Progress&, const CancelToken*) { return trace; });
    throw_no_checkpoint(*checkpoint);
  }
  // A name and no path: what is opened is in the list.
  std::string chosen;
  const std::vector<ModelEntry> known = known_models(&chosen);
  if (run.model.empty()) run.model = chosen;
  const auto entry = std::find_if(known.begin(), known.end(),
                                  [&](const ModelEntry& one) { return one.name == run.model; });
  if (entry == known.end())
    throw Failure{
        404, fmt::format("model {}: not there; /api/models lists what is", json_quoted(run.model))};
  run.model = entry->path;
  run_model();
}

void Api::follow_run(const std::string& id, Exchange& exchange) {
  const Place place(&streams_, kMostStreams);
  if (!place.granted())
    throw Failure{
        503, fmt::format("{} runs are being followed; close a page or try again", kMostStreams)};
  RunStatus status = runs_.wait(id, 0, std::chrono::milliseconds(0));
  exchange.begin(200, {{"Content-Type", "text/event-stream"}});
  while (!status.ended()) {
    exchange.piece(progress_event(status));
    const std::uint64_t seen = status.version;
    while (status.version == seen) {
      exchange.cancel()->check();
      status = runs_.wait(id, seen, kHeartbeat);
      if (status.version == seen) exchange.piece(": still there\n\n");
    }
  }
  exchange.piece(status.phase == RunStatus::Phase::kDone
                     ? event("done", fmt::format("{{\"trace\":\"{}\"}}", status.trace))
                     : event("failed", error_json(status.error)));
}

void Api::list_traces(Exchange& exchange) {
  std::string json = "{\"traces\":[";
  for (const TraceSummary& one : store_.list()) {
    if (json.back() != '[') json += ',';
    json += fmt::format(R"({{"id":"{}","model":{},"text":{},"tokens":{}}})", one.id,
                        json_quoted(one.model), json_quoted(one.text), one.tokens);
  }
  exchange.send(200, kJson, json + "]}");
}

void Api::list_checkpoints(const Request& request, Exchange& exchange) {
  const Parameters parameters(request.query, {"model", "text"});
  std::string chosen, json = "{\"checkpoints\":[";
  static_cast<void>(known_models(&chosen));
  const std::string model = parameters.text("model", chosen);
  const auto list = [&](const RunCheckpoint& one) {
    if (json.back() != '[') json += ',';
    json += to_json(one);
  };
  if (options_.run.empty() && model == kBuiltinModel)
    for (const KeptRun& kept : kept_runs(parameters.text("text", ""))) list(kept.checkpoint);
  if (!options_.run.empty() && model == chosen)
    for (const RunCheckpoint& one : run_checkpoints(options_.run)) list(one);
  exchange.send(200, kJson, json + "]}");
}

void Api::of_trace(const std::string& id, const std::string& what, const Request& request,
                   Exchange& exchange) {
  const std::shared_ptr<StoredTrace> stored = store_.get(id);
  const Trace& trace = stored->trace();
  std::string json;
  const Sink sink = [&](std::string_view bytes) { json += bytes; };
  if (what.empty()) {
    write_trace_info(session_, trace, id, sink);
  } else if (what == "measures") {
    json = "{\"measures\":";
    write_measures(trace.kind, stored->measures(exchange.cancel()), sink);
    json += '}';
  } else if (what == "tile") {
    return tile(trace, request, exchange);
  } else if (what == "explain") {
    return explain_token(trace, request, exchange);
  } else if (what == "export") {
    return write_export(*stored, request, exchange);
  } else {
    throw Failure{404, fmt::format("{}: not there", request.path)};
  }
  exchange.send(200, kJson, json);
}

void Api::ask(const Request& request, Exchange& exchange) {
  struct Question {
    std::string question, facts, language;
  };
  constexpr std::size_t kMost = 64 << 10;
  if (request.body.size() > kMost)
    throw Failure{413, fmt::format("question: expected at most {} bytes, found {}", kMost,
                                   request.body.size())};
  const auto asked = read_body(request, [](const Json& json) {
    return Question{std::string(json.at("question").string()),
                    std::string(json.at("facts").string()),
                    std::string(json.at("language").string())};
  });
  const std::string answer =
      assistant_.ask(asked.question, asked.facts, asked.language, exchange.cancel());
  exchange.send(200, kJson, fmt::format("{{\"answer\":{}}}", json_quoted(answer)));
}

}  // namespace regard::server
