// SPDX-License-Identifier: Apache-2.0
// The language model that free questions go to: a service with OpenAI's chat interface, when the
// user names one.
#pragma once

#include <atomic>
#include <string>

#include "regard/platform/threads.h"

namespace regard::server {

struct AssistantOptions {
  std::string url;    // such as http://localhost:11434/v1; empty: none
  std::string model;  // as the service calls it
  std::string key;    // sent to the service alone
};

// Thread safety: any thread.
class Assistant {
 public:
  explicit Assistant(AssistantOptions options) : options_(std::move(options)) {}
  // Empty when there is none.
  const std::string& model() const { return options_.model; }
  // The service's answer in `language`, given what is known. Throws Failure with a reason: 404
  // without a service, 503 when kMostAtOnce questions are open, 502 when the service fails.
  std::string ask(const std::string& question, const std::string& facts,
                  const std::string& language, const CancelToken* cancel);

  static constexpr int kMostAtOnce = 4;

 private:
  const AssistantOptions options_;
  std::atomic<int> open_{0};
};

}  // namespace regard::server
