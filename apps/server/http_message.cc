// SPDX-License-Identifier: Apache-2.0
// Reading a request strictly: what is not plain HTTP/1.1 is refused with a reason.
#include "apps/server/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "regard/platform/json.h"

namespace regard::server {
namespace {

constexpr std::size_t kMostHeaders = 100;

[[noreturn]] void bad(std::string reason) { throw Failure{400, std::move(reason)}; }

// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// plus: a plus sign is a blank (application/x-www-form-urlencoded).
std::string percent_decoded(std::string_view text, bool plus) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? digit_of(text[i + 2]) : -1;
      if (high < 0 || low < 0) bad("address: expected two hexadecimal digits after %");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (plus && c == '+') {
      c = ' ';
    }
    if (c == '\0') bad("address: expected text, found a zero byte");
    out += c;
  }
  return out;
}

void parse_target(std::string_view target, Request* request) {
  if (target.empty() || target.front() != '/') bad("address: expected one that begins with /");
  target = target.substr(0, target.find('#'));
  const std::size_t mark = target.find('?');
  request->path = percent_decoded(target.substr(0, mark), false);
  std::string_view rest = mark == target.npos ? "" : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    std::string name = percent_decoded(part.substr(0, equals), true);
    std::string value = percent_decoded(part.substr(std::min(part.size(), equals + 1)), true);
    if (!request->query.emplace(name, std::move(value)).second)
      bad(fmt::format("address: expected {} once", name));
  }
}

void parse_request_line(std::string_view line, Request* request) {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last) bad("request line: expected method, address, version");
  request->method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    throw Failure{505, "version: expected HTTP/1.1"};
  request->keep_alive = version == "HTTP/1.1";
  if (!is_token(request->method)) bad("method: expected a word");
  if (request->method != "GET" && request->method != "POST" && request->method != "DELETE")
    throw Failure{405,
                  fmt::format("method: expected GET, POST or DELETE, found {}", request->method)};
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (std::any_of(target.begin(), target.end(), [](char c) { return c <= ' ' || c == '\x7f'; }))
    bad("address: expected no blanks and no control characters");
  parse_target(target, request);
}

void parse_header(std::string_view line, Request* request) {
  const std::size_t colon = line.find(':');
  if (colon == line.npos || !is_token(line.substr(0, colon)))
    bad("header: expected a name and a colon");
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  for (const char c : value)
    if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f')
      bad("header: expected no control characters");
  const std::string name = lower(line.substr(0, colon));
  const auto [at, fresh] = request->headers.emplace(name, value);
  if (fresh) return;
  // What decides who may ask, and where a message ends, must be said once.
  if (name == "host" || name == "origin" || name == "content-length" || name == "authorization")
    bad(fmt::format("header: expected {} once", name));
  at->second += (name == "cookie" ? "; " : ", ");
  at->second += value;
}

}  // namespace

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

Request parse_head(std::string_view head) {
  Request request;
  std::size_t lines = 0;
  while (true) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    if (line.find_first_of("\r\n") != line.npos) bad("header: expected lines that end in CR LF");
    if (lines++ == 0)
      parse_request_line(line, &request);
    else
      parse_header(line, &request);
    if (lines > kMostHeaders + 1)
      throw Failure{431, fmt::format("headers: expected at most {}", kMostHeaders)};
    if (end == head.npos) break;
    head.remove_prefix(end + 2);
  }
  const std::string connection = lower(request.header("connection"));
  if (connection == "close") request.keep_alive = false;
  if (connection == "keep-alive") request.keep_alive = true;
  return request;
}

std::size_t body_length(const Request& request) {
  if (request.headers.contains("transfer-encoding"))
    throw Failure{501, "body: expected a Content-Length, found a Transfer-Encoding"};
  const auto found = request.headers.find("content-length");
  if (found == request.headers.end()) {
    if (request.method == "POST") throw Failure{411, "body: expected a Content-Length"};
    return 0;
  }
  const std::string& text = found->second;
  std::size_t length = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  const bool number = stop == text.data() + text.size() && !text.empty();
  if (number && (error == std::errc::result_out_of_range || length > kMostBodyBytes))
    throw Failure{413,
                  fmt::format("body: expected at most {} bytes, found {}", kMostBodyBytes, text)};
  if (!number || error != std::errc()) bad("Content-Length: expected a number of bytes");
  return length;
}

std::string_view phrase_of(int status) {
  constexpr std::pair<int, std::string_view> kPhrases[] = {{200, "OK"},
                                                           {202, "Accepted"},
                                                           {204, "No Content"},
                                                           {303, "See Other"},
                                                           {400, "Bad Request"},
                                                           {401, "Unauthorized"},
                                                           {403, "Forbidden"},
                                                           {404, "Not Found"},
                                                           {405, "Method Not Allowed"},
                                                           {408, "Request Timeout"},
                                                           {409, "Conflict"},
                                                           {411, "Length Required"},
                                                           {413, "Content Too Large"},
                                                           {415, "Unsupported Media Type"},
                                                           {431, "Request Header Fields Too Large"},
                                                           {500, "Internal Server Error"},
                                                           {501, "Not Implemented"},
                                                           {502, "Bad Gateway"},
                                                           {503, "Service Unavailable"},
                                                           {505, "HTTP Version Not Supported"}};
  for (const auto& [code, phrase] : kPhrases)
    if (code == status) return phrase;
  return "Unknown";
}

std::string error_json(std::string_view reason) {
  return fmt::format("{{\"error\":{}}}", json_quoted(reason));
}

}  // namespace regard::server
