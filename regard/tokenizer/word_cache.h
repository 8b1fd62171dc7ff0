// SPDX-License-Identifier: Apache-2.0
// The pieces of words that were cut before: texts repeat their words.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/piece_model.h"

namespace regard {

// Thread safety: none; one thread at a time.
class WordCache : public ModelMemory {
 public:
  // Appends the pieces of a known word and returns true; false: the word is not known.
  bool append(std::string_view word, std::uint64_t hash, std::vector<Piece>* out) const;
  // Remembers a word that append() did not know, unless the cache is full or the word is long.
  void insert(std::string_view word, std::uint64_t hash, std::span<const Piece> pieces);
  static std::uint64_t hash(std::string_view word);

 private:
  std::span<const Piece> find(std::string_view word, std::uint64_t hash) const;
  struct Entry {
    std::uint64_t hash;
    std::uint32_t word, length;  // place in words_
    std::uint32_t first, count;  // place in pieces_; count 0: a free entry
  };
  void grow();
  std::vector<Entry> table_;
  std::size_t used_ = 0;
  std::string words_;
  std::vector<Piece> pieces_;
};

}  // namespace regard
