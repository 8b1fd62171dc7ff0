// SPDX-License-Identifier: Apache-2.0
// Which of a model folder's files its tokenizer is read from.
#include <array>
#include <filesystem>
#include <optional>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/tokenizer/sentencepiece_model.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 28;
// SentencePiece models by the names that transformers gives them.
constexpr std::array<std::string_view, 4> kModels = {"tokenizer.model", "spiece.model",
                                                     "sentencepiece.bpe.model", "source.spm"};

std::optional<std::string> find_file(const std::string& folder, std::string_view name) {
  std::string path = folder + "/" + std::string(name);
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

}  // namespace

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
                  "tokenizer.json; or tokenizer.model, spiece.model, sentencepiece.bpe.model or "
                  "source.spm; or vocab.txt; or vocab.json and merges.txt",
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
