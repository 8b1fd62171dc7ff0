// SPDX-License-Identifier: Apache-2.0
// Reads any bytes as a SentencePiece model and, when they are one, puts a text of many scripts
// through.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "regard/platform/error.h"
#include "regard/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kText =
      " A  caf\u00e9 e\u0301\u0323, \u4e2d\u6587 \uff21 \u0130x <t>  \U0001F600 \u0939\u093f ";
  try {
    const auto tokenizer = regard::Tokenizer::from_sentencepiece(bytes, "input");
    for (const auto& token : tokenizer.encode(kText).tokens) {
      if (token.span.start > token.span.end || token.span.end > kText.size()) __builtin_trap();
    }
  } catch (const regard::Error&) {
    return 0;
  }
  return 0;
}
