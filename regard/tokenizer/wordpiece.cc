// SPDX-License-Identifier: Apache-2.0
// By the rules of the tokenizers library (tokenizers/src/models/wordpiece, wordlevel).
#include "regard/tokenizer/wordpiece.h"

#include <algorithm>
#include <utility>

#include "regard/platform/error.h"
#include "regard/tokenizer/pattern_set.h"

namespace regard {
namespace {

// Pieces of more bytes, which are rare, are looked up once a word: to try each length at each place
// of a word would take as long as the longest piece of a file likes.
constexpr std::size_t kShort = 64;

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

class WordPiece : public PieceModel {
 public:
  WordPiece(Vocabulary vocabulary, WordPieceOptions options)
      : vocabulary_(std::move(vocabulary)),
        options_(std::move(options)),
        long_pieces_(options_.file, "model.vocab, pieces of more than 64 bytes") {
    for (const char c : options_.prefix) prefix_hash_ = Vocabulary::hash_step(prefix_hash_, c);
    const std::size_t longest = options_.prefix.size() + kShort;
    if (vocabulary_.longest() <= longest) return;
    vocabulary_.for_each([&](std::string_view piece, std::int64_t id) {
      if (piece.size() <= longest || !piece.starts_with(options_.prefix)) return;
      long_pieces_.insert(piece.substr(options_.prefix.size()), id);
    });
    long_pieces_.build();
  }

  std::string kind() const override { return "WordPiece"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

  void cut(std::string_view word, ModelMemory*, std::vector<Piece>& out) const override {
    const std::size_t before = out.size();
    const auto unknown = [&] {
      out.resize(before);
      out.push_back({options_.unknown_id, 0, static_cast<std::uint32_t>(word.size())});
    };
    if (word.size() > options_.longest_word) {
      const auto characters = static_cast<std::size_t>(
          std::count_if(word.begin(), word.end(), [](char c) { return !continues(c); }));
      if (characters > options_.longest_word) return unknown();
    }
    std::vector<PrefixSet::Match> long_ones;
    if (word.size() > kShort) long_ones = long_pieces_.find(word);
    std::string continued;
    for (std::size_t start = 0; start < word.size();) {
      while (!long_ones.empty() && long_ones.back().start < start) long_ones.pop_back();
      if (start > 0 && !long_ones.empty() && long_ones.back().start == start) {
        const std::size_t end = start + long_ones.back().length;
        out.push_back({long_ones.back().value, static_cast<std::uint32_t>(start),
                       static_cast<std::uint32_t>(end)});
        start = end;
        continue;
      }
      const std::size_t most = start == 0 ? vocabulary_.longest() : kShort;
      // A character more than the longest piece tells where that one may end.
      std::string_view rest = word.substr(start, most + 4);
      std::size_t ahead = 0;
      std::uint64_t hash = Vocabulary::kEmptyHash;
      if (start > 0 && !options_.prefix.empty()) {
        continued.assign(options_.prefix);
        continued += rest;
        rest = continued;
        ahead = options_.prefix.size();
        hash = prefix_hash_;
      }
      const std::size_t longest = std::min({rest.size(), vocabulary_.longest(), ahead + most});
      std::int64_t best = -1;
      std::size_t best_length = 0;
      hashes_into(rest, ahead, longest, hash, [&](std::size_t length, std::uint64_t at) {
        const std::int64_t id = vocabulary_.id_of_hashed(rest.substr(0, length), at);
        if (id < 0) return false;
        best = id;
        best_length = length;
        return true;
      });
      if (best < 0) return unknown();
      const std::size_t end = start + best_length - ahead;
      out.push_back({best, static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(end)});
      start = end;
    }
  }

 private:
  // Calls found(length, hash) for the beginnings of `text` that end between characters, the
  // longest first, until it is true.
  template <typename Found>
  static void hashes_into(std::string_view text, std::size_t ahead, std::size_t longest,
                          std::uint64_t hash, const Found& found) {
    constexpr std::size_t kFew = 128;
    std::uint64_t few[kFew];
    std::vector<std::uint64_t> many;
    std::uint64_t* hashes = few;
    if (longest > ahead + kFew) {
      many.resize(longest - ahead);
      hashes = many.data();
    }
    for (std::size_t i = ahead; i < longest; ++i) {
      hash = Vocabulary::hash_step(hash, text[i]);
      hashes[i - ahead] = hash;
    }
    for (std::size_t length = longest; length > ahead; --length) {
      if (length < text.size() && continues(text[length])) continue;
      if (found(length, hashes[length - ahead - 1])) return;
    }
  }

  Vocabulary vocabulary_;
  WordPieceOptions options_;
  PrefixSet long_pieces_;  // without the prefix
  std::uint64_t prefix_hash_ = Vocabulary::kEmptyHash;
};

class WordLevel : public PieceModel {
 public:
  WordLevel(Vocabulary vocabulary, std::int64_t unknown_id, std::string file)
      : vocabulary_(std::move(vocabulary)), unknown_id_(unknown_id), file_(std::move(file)) {}

  std::string kind() const override { return "WordLevel"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

  void cut(std::string_view word, ModelMemory*, std::vector<Piece>& out) const override {
    const std::int64_t id = vocabulary_.id(word).value_or(unknown_id_);
    if (id < 0) {
      throw Error::at(file_, "model.unk_token", "an entry for unknown words in model.vocab",
                      std::string("none, and the word ") + std::string(word));
    }
    out.push_back({id, 0, static_cast<std::uint32_t>(word.size())});
  }

 private:
  Vocabulary vocabulary_;
  std::int64_t unknown_id_;
  std::string file_;
};

}  // namespace

std::unique_ptr<const PieceModel> make_wordpiece(Vocabulary vocabulary, WordPieceOptions options) {
  return std::make_unique<WordPiece>(std::move(vocabulary), std::move(options));
}

std::unique_ptr<const PieceModel> make_word_level(Vocabulary vocabulary, std::int64_t unknown_id,
                                                  std::string file) {
  return std::make_unique<WordLevel>(std::move(vocabulary), unknown_id, std::move(file));
}

}  // namespace regard
