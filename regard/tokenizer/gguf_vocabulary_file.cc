// SPDX-License-Identifier: Apache-2.0
// From the metadata of a GGUF file to a GgufVocabulary.
#include <algorithm>
#include <string>

#include "regard/checkpoint/gguf.h"
#include "regard/platform/error.h"
#include "regard/tokenizer/gguf_vocabulary.h"

namespace regard {

GgufVocabulary read_gguf_vocabulary(const GgufFile& file) {
  const auto find = [&](std::string_view key) {
    return file.find(std::string("tokenizer.ggml.") + std::string(key));
  };
  const auto id = [&](std::string_view key) -> std::optional<std::int64_t> {
    const auto found = find(key);
    if (!found) return std::nullopt;
    return found->integer();
  };
  const auto flag = [&](std::string_view key) -> std::optional<bool> {
    const auto found = find(key);
    if (!found) return std::nullopt;
    return found->boolean();
  };
  GgufVocabulary out;
  out.model = file.at("tokenizer.ggml.model").string();
  if (const auto pre = find("pre")) out.pre = pre->string();
  out.tokens = file.at("tokenizer.ggml.tokens").strings();
  if (const auto scores = find("scores")) out.scores = scores->floats();
  if (const auto types = find("token_type")) out.types = types->integers();
  if (const auto merges = find("merges")) out.merges = merges->strings();
  out.bos = id("bos_token_id");
  out.eos = id("eos_token_id");
  out.unknown = id("unknown_token_id");
  out.separator = id("seperator_token_id");
  out.cls = id("cls_token_id");
  out.add_bos = flag("add_bos_token");
  out.add_eos = flag("add_eos_token");
  out.add_space_prefix = flag("add_space_prefix");
  if (const auto map = find("precompiled_charsmap")) {
    for (const std::int64_t byte : map->integers()) {
      out.precompiled_charsmap += static_cast<char>(byte & 0xFF);
    }
  }
  return out;
}

}  // namespace regard
