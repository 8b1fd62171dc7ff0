// SPDX-License-Identifier: Apache-2.0
// Accepts clients, watches over those being answered, and ends in good order.
#include "apps/server/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <thread>

#include "apps/server/connection.h"
#include "regard/platform/error.h"

namespace regard::server {
namespace {

constexpr auto kWatch = std::chrono::milliseconds(100);  // clients that leave are noticed so often
constexpr auto kFarewell = std::chrono::seconds(1);
constexpr std::size_t kMostRefused = 64;

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
  }
  if (address->sa_family == AF_INET6)
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr) != 0;
  return false;
}

struct Client {
  Client(int socket, const Headers& common) : connection(socket, common) {}
  Connection connection;
  std::thread thread;
};

// One that was turned away, until it has read why.
struct Refused {
  int socket;
  std::chrono::steady_clock::time_point until;
};

}  // namespace

struct HttpServer::State {
  Headers common;
  Handler handler;
  int listener = -1, wake = -1;
  int port = 0;
  bool loopback = false;
  std::list<Client> clients;
  std::list<Refused> refused;

  ~State() {
    for (const Refused& one : refused) ::close(one.socket);
    if (listener >= 0) ::close(listener);
    if (wake >= 0) ::close(wake);
  }

  void listen_at(const std::string& address, int wanted);
  void accept_all();
  void refuse(int socket);
  void watch(const std::vector<pollfd>& ready);
  void reap();
};

void HttpServer::State::listen_at(const std::string& address, int wanted) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(wanted);
  if (const int wrong = ::getaddrinfo(address.c_str(), service.c_str(), &hints, &found); wrong != 0)
    throw Error::at("listen", address, "an address of this machine", ::gai_strerror(wrong));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  const auto fail = [&] {
    throw Error(
        fmt::format("{} port {}: cannot listen: {}", address, wanted, std::strerror(errno)));
  };
  listener = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) fail();
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener, found->ai_addr, found->ai_addrlen) != 0) fail();
  if (::listen(listener, 128) != 0) fail();
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size) != 0) fail();
  port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
  loopback = is_loopback(reinterpret_cast<sockaddr*>(&bound));
}

// Never waits for the client: this thread is everybody's.
void HttpServer::State::refuse(int socket) {
  const std::string body = error_json(
      fmt::format("all {} connections are in use; close a page or try again", kMostConnections));
  std::string head = "HTTP/1.1 503 Service Unavailable\r\n";
  for (const auto& [name, value] : common) head += fmt::format("{}: {}\r\n", name, value);
  const std::string answer = fmt::format(
      "{}Content-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
      "Content-Length: {}\r\n\r\n{}",
      head, body.size(), body);
  const ssize_t sent = ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 || refused.size() >= kMostRefused) {
    ::close(socket);
    return;
  }
  ::shutdown(socket, SHUT_WR);
  refused.push_back({socket, std::chrono::steady_clock::now() + kFarewell});
}

void HttpServer::State::accept_all() {
  while (true) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) {
      // No descriptor can be had: the client waits in the queue until one is free.
      if (errno == EMFILE || errno == ENFILE) std::this_thread::sleep_for(kWatch);
      return;
    }
    reap();
    if (clients.size() >= kMostConnections) {
      refuse(socket);
      continue;
    }
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Client& client = clients.emplace_back(socket, common);
    try {
      client.thread = std::thread([this, &client] { client.connection.serve(handler); });
    } catch (const std::system_error&) {  // no thread can be had
      clients.pop_back();
    }
  }
}

void HttpServer::State::reap() {
  for (auto at = clients.begin(); at != clients.end();) {
    if (!at->connection.ended()) {
      ++at;
      continue;
    }
    at->thread.join();
    at = clients.erase(at);
  }
}

// Handlers whose client has left are told to stop; those turned away are let go.
void HttpServer::State::watch(const std::vector<pollfd>& ready) {
  for (const pollfd& one : ready) {
    if ((one.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) continue;
    for (Client& client : clients)
      if (client.connection.socket() == one.fd && client.connection.busy())
        client.connection.abandon();
  }
  const auto now = std::chrono::steady_clock::now();
  for (auto at = refused.begin(); at != refused.end();) {
    char bytes[4096];
    const ssize_t got = ::recv(at->socket, bytes, sizeof bytes, MSG_DONTWAIT);
    const bool open = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
    if (open && now < at->until) {
      ++at;
      continue;
    }
    ::close(at->socket);
    at = refused.erase(at);
  }
}

HttpServer::HttpServer(const std::string& address, int port, Headers common, Handler handler)
    : state_(std::make_unique<State>()) {
  state_->common = std::move(common);
  state_->handler = std::move(handler);
  state_->wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (state_->wake < 0) throw Error(fmt::format("eventfd: {}", std::strerror(errno)));
  state_->listen_at(address, port);
}

HttpServer::~HttpServer() = default;

int HttpServer::port() const { return state_->port; }
bool HttpServer::loopback() const { return state_->loopback; }

void HttpServer::stop() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t done = ::write(state_->wake, &one, sizeof one);
}

void HttpServer::run() {
  State& s = *state_;
  while (true) {
    s.reap();
    std::vector<pollfd> sockets = {{s.wake, POLLIN, 0}, {s.listener, POLLIN, 0}};
    for (const Client& client : s.clients)
      if (client.connection.busy() && !client.connection.cancel()->cancelled())
        sockets.push_back({client.connection.socket(), POLLRDHUP, 0});
    const int ready = ::poll(sockets.data(), sockets.size(), static_cast<int>(kWatch.count()));
    if (ready < 0 && errno != EINTR) throw Error(fmt::format("poll: {}", std::strerror(errno)));
    if (ready > 0 && sockets[0].revents != 0) break;
    s.watch(ready > 0 ? sockets : std::vector<pollfd>());
    if (ready > 0 && sockets[1].revents != 0) s.accept_all();
  }
  for (Client& client : s.clients) client.connection.abandon();
  for (Client& client : s.clients) client.thread.join();
  s.clients.clear();
}

}  // namespace regard::server
