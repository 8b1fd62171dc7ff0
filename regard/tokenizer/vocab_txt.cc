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

void read_config(const std::string& file, NormalizerOptions& normalizer, SpecialNames& names) {
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
  TokenizerParts parts;
  SpecialNames names;
  read_lines(read_text_file(file, kLongestFile), file, parts.model.vocabulary);
  if (std::filesystem::exists(config)) read_config(config, parts.normalizer, names);

  const auto needed = [&](const std::string& name) {
    const auto id = parts.model.vocabulary.id(name);
    if (!id) throw Error::at(file, "", fmt::format("a line \"{}\"", name), "none");
    return *id;
  };
  parts.model.unknown = names.unknown;
  parts.model.unknown_id = needed(names.unknown);
  parts.post_processor =
      PostProcessor::bert({needed(names.cls), names.cls}, {needed(names.sep), names.sep});
  for (const std::string* name :
       {&names.unknown, &names.sep, &names.pad, &names.cls, &names.mask}) {
    const auto id = parts.model.vocabulary.id(*name);
    if (id) parts.added.push_back({.content = *name, .id = *id, .special = true});
  }
  return parts;
}

}  // namespace regard
