// SPDX-License-Identifier: Apache-2.0
// Which of a model folder's files its tokenizer is read from.
#include <filesystem>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 28;

}  // namespace

Tokenizer Tokenizer::open(const std::string& folder) {
  const std::string file = folder + "/tokenizer.json";
  if (std::filesystem::exists(file)) return from_json(read_text_file(file, kLongestFile), file);
  const std::string vocab = folder + "/vocab.txt";
  if (!std::filesystem::exists(vocab)) {
    throw Error::at(folder, "", "tokenizer.json or vocab.txt", "neither");
  }
  return make(read_vocab_txt(folder), vocab);
}

bool Tokenizer::present(const std::string& folder) {
  return std::filesystem::exists(folder + "/tokenizer.json") ||
         std::filesystem::exists(folder + "/vocab.txt");
}

}  // namespace regard
