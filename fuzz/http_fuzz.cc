// SPDX-License-Identifier: Apache-2.0
// Reads any bytes as the head of an HTTP request: only a Failure may escape.
#include <cstddef>
#include <cstdint>

#include "apps/server/http_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace regard::server;
  try {
    body_length(parse_head({reinterpret_cast<const char*>(data), size}));
  } catch (const Failure&) {
  }
  return 0;
}
