// SPDX-License-Identifier: Apache-2.0
// Reads any bytes as a tokenizer.json and, when they are one, puts a text of many scripts
// through and back.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "regard/platform/error.h"
#include "regard/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kText =
      "A[SEP] caf\u00e9 e\u0301\u0323, \u4e2d\u6587 \uac00 \u0130x <t>  \U0001F600 \u0939\u093f";
  try {
    const auto tokenizer = regard::Tokenizer::from_json(json, "input");
    std::vector<std::int64_t> ids;
    for (const auto& token : tokenizer.encode_pair(kText, kText).tokens) {
      if (token.span.start > token.span.end || token.span.end > kText.size()) __builtin_trap();
      ids.push_back(token.id);
    }
    tokenizer.decode(ids, true);
  } catch (const regard::Error&) {
    return 0;
  }
  return 0;
}
