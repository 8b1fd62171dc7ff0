// SPDX-License-Identifier: Apache-2.0
// The decoders of the tokenizers library: pieces back to a text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "regard/platform/json.h"
#include "regard/tokenizer/regex.h"

namespace regard {

struct BpeDecoder {
  std::string suffix;  // of a word's last piece; becomes a blank
};
struct ByteLevelDecoder {};
struct WordPieceDecoder {
  std::string prefix;  // of pieces that go on; all others get a blank before them
  bool cleanup = true;
};
struct MetaspaceDecoder {
  std::string replacement;  // one character, which becomes a blank
  bool prepended = true;    // so the first piece has one that is no blank
};
struct CtcDecoder {
  std::string pad, delimiter;
  bool cleanup = true;
};
struct ReplaceDecoder {
  Regex pattern;
  std::string content;
};
struct FuseDecoder {};
struct StripDecoder {
  std::string content;  // one character
  std::size_t start = 0, stop = 0;
};
struct ByteFallbackDecoder {};

using Decoder =
    std::variant<BpeDecoder, ByteLevelDecoder, WordPieceDecoder, MetaspaceDecoder, CtcDecoder,
                 ReplaceDecoder, FuseDecoder, StripDecoder, ByteFallbackDecoder>;

// Applies them in their order and joins what they leave. Without any list: the pieces, with a blank
// between them. Throws Error, naming the file, for replacements without end.
std::string decode_pieces(std::vector<std::string> pieces,
                          const std::optional<std::vector<Decoder>>& decoders,
                          const std::string& file);

// The decoder of tokenizer.json. Throws Error for what it does not know.
void read_decoder(const Json& decoder, const std::string& file, std::vector<Decoder>& out);

// What SentencePiece's own models are decoded by. prefixed: texts got a blank before them.
std::vector<Decoder> sentencepiece_decoders(bool prefixed);

}  // namespace regard
