// SPDX-License-Identifier: Apache-2.0
// GPT-2's older files: vocab.json and merges.txt, as transformers' GPT2Tokenizer,
// RobertaTokenizer and DebertaTokenizer read them.
#include <fmt/format.h>

#include <filesystem>
#include <initializer_list>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/tokenizer/bpe.h"
#include "regard/tokenizer/json_members.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 28;

MergeTable read_merges(std::string_view text, const std::string& file, const Vocabulary& pieces) {
  MergePairs pairs;
  std::vector<std::size_t> lines;  // of the pairs
  const auto wrong = [&](std::size_t line, std::string_view found) {
    return Error::at(file, fmt::format("line {}", line),
                     "two pieces of vocab.json that make a third, apart by a space", found);
  };
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view merge = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (merge.ends_with('\r')) merge.remove_suffix(1);
    if (merge.empty() || merge.starts_with("#version")) continue;
    const std::size_t space = merge.find(' ');
    if (space == std::string_view::npos) throw wrong(line, merge);
    pairs.emplace_back(merge.substr(0, space), merge.substr(space + 1));
    lines.push_back(line);
  }
  return make_merges(pairs, pieces, 0, [&](std::size_t i, const std::string& missing) {
    throw wrong(lines[i], fmt::format("no piece {}", missing));
  });
}

}  // namespace

TokenizerParts read_vocab_json(const std::string& folder) {
  const std::string file = folder + "/vocab.json", merges = folder + "/merges.txt";
  const JsonDocument document = JsonDocument::parse(read_text_file(file, kLongestFile), file);
  Vocabulary pieces;
  document.root().for_each_member(
      [&](std::string_view piece, const Json& id) { pieces.insert(piece, id_of(id)); });

  std::string config = "{}";
  const std::string config_file = folder + "/tokenizer_config.json";
  if (std::filesystem::exists(config_file)) config = read_text_file(config_file, kLongestFile);
  const JsonDocument options = JsonDocument::parse(config, config_file);
  const Json root = options.root();
  std::string name = tokenizer_class_of(folder, root);
  if (name.empty()) name = "GPT2Tokenizer";
  const bool deberta = name == "DebertaTokenizer";
  const bool roberta = name == "RobertaTokenizer" || name == "BartTokenizer" ||
                       name == "LongformerTokenizer" || name == "LEDTokenizer";
  if (!roberta && !deberta && name != "GPT2Tokenizer") {
    throw Error::at(config_file, "tokenizer_class",
                    "tokenizer.json, or a class that is read from vocab.json and merges.txt: " +
                        one_of({"GPT2Tokenizer", "RobertaTokenizer", "BartTokenizer",
                                "LongformerTokenizer", "LEDTokenizer", "DebertaTokenizer"}),
                    name);
  }
  const bool prefix = flag(root, "add_prefix_space", false);
  TokenizerParts parts;
  parts.pre_tokenizers.emplace_back(ByteLevelPreTokenizer{prefix, true});
  parts.decoders = {ByteLevelDecoder{}};
  const auto add = [&](std::string_view key, std::string_view otherwise) -> TemplateToken {
    const std::string content = token_name(root, key, otherwise);
    const auto id = pieces.id(content);
    if (!id) throw Error::at(file, "", fmt::format("the {} {}", key, content), "none");
    for (const AddedToken& token : parts.added) {
      if (token.content == content) return {*id, content};
    }
    parts.added.push_back({.content = content, .id = *id, .special = true});
    if (key == "mask_token") parts.added.back().lstrip = true;
    return {*id, content};
  };
  if (roberta) {
    const TemplateToken cls = add("cls_token", "<s>"), sep = add("sep_token", "</s>");
    add("unk_token", "<unk>");
    add("pad_token", "<pad>");
    add("mask_token", "<mask>");
    parts.post_processor.steps.emplace_back(TrimStep{prefix});
    parts.post_processor.steps.emplace_back(TemplateStep::roberta(cls, sep));
  } else if (deberta) {
    const TemplateToken cls = add("cls_token", "[CLS]"), sep = add("sep_token", "[SEP]");
    add("unk_token", "[UNK]");
    add("pad_token", "[PAD]");
    add("mask_token", "[MASK]");
    parts.post_processor.steps.emplace_back(TemplateStep::roberta(cls, sep));
  } else {
    const TemplateToken bos = add("bos_token", "<|endoftext|>");
    add("eos_token", "<|endoftext|>");
    if (flag(root, "add_bos_token", false)) {
      parts.post_processor.steps.emplace_back(TemplateStep::around({bos}, {}));
    }
  }
  MergeTable table = read_merges(read_text_file(merges, kLongestFile), merges, pieces);
  parts.model = make_bpe(std::move(pieces), std::move(table), {}, file);
  return parts;
}

}  // namespace regard
