// SPDX-License-Identifier: Apache-2.0
// HTTP requests through libcurl, which is loaded only when somebody asks for one: linking it would
// cost every other start of the program a few milliseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "regard/platform/threads.h"

namespace regard {

struct HttpRequest {
  std::string url;
  std::string token;       // sent as Authorization: Bearer to the URL's own host, if any
  bool head = false;       // no body
  bool redirects = false;  // follow them
  std::uint64_t from = 0;  // the first byte wanted; not 0: a Range request
  int timeout = 10;        // seconds without an answer or a byte
  int most_seconds = 0;    // for all of it; 0: any
  std::string json;        // not empty: posted
};

struct HttpResponse {
  int status = 0;                              // 0: no answer at all
  std::map<std::string, std::string> headers;  // of the last answer; names in lower case
  std::string problem;                         // why the transfer broke off; empty: it did not
  std::string header(const std::string& name) const;
};

// Thread safety: one request at a time.
class Http {
 public:
  // Throws Error when libcurl is not on this machine.
  Http();
  ~Http();
  // Called with the answer so far (status and headers are known) and bytes of the body of a 2xx
  // answer, in order.
  using Body = std::function<void(const HttpResponse& answer, std::span<const std::byte> bytes)>;
  // Never throws for what the network does; whatever `body` throws, and Error kCancelled, pass.
  HttpResponse send(const HttpRequest& request, const Body& body,
                    const CancelToken* cancel = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace regard
