// SPDX-License-Identifier: Apache-2.0
// Reads any bytes as a tokenizer.json and, when they are one, puts a text of many scripts
// through and back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "regard/platform/error.h"
#include "regard/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  // Scripts, marks, emoji, white space, what files call their added tokens, and long runs.
  static const std::string text =
      "A[SEP] [MASK] <s></s> caf\u00e9 e\u0301\u0323\u0301, \u4e2d\u6587\u3002 \uac00\u1100\u1161 "
      "\u0130x <t>  "
      "\U0001F468\u200d\U0001F469 \u0939\u093f \u0e01\u0e33 \u0627\u064e 12\u0661\u2167\u00b2 "
      "\ufb01 it's don't\t\r\n "
      "\u2581\u00a0\u3000\x0b_a-b.c" +
      std::string(200, ' ') + std::string(200, 'a') + std::string(64, '\n') + "ab";
  try {
    const auto tokenizer = regard::Tokenizer::from_json(json, "input");
    std::vector<std::int64_t> ids;
    for (const auto& token : tokenizer.encode_pair(text, text).tokens) {
      if (token.span.start > token.span.end || token.span.end > text.size()) __builtin_trap();
      ids.push_back(token.id);
    }
    tokenizer.decode(ids, true);
  } catch (const regard::Error&) {
    return 0;
  }
  return 0;
}
