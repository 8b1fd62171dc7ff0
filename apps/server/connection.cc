// SPDX-License-Identifier: Apache-2.0
// A client's requests, one after the other, against the clock.
#include "apps/server/connection.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "regard/platform/error.h"

namespace regard::server {
namespace {

constexpr std::size_t kPiece = 64 << 10;  // bytes that must pass within kPatience
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr auto kFarewell = std::chrono::seconds(1);

std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(kPatience);
}

[[noreturn]] void client_gone() { throw Error("the client is gone", Error::Kind::kCancelled); }

}  // namespace

bool wait_for(int socket, short events, std::chrono::steady_clock::time_point deadline) {
  while (true) {
    // Rounded up: whoever is told that time is over finds it so.
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd one{socket, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

Connection::~Connection() { ::close(socket_); }

void Connection::abandon() {
  cancel_.cancel();
  ::shutdown(socket_, SHUT_RDWR);
}

bool Connection::read_some(Clock::time_point deadline) {
  char bytes[1 << 14];
  while (wait_for(socket_, POLLIN, deadline)) {
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got > 0) {
      buffer_.append(bytes, static_cast<std::size_t>(got));
      return true;
    }
    if (got == 0) return false;
    if (errno != EINTR && errno != EAGAIN) return false;
  }
  return false;
}

void Connection::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    // A reader that trickles is as bad as one that stands still.
    std::string_view part = bytes.substr(0, kPiece);
    bytes.remove_prefix(part.size());
    const Clock::time_point deadline = soon();
    while (!part.empty()) {
      const ssize_t done = ::send(socket_, part.data(), part.size(), MSG_NOSIGNAL);
      if (done > 0) {
        part.remove_prefix(static_cast<std::size_t>(done));
      } else if (done < 0 && errno == EAGAIN) {
        if (!wait_for(socket_, POLLOUT, deadline)) client_gone();
      } else if (done < 0 && errno != EINTR) {
        client_gone();
      }
    }
  }
}

std::optional<Request> Connection::read_request() {
  Clock::time_point deadline = soon();
  if (buffer_.empty()) {
    if (!read_some(deadline)) return std::nullopt;
    deadline = soon();
  }
  std::size_t end = 0;
  while ((end = buffer_.find(kEndOfHead)) == buffer_.npos) {
    if (buffer_.size() > kMostHeadBytes) break;
    if (read_some(deadline)) continue;
    if (Clock::now() < deadline) return std::nullopt;  // gone
    throw Failure{408, fmt::format("request: expected all of it within {} s", kPatience)};
  }
  if (std::min(end, buffer_.size()) > kMostHeadBytes)
    throw Failure{431, fmt::format("headers: expected at most {} bytes", kMostHeadBytes)};
  Request request = parse_head(std::string_view(buffer_).substr(0, end));
  buffer_.erase(0, end + kEndOfHead.size());
  const std::size_t length = body_length(request);
  if (length > 0 && request.header("expect") == "100-continue" && buffer_.empty())
    write_all("HTTP/1.1 100 Continue\r\n\r\n");
  deadline = soon();
  for (std::size_t wanted = kPiece; buffer_.size() < length;) {
    if (buffer_.size() >= wanted) {
      wanted = buffer_.size() + kPiece;
      deadline = soon();
    }
    if (read_some(deadline)) continue;
    if (Clock::now() < deadline) return std::nullopt;
    throw Failure{408, fmt::format("body: expected {} bytes each {} s", kPiece, kPatience)};
  }
  request.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return request;
}

std::string Connection::head_of(int status, const Headers& headers) const {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status, phrase_of(status));
  for (const Headers* list : {&common_, &headers})
    for (const auto& [name, value] : *list) head += fmt::format("{}: {}\r\n", name, value);
  return head + (closing_ ? "Connection: close\r\n" : "");
}

void Connection::send(int status, const Headers& headers, std::string_view body) {
  begun_ = true;
  const std::string head = head_of(status, headers);
  write_all(status == 204 ? head + "\r\n"
                          : fmt::format("{}Content-Length: {}\r\n\r\n", head, body.size()));
  write_all(body);
}

void Connection::begin(int status, const Headers& headers) {
  begun_ = closing_ = true;
  write_all(head_of(status, headers) + "\r\n");
}

void Connection::piece(std::string_view bytes) { write_all(bytes); }

void Connection::refuse(int status, std::string_view reason) {
  if (begun_) {  // too late for another answer
    closing_ = true;
    return;
  }
  send(status, {{"Content-Type", "application/json"}}, error_json(reason));
}

void Connection::answer(const Handler& handler, const Request& request) {
  begun_ = false;
  closing_ = !request.keep_alive;
  busy_ = true;
  try {
    handler(request, *this);
  } catch (const Failure& failure) {
    refuse(failure.status, failure.reason);
  } catch (const Error& error) {
    if (error.kind() == Error::Kind::kCancelled) client_gone();
    refuse(error.kind() == Error::Kind::kUsage ? 400 : 500, error.what());
  } catch (const std::bad_alloc&) {
    refuse(503, "out of memory");
  } catch (const std::exception& error) {
    refuse(500, error.what());
  }
  busy_ = false;
}

// Without the wait the answer could be lost: closing a socket with unread bytes resets it.
void Connection::close_gently() {
  ::shutdown(socket_, SHUT_WR);
  const Clock::time_point deadline = Clock::now() + kFarewell;
  do buffer_.clear();
  while (read_some(deadline));
}

void Connection::serve(const Handler& handler) {
  try {
    while (!closing_) {
      std::optional<Request> request;
      try {
        request = read_request();
      } catch (const Failure& failure) {  // where the next request begins is unknown now
        begun_ = false;
        closing_ = true;
        refuse(failure.status, failure.reason);
        break;
      }
      if (!request) break;
      answer(handler, *request);
    }
    close_gently();
  } catch (const std::exception&) {
    // The client is gone; nobody is left to be told.
  }
  busy_ = false;
  ended_ = true;
}

}  // namespace regard::server
