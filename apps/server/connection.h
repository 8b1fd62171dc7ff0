// SPDX-License-Identifier: Apache-2.0
// One client's socket: requests read and answers written, each within its time. Private to the
// HTTP server.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "apps/server/http_server.h"

namespace regard::server {

// Thread safety: one thread's, except for what says otherwise.
class Connection : public Exchange {
 public:
  // Takes the socket, which must be non-blocking, over.
  Connection(int socket, const Headers& common) : socket_(socket), common_(common) {}
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Answers requests until the client ends, errs or is slow.
  void serve(const Handler& handler);

  // From any thread: what serve() is doing, for the thread that watches over all.
  int socket() const { return socket_; }
  bool busy() const { return busy_.load(); }    // a handler is at work
  bool ended() const { return ended_.load(); }  // serve() has returned
  // From any thread: the handler shall stop, and nothing more is read or written.
  void abandon();

  const CancelToken* cancel() const override { return &cancel_; }
  void send(int status, const Headers& headers, std::string_view body) override;
  void begin(int status, const Headers& headers) override;
  void piece(std::string_view bytes) override;

 private:
  using Clock = std::chrono::steady_clock;
  // Nothing when the client ended or did not ask in time.
  std::optional<Request> read_request();
  // False when it came to nothing by the deadline.
  bool read_some(Clock::time_point deadline);
  void write_all(std::string_view bytes);
  void answer(const Handler& handler, const Request& request);
  void refuse(int status, std::string_view reason);
  std::string head_of(int status, const Headers& headers) const;
  void close_gently();

  const int socket_;
  const Headers& common_;
  std::string buffer_;  // read and not yet used
  CancelToken cancel_;
  std::atomic<bool> busy_{false}, ended_{false};
  bool begun_ = false;    // an answer is on its way
  bool closing_ = false;  // after the answer
};

// Waits until the socket can be read or written (poll's events). False after the deadline.
bool wait_for(int socket, short events, std::chrono::steady_clock::time_point deadline);

}  // namespace regard::server
