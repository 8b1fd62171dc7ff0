// SPDX-License-Identifier: Apache-2.0
// BERT's older files: vocab.txt, one piece a line, ids from 0; tokenizer_config.json as
// transformers' BertTokenizer reads it.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/mapped_file.h"
#include "regard/tokenizer/tokenizer_state.h"
#include "regard/tokenizer/wordpiece.h"

namespace regard {
namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 28;

struct SpecialNames {
  std::string unknown = "[UNK]", sep = "[SEP]", pad = "[PAD]", cls = "[CLS]", mask = "[MASK]";
};

void read_lines(std::string_view text, const std::string& file, Vocabulary& vocabulary) {
  vocabulary.reserve(text.size() / 8, text.size());
  std::int64_t id = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (id > Vocabulary::kHighestId) throw Error::at(file, "", "at most 4194304 lines", "more");
    vocabulary.insert(line, id++);
  }
}

// "[CLS]" or {"content": "[CLS]", ...}; null and absent leave the usual name.
void read_name(const Json& config, std::string_view key, std::string& name) {
  const auto found = config.find(key);
  if (!found || found->is_null()) return;
  name = found->is_object() ? found->at("content").string() : found->string();
}

void read_config(const std::string& file, BertNormalizer& normalizer, SpecialNames& names) {
  const JsonDocument document = JsonDocument::parse(read_text_file(file, kLongestFile), file);
  const Json config = document.root();
  const auto flag = [&](std::string_view key, bool otherwise) {
    const auto found = config.find(key);
    return found && !found->is_null() ? found->boolean() : otherwise;
  };
  normalizer.lowercase = flag("do_lower_case", true);
  normalizer.strip_accents = flag("strip_accents", normalizer.lowercase);
  normalizer.handle_chinese_chars = flag("tokenize_chinese_chars", true);
  read_name(config, "unk_token", names.unknown);
  read_name(config, "sep_token", names.sep);
  read_name(config, "pad_token", names.pad);
  read_name(config, "cls_token", names.cls);
  read_name(config, "mask_token", names.mask);
}

}  // namespace

TokenizerParts read_vocab_txt(const std::string& folder) {
  const std::string file = folder + "/vocab.txt";
  const std::string config = folder + "/tokenizer_config.json";
  Vocabulary vocabulary;
  BertNormalizer normalizer;
  SpecialNames names;
  read_lines(read_text_file(file, kLongestFile), file, vocabulary);
  if (std::filesystem::exists(config)) read_config(config, normalizer, names);

  const auto needed = [&](const std::string& name) {
    const auto id = vocabulary.id(name);
    if (!id) throw Error::at(file, "", fmt::format("a line \"{}\"", name), "none");
    return *id;
  };
  WordPieceOptions options;
  options.unknown_id = needed(names.unknown);
  TokenizerParts parts;
  parts.normalizers.emplace_back(normalizer);
  parts.pre_tokenizers.emplace_back(BertPreTokenizer{});
  parts.decoders = {WordPieceDecoder{"##", true}};
  parts.post_processor.steps.emplace_back(
      TemplateStep::bert({needed(names.cls), names.cls}, {needed(names.sep), names.sep}));
  // As transformers does, a name that is no line becomes the next id.
  auto next = vocabulary.size();
  for (const std::string* name :
       {&names.unknown, &names.sep, &names.pad, &names.cls, &names.mask}) {
    const auto id = vocabulary.id(*name);
    parts.added.push_back({.content = *name, .id = id ? *id : next++, .special = true});
  }
  parts.model = make_wordpiece(std::move(vocabulary), options);
  return parts;
}

}  // namespace regard
