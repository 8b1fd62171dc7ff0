// SPDX-License-Identifier: Apache-2.0
// Reads tokenizer.json as the tokenizers library writes it (version "1.0").
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/tokenizer/json_members.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

// The library gives an added token the id of its entry in the vocabulary, or else the next free
// one, whatever the file says: a file that says otherwise is broken.
std::vector<AddedToken> read_added(const Json& list, const PieceModel& model) {
  std::vector<AddedToken> out;
  std::unordered_map<std::string_view, std::int64_t> ids;
  std::unordered_map<std::int64_t, std::size_t> places;
  out.reserve(list.size());
  std::int64_t next = model.entries();
  list.for_each_element([&](std::size_t, const Json& element) {
    AddedToken token;
    const std::string_view content = element.at("content").string();
    token.content = content;
    token.id = id_of(element.at("id"));
    token.special = flag(element, "special", false);
    token.single_word = flag(element, "single_word", false);
    token.lstrip = flag(element, "lstrip", false);
    token.rstrip = flag(element, "rstrip", false);
    token.normalized = flag(element, "normalized", !token.special);
    if (content.empty()) return;  // as in the library
    const auto known = model.vocabulary().id(content);
    const auto earlier = ids.find(content);
    const bool again = earlier != ids.end();
    const std::int64_t expected = again ? earlier->second : known ? *known : next;
    if (token.id != expected) {
      throw element.at("id").wrong(fmt::format("{}, the {} \"{}\"", expected,
                                               known   ? "id in model.vocab of"
                                               : again ? "earlier id of"
                                                       : "next id, for",
                                               content));
    }
    next += !known && !again;
    ids.emplace(content, token.id);
    // Of two with one id the later is found only.
    const auto [place, first] = places.try_emplace(token.id, out.size());
    if (first) {
      out.push_back(std::move(token));
    } else {
      out[place->second] = std::move(token);
    }
  });
  return out;
}

}  // namespace

TokenizerParts read_tokenizer_json(std::string_view json, const std::string& file) {
  const JsonDocument document = JsonDocument::parse(json, file, false);
  const Json root = document.root();
  // Truncation and padding are the caller's affair.
  demand_known(root, {"version", "truncation", "padding", "added_tokens", "normalizer",
                      "pre_tokenizer", "post_processor", "decoder", "model"});
  if (const auto version = present(root, "version")) {
    if (version->string() != "1.0") throw version->wrong("\"1.0\"");
  }
  TokenizerParts parts;
  parts.model = read_model(root.at("model"), file);
  if (const auto normalizer = present(root, "normalizer")) {
    read_normalizer(*normalizer, file, parts.normalizers);
  }
  if (const auto pre_tokenizer = present(root, "pre_tokenizer")) {
    read_pre_tokenizer(*pre_tokenizer, file, parts.pre_tokenizers);
  }
  if (const auto processor = present(root, "post_processor")) {
    read_post_processor(*processor, parts.post_processor);
  }
  if (const auto decoder = present(root, "decoder")) {
    read_decoder(*decoder, file, parts.decoders.emplace());
  }
  if (const auto added = present(root, "added_tokens")) {
    parts.added = read_added(*added, *parts.model);
  }
  return parts;
}

}  // namespace regard
