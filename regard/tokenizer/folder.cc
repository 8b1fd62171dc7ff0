// SPDX-License-Identifier: Apache-2.0
// Which of a model folder's files its tokenizer is read from.
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/tokenizer/json_members.h"
#include "regard/tokenizer/sentencepiece_model.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 28;
// SentencePiece models by the names that transformers gives them.
constexpr std::array<std::string_view, 5> kModels = {
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "source.spm", "spm.model"};

std::optional<std::string> find_file(const std::string& folder, std::string_view name) {
  std::string path = folder + "/" + std::string(name);
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

// Source: transformers 5.23, tokenization_auto.py; Llama's as its published folders name it.
constexpr std::pair<std::string_view, std::string_view> kClasses[] = {
    {"albert", "AlbertTokenizer"},
    {"bart", "RobertaTokenizer"},
    {"deberta", "DebertaTokenizer"},
    {"deberta-v2", "DebertaV2Tokenizer"},
    {"gemma", "GemmaTokenizer"},
    {"gemma2", "GemmaTokenizer"},
    {"gemma3_text", "GemmaTokenizer"},
    {"gpt2", "GPT2Tokenizer"},
    {"gpt_neo", "GPT2Tokenizer"},
    {"gptj", "GPT2Tokenizer"},
    {"llama", "LlamaTokenizer"},
    {"marian", "MarianTokenizer"},
    {"mbart", "MBartTokenizer"},
    {"mistral", "LlamaTokenizer"},
    {"mixtral", "LlamaTokenizer"},
    {"mt5", "T5Tokenizer"},
    {"opt", "GPT2Tokenizer"},
    {"pegasus", "PegasusTokenizer"},
    {"phi", "GPT2Tokenizer"},
    {"roberta", "RobertaTokenizer"},
    {"t5", "T5Tokenizer"},
    {"xlm-roberta", "XLMRobertaTokenizer"},
};

}  // namespace

std::string tokenizer_class_of(const std::string& folder, const Json& options) {
  const auto plain = [](std::string name) {
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    return name;
  };
  if (std::string name = token_name(options, "tokenizer_class", ""); !name.empty())
    return plain(std::move(name));
  const auto file = find_file(folder, "config.json");
  if (!file) return "";
  const JsonDocument config = JsonDocument::parse(read_text_file(*file, kLongestFile), *file);
  if (std::string name = token_name(config.root(), "tokenizer_class", ""); !name.empty())
    return plain(std::move(name));
  const auto type = present(config.root(), "model_type");
  if (!type) return "";
  for (const auto& [model, name] : kClasses)
    if (model == type->string()) return std::string(name);
  throw type->wrong(
      "a model whose tokenizer is read without tokenizer.json, or a tokenizer_class in "
      "tokenizer_config.json");
}

Tokenizer Tokenizer::open(const std::string& folder) {
  if (const auto file = find_file(folder, "tokenizer.json")) {
    return from_json(read_text_file(*file, kLongestFile), *file);
  }
  for (const std::string_view name : kModels) {
    if (const auto file = find_file(folder, name)) {
      return make(read_sentencepiece_folder(folder, *file), *file);
    }
  }
  if (const auto file = find_file(folder, "vocab.txt")) return make(read_vocab_txt(folder), *file);
  const auto vocab = find_file(folder, "vocab.json");
  if (vocab && find_file(folder, "merges.txt")) return make(read_vocab_json(folder), *vocab);
  throw Error::at(folder, "",
                  "tokenizer.json; or tokenizer.model, spiece.model, sentencepiece.bpe.model, "
                  "source.spm or spm.model; or vocab.txt; or vocab.json and merges.txt",
                  vocab ? "vocab.json without merges.txt" : "none of them");
}

Tokenizer Tokenizer::open_target(const std::string& folder) {
  const auto file = find_file(folder, "target.spm");
  if (!file || !find_file(folder, "source.spm") || find_file(folder, "tokenizer.json"))
    return open(folder);
  return make(read_sentencepiece_folder(folder, *file), *file);
}

Tokenizer Tokenizer::from_sentencepiece(std::string_view bytes, const std::string& file) {
  return make(sentencepiece_parts(read_sentencepiece_model(bytes, file), file), file);
}

bool Tokenizer::present(const std::string& folder) {
  for (const std::string_view name : kModels) {
    if (find_file(folder, name)) return true;
  }
  return find_file(folder, "tokenizer.json") || find_file(folder, "vocab.txt") ||
         (find_file(folder, "vocab.json") && find_file(folder, "merges.txt"));
}

}  // namespace regard
