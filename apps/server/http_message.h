// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 messages (RFC 9110, RFC 9112), the small part of it that a page needs: no transfer
// codings in requests, no compression, no ranges.
// Thread safety: plain values and pure functions.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace regard::server {

inline constexpr std::size_t kMostHeadBytes = 16 << 10;  // request line and headers
inline constexpr std::size_t kMostBodyBytes = 8 << 20;

// A request that cannot be served: what its answer says. Thrown.
struct Failure {
  int status;
  std::string reason;
};

struct Request {
  std::string method;                          // GET, POST or DELETE
  std::string path;                            // begins with "/", percent-decoded
  std::map<std::string, std::string> query;    // decoded, each name once
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  bool keep_alive = true;

  // Empty when it is not there.
  std::string header(const std::string& name) const;
};

// The request line and the headers, without the empty line that ends them. Throws Failure.
Request parse_head(std::string_view head);
// Bytes of the body that follows. Throws Failure.
std::size_t body_length(const Request& request);

// "Not Found" for 404.
std::string_view phrase_of(int status);
// {"error": reason}
std::string error_json(std::string_view reason);

}  // namespace regard::server
