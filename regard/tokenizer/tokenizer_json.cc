// SPDX-License-Identifier: Apache-2.0
// Reads tokenizer.json as the tokenizers library writes it (version "1.0").
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

// The member, or nothing when it is absent or null.
std::optional<Json> present(const Json& object, std::string_view key) {
  const std::optional<Json> found = object.find(key);
  if (!found || found->is_null()) return std::nullopt;
  return found;
}

bool flag(const Json& object, std::string_view key, bool otherwise) {
  const std::optional<Json> found = present(object, key);
  return found ? found->boolean() : otherwise;
}

std::int64_t id_of(const Json& value) {
  const std::int64_t id = value.integer();
  if (id < 0 || id > Vocabulary::kHighestId) throw value.wrong("an id from 0 to 4194303");
  return id;
}

std::int64_t type_of(const Json& item) {
  const std::optional<Json> found = item.find("type_id");
  if (!found) return 0;
  const std::int64_t type = found->integer();
  if (type < 0 || type > std::numeric_limits<std::int32_t>::max()) {
    throw found->wrong("a type id from 0 to 2147483647");
  }
  return type;
}

void demand_type(const Json& part, std::string_view supported) {
  const Json type = part.at("type");
  if (type.string() != supported) {
    throw type.wrong(fmt::format("\"{}\", the only one supported here", supported));
  }
}

WordPiece read_model(const Json& model) {
  demand_type(model, "WordPiece");
  WordPiece out;
  if (const auto unknown = present(model, "unk_token")) out.unknown = unknown->string();
  if (const auto prefix = present(model, "continuing_subword_prefix"))
    out.prefix = prefix->string();
  if (const auto longest = present(model, "max_input_chars_per_word")) {
    if (longest->integer() < 0) throw longest->wrong("a number of characters");
    out.longest_word = static_cast<std::size_t>(longest->integer());
  }
  const Json vocab = model.at("vocab");
  out.vocabulary.reserve(vocab.size(), vocab.size() * 8);
  vocab.for_each_member(
      [&](std::string_view piece, const Json& id) { out.vocabulary.insert(piece, id_of(id)); });
  const auto unknown_id = out.vocabulary.id(out.unknown);
  if (!unknown_id) throw vocab.wrong(fmt::format("an entry for unk_token \"{}\"", out.unknown));
  out.unknown_id = *unknown_id;
  return out;
}

NormalizerOptions read_normalizer(const Json& normalizer) {
  demand_type(normalizer, "BertNormalizer");
  NormalizerOptions out;
  out.clean_text = flag(normalizer, "clean_text", true);
  out.handle_chinese_chars = flag(normalizer, "handle_chinese_chars", true);
  out.lowercase = flag(normalizer, "lowercase", true);
  out.strip_accents = flag(normalizer, "strip_accents", out.lowercase);
  return out;
}

std::vector<TemplateItem> read_template(const Json& items, const Json& special, bool pair) {
  std::vector<TemplateItem> out;
  bool seen[2] = {false, false};
  items.for_each_element([&](std::size_t, const Json& element) {
    TemplateItem item;
    if (const auto sequence = element.find("Sequence")) {
      const Json name = sequence->at("id");
      if (name.string() != "A" && !(pair && name.string() == "B")) {
        throw name.wrong(pair ? "\"A\" or \"B\"" : "\"A\"");
      }
      item.sequence = name.string() == "A" ? 0 : 1;
      if (seen[item.sequence]) throw name.wrong("each text once");
      seen[item.sequence] = true;
      item.type = type_of(*sequence);
    } else if (const auto token = element.find("SpecialToken")) {
      item.type = type_of(*token);
      const Json entry = special.at(token->at("id").string());
      const Json ids = entry.at("ids");
      const Json texts = entry.at("tokens");
      ids.for_each_element(
          [&](std::size_t, const Json& id) { item.tokens.push_back({id_of(id), {}}); });
      if (texts.size() != item.tokens.size()) throw texts.wrong("as many as there are ids");
      texts.for_each_element(
          [&](std::size_t i, const Json& text) { item.tokens[i].text = text.string(); });
    } else {
      throw element.wrong("Sequence or SpecialToken");
    }
    out.push_back(std::move(item));
  });
  if (!seen[0] || (pair && !seen[1])) {
    throw items.wrong(pair ? "a template with the sequences A and B"
                           : "a template with sequence A");
  }
  return out;
}

// ["[SEP]", 102]
TemplateToken read_named_token(const Json& named) {
  TemplateToken out;
  if (named.size() != 2) throw named.wrong("a token and its id");
  named.for_each_element([&](std::size_t i, const Json& value) {
    if (i == 0) {
      out.text = value.string();
    } else {
      out.id = id_of(value);
    }
  });
  return out;
}

PostProcessor read_post_processor(const Json& processor) {
  const Json type = processor.at("type");
  if (type.string() == "BertProcessing") {
    return PostProcessor::bert(read_named_token(processor.at("cls")),
                               read_named_token(processor.at("sep")));
  }
  if (type.string() != "TemplateProcessing") {
    throw type.wrong("\"TemplateProcessing\" or \"BertProcessing\", the only ones supported here");
  }
  PostProcessor out;
  const Json special = processor.at("special_tokens");
  out.single = read_template(processor.at("single"), special, false);
  out.pair = read_template(processor.at("pair"), special, true);
  return out;
}

// The library gives an added token the id of its entry in the vocabulary, or else the next free
// one, whatever the file says: a file that says otherwise is broken.
std::vector<AddedToken> read_added(const Json& list, const Vocabulary& vocabulary) {
  std::vector<AddedToken> out;
  const auto pieces = static_cast<std::int64_t>(vocabulary.pieces());
  std::int64_t next = 0;
  list.for_each_element([&](std::size_t, const Json& element) {
    AddedToken token;
    token.content = element.at("content").string();
    token.id = id_of(element.at("id"));
    token.special = flag(element, "special", false);
    token.single_word = flag(element, "single_word", false);
    token.lstrip = flag(element, "lstrip", false);
    token.rstrip = flag(element, "rstrip", false);
    token.normalized = flag(element, "normalized", !token.special);
    if (token.content.empty()) throw element.at("content").wrong("a token that is not empty");
    const auto known = vocabulary.id(token.content);
    const std::int64_t expected = known.value_or(std::max(next, pieces));
    if (token.id != expected) {
      throw element.at("id").wrong(fmt::format("{}, the {} \"{}\"", expected,
                                               known ? "id in model.vocab of" : "next id, for",
                                               token.content));
    }
    next = std::max(next, token.id + 1);
    out.push_back(std::move(token));
  });
  return out;
}

}  // namespace

TokenizerParts read_tokenizer_json(std::string_view json, const std::string& file) {
  const JsonDocument document = JsonDocument::parse(json, file, false);
  const Json root = document.root();
  TokenizerParts parts;
  parts.model = read_model(root.at("model"));
  parts.normalizer = read_normalizer(root.at("normalizer"));
  demand_type(root.at("pre_tokenizer"), "BertPreTokenizer");
  if (const auto processor = present(root, "post_processor")) {
    parts.post_processor = read_post_processor(*processor);
  }
  if (const auto added = present(root, "added_tokens")) {
    parts.added = read_added(*added, parts.model.vocabulary);
  }
  return parts;
}

}  // namespace regard
