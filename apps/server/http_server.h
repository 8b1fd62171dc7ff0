// SPDX-License-Identifier: Apache-2.0
// Serves HTTP to a bounded number of clients, each on a thread of its own, and closes those that
// are slow. What is served is the handler's business.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/server/http_message.h"
#include "regard/platform/threads.h"

namespace regard::server {

inline constexpr int kMostConnections = 64;
inline constexpr int kPatience = 5;  // seconds: for a request to begin, to arrive, to be taken

using Headers = std::vector<std::pair<std::string, std::string>>;

// The answer to one request. Thread safety: the handler's thread, except for cancel().
class Exchange {
 public:
  virtual ~Exchange() = default;
  // Cancelled when the client is gone or the server stops. Each function below throws Error
  // kCancelled when the client is gone or too slow.
  virtual const CancelToken* cancel() const = 0;
  // A whole answer.
  virtual void send(int status, const Headers& headers, std::string_view body) = 0;
  // An answer in pieces, as they come; the connection ends with it. Begun by the first piece.
  virtual void begin(int status, const Headers& headers) = 0;
  virtual void piece(std::string_view bytes) = 0;
};

// Answers with Exchange::send, or begin and pieces. What it throws becomes a JSON error: Failure
// its own status, Error (usage) 400, any other Error 500.
using Handler = std::function<void(const Request& request, Exchange& exchange)>;

// Thread safety: run() on one thread; stop() from any, and from a signal handler.
class HttpServer {
 public:
  // Listens. address: a numeric address or a name; port 0: any free one. `common` goes with every
  // answer. Throws Error.
  HttpServer(const std::string& address, int port, Headers common, Handler handler);
  ~HttpServer();

  int port() const;
  // Whether only this machine can reach it.
  bool loopback() const;
  // Serves until stop(): then tells handlers to cancel, and returns when all have ended.
  void run();
  void stop() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace regard::server
