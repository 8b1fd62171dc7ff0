// SPDX-License-Identifier: Apache-2.0
// libcurl's easy interface, its functions found at run time (curl.se/libcurl/c, dlopen(3)).
#include "regard/session/http.h"

// The checked macros of curl's header stand for the functions; we call pointers to them.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>

#include "regard/platform/error.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace regard {
namespace {

constexpr const char* kLibrary = "libcurl.so.4";
constexpr long kMostRedirects = 10;

// The functions that are used.
struct Curl {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
};

template <typename F>
void find(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(::dlsym(library, name));
  if (*function == nullptr)
    throw Error::at(kLibrary, "", fmt::format("the function {}", name), "none of that name");
}

// Loaded once and kept: libcurl does not like to be unloaded.
const Curl& curl() {
  static const Curl functions = [] {
    void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      throw Error::at(kLibrary, "",
                      "the library that fetches files (on Debian the package libcurl4)",
                      ::dlerror());
    Curl found{};
    find(library, "curl_global_init", &found.global_init);
    find(library, "curl_easy_init", &found.easy_init);
    find(library, "curl_easy_setopt", &found.easy_setopt);
    find(library, "curl_easy_perform", &found.easy_perform);
    find(library, "curl_easy_getinfo", &found.easy_getinfo);
    find(library, "curl_easy_cleanup", &found.easy_cleanup);
    find(library, "curl_easy_strerror", &found.easy_strerror);
    find(library, "curl_slist_append", &found.slist_append);
    find(library, "curl_slist_free_all", &found.slist_free_all);
    if (found.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
      throw Error::at(kLibrary, "", "a library that starts", "a failure");
    return found;
  }();
  return functions;
}

// What the callbacks of one request share. Exceptions wait here while C code is on the stack.
struct Transfer {
  HttpResponse answer;
  const Http::Body* body;
  const CancelToken* cancel;
  std::exception_ptr failure;
};

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
  HttpResponse& answer = static_cast<Transfer*>(user)->answer;
  std::string_view line(data, size * count);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    // The answer after a redirect begins anew.
    answer.headers.clear();
    const std::size_t space = line.find(' ');
    answer.status = 0;
    for (std::size_t i = space + 1; space != line.npos && i < line.size() && i < space + 4; ++i)
      if (line[i] >= '0' && line[i] <= '9') answer.status = answer.status * 10 + (line[i] - '0');
  } else if (const std::size_t colon = line.find(':'); colon != line.npos) {
    std::string name(line.substr(0, colon));
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    line.remove_prefix(colon + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    answer.headers[name] = line;
  }
  return size * count;
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  if (transfer->answer.status < 200 || transfer->answer.status > 299) return size * count;
  try {
    (*transfer->body)(transfer->answer, std::as_bytes(std::span(data, size * count)));
  } catch (...) {
    transfer->failure = std::current_exception();
    return 0;
  }
  return size * count;
}

int take_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* transfer = static_cast<Transfer*>(user);
  return transfer->cancel != nullptr && transfer->cancel->cancelled() ? 1 : 0;
}

}  // namespace

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

struct Http::State {
  CURL* handle = nullptr;
};

Http::Http() : state_(std::make_unique<State>()) {
  state_->handle = curl().easy_init();
  if (state_->handle == nullptr) throw Error("libcurl: no handle can be had");
}

Http::~Http() { curl().easy_cleanup(state_->handle); }

HttpResponse Http::send(const HttpRequest& request, const Body& body, const CancelToken* cancel) {
  const Curl& c = curl();
  Transfer transfer{{}, &body, cancel, nullptr};
  std::array<char, CURL_ERROR_SIZE> problem{};
  curl_slist* headers = nullptr;
  if (!request.token.empty())
    headers = c.slist_append(headers, ("Authorization: Bearer " + request.token).c_str());
  if (!request.json.empty()) headers = c.slist_append(headers, "Content-Type: application/json");
  const auto set = [&](CURLoption option, auto value) {
    c.easy_setopt(state_->handle, option, value);
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_USERAGENT, "regard");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_NOBODY, request.head ? 1L : 0L);
  if (!request.head) set(CURLOPT_HTTPGET, 1L);
  if (!request.json.empty()) {
    set(CURLOPT_POSTFIELDS, request.json.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.json.size()));
  }
  set(CURLOPT_TIMEOUT, static_cast<long>(request.most_seconds));
  set(CURLOPT_FOLLOWLOCATION, request.redirects ? 1L : 0L);
  set(CURLOPT_MAXREDIRS, kMostRedirects);
  const std::string range = fmt::format("{}-", request.from);
  // Not RESUME_FROM, which fails where a server sends the whole file instead.
  set(CURLOPT_RANGE, request.from > 0 ? range.c_str() : static_cast<const char*>(nullptr));
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(request.timeout));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.timeout));
  // libcurl takes the header only to the host of the URL, not to where it redirects.
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_ERRORBUFFER, problem.data());
  set(CURLOPT_HEADERFUNCTION, &take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  set(CURLOPT_WRITEFUNCTION, &take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &take_progress);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
  const CURLcode code = c.easy_perform(state_->handle);
  set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));
  c.slist_free_all(headers);
  if (transfer.failure) std::rethrow_exception(transfer.failure);
  if (cancel != nullptr) cancel->check();
  if (code != CURLE_OK)
    transfer.answer.problem = problem[0] != '\0' ? problem.data() : c.easy_strerror(code);
  return transfer.answer;
}

}  // namespace regard
