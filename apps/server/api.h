// SPDX-License-Identifier: Apache-2.0
// What the page asks of the program: docs/api.md.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "apps/server/assistant.h"
#include "apps/server/http_server.h"
#include "apps/server/parameters.h"
#include "apps/server/runs.h"
#include "apps/server/trace_store.h"
#include "regard/session/session.h"

namespace regard::server {

struct ApiOptions {
  std::string model;               // shown first; empty: the default
  std::string run;                 // a training run's folder, whose checkpoints are shown; or empty
  std::string token;               // asked of every client; empty: nobody is asked
  std::vector<std::string> hosts;  // names that clients may call this machine, beside localhost
                                   // and numeric addresses
  std::uint64_t budget = 0;        // bytes of traces in memory
  std::string temporary = "/tmp";  // where the others go
  AssistantOptions assistant;
};

// Thread safety: handle() from any thread, add() before. The session must outlive it, and only it
// may use it.
class Api {
 public:
  Api(Session& session, ApiOptions options);
  // Shows a trace beside those of runs.
  void add(Trace trace) { store_.add(std::move(trace)); }
  // Goes with every answer.
  static Headers common_headers();
  void handle(const Request& request, Exchange& exchange);

 private:
  void check_access(const Request& request) const;
  bool knows_token(const Request& request) const;
  void page(const Request& request, Exchange& exchange);
  void models(Exchange& exchange);
  void start_run(const Request& request, Exchange& exchange);
  void follow_run(const std::string& id, Exchange& exchange);
  void list_traces(Exchange& exchange);
  void list_checkpoints(const Request& request, Exchange& exchange);
  void of_trace(const std::string& id, const std::string& what, const Request& request,
                Exchange& exchange);
  void tile(const Trace& trace, const Request& request, Exchange& exchange);
  void explain_token(const Trace& trace, const Request& request, Exchange& exchange);
  void write_export(StoredTrace& stored, const Request& request, Exchange& exchange);
  void ask(const Request& request, Exchange& exchange);
  // What this machine has, looked up again after some seconds; the chosen one's name.
  std::vector<ModelEntry> known_models(std::string* chosen);

  Session& session_;
  const ApiOptions options_;
  TraceStore store_;
  Runs runs_;
  Assistant assistant_;
  std::atomic<int> streams_{0};
  std::timed_mutex large_;  // held for a tile that takes long
  std::mutex models_mutex_;
  std::vector<ModelEntry> models_;
  std::string chosen_;
  std::chrono::steady_clock::time_point models_until_{};
};

}  // namespace regard::server
