// SPDX-License-Identifier: Apache-2.0
// One chat completion (platform.openai.com/docs/api-reference/chat, which Ollama, llama.cpp and
// vLLM speak too).
#include "apps/server/assistant.h"

#include <fmt/format.h>

#include "apps/server/http_message.h"
#include "apps/server/place.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/session/http.h"

namespace regard::server {
namespace {

constexpr int kSeconds = 120;                              // for the whole answer
constexpr std::size_t kMostAnswer = std::size_t{1} << 20;  // bytes
constexpr int kMostTokens = 800;

std::string message(std::string_view role, std::string_view text) {
  return fmt::format(R"({{"role":"{}","content":{}}})", role, json_quoted(text));
}

std::string answer_in(const std::string& body) {
  const JsonDocument document = JsonDocument::parse(body, "answer", false);
  std::string text;
  document.root().at("choices").for_each_element([&](std::size_t index, Json choice) {
    if (index == 0) text = choice.at("message").at("content").string();
  });
  if (text.empty()) throw Error("answer: expected a message, found none");
  return text;
}

}  // namespace

std::string Assistant::ask(const std::string& question, const std::string& facts,
                           const std::string& language, const CancelToken* cancel) {
  if (options_.url.empty())
    throw Failure{404, "no language model is set up; `regard serve --ask-url` names one"};
  const Place place(&open_, kMostAtOnce);
  if (!place.granted()) throw Failure{503, "too many questions at once; try again"};

  HttpRequest request;
  request.url = options_.url;
  while (request.url.ends_with('/')) request.url.pop_back();
  if (!request.url.ends_with("/chat/completions")) request.url += "/chat/completions";
  request.token = options_.key;
  request.timeout = request.most_seconds = kSeconds;
  const std::string rules = fmt::format(
      "You answer questions about attention in transformers to somebody who looks at it in Regard, "
      "an attention microscope. Use the numbers below and say so when they do not tell. At most "
      "two short paragraphs, plain words, no markup, in this language: {}.\n\n{}",
      language, facts);
  request.json = fmt::format(R"({{"model":{},"messages":[{},{}],"max_tokens":{},"stream":false}})",
                             json_quoted(options_.model), message("system", rules),
                             message("user", question), kMostTokens);
  std::string body;
  HttpResponse answer;
  try {
    answer = Http().send(
        request,
        [&](const HttpResponse&, std::span<const std::byte> bytes) {
          if (body.size() + bytes.size() > kMostAnswer)
            throw Error(fmt::format("answer: expected at most {} bytes, found more", kMostAnswer));
          body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        },
        cancel);
    if (answer.status >= 200 && answer.status <= 299 && answer.problem.empty())
      return answer_in(body);
  } catch (const Error& error) {
    if (error.kind() == Error::Kind::kCancelled) throw;
    throw Failure{502, fmt::format("the language model: {}", error.what())};
  }
  throw Failure{502, fmt::format("the language model: expected an answer, found {}",
                                 answer.problem.empty() ? fmt::format("status {}", answer.status)
                                                        : answer.problem)};
}

}  // namespace regard::server
