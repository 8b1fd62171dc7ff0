// SPDX-License-Identifier: Apache-2.0
// Byte pair encoding (Sennrich et al. 2016, arXiv:1508.07909): neighbouring pieces are joined, the
// pair that was learnt first before others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/model.h"

namespace regard {

struct BpeOptions {
  std::string unknown;  // of characters that are no piece; empty: they are left out
  std::string prefix;   // of pieces that do not begin a word
  std::string suffix;   // of pieces that end a word
  bool fuse_unknown = false;
  bool byte_fallback = false;
  bool ignore_merges = false;  // a word that is a piece is that piece
};

// Which pairs of pieces are joined, and to what.
// Thread safety: any number of readers after the last insert().
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank, id;
  };
  void reserve(std::size_t merges);
  // Of a pair that comes twice the later wins.
  void insert(std::int64_t left, std::int64_t right, Merge merge);
  // Nothing: rank kNone.
  static constexpr std::uint32_t kNone = 0xffffffff;
  Merge find(std::uint32_t left, std::uint32_t right) const;

 private:
  struct Entry {
    std::uint32_t left, right;
    Merge merge;  // rank kNone: free
  };
  static std::size_t slot_of(std::uint32_t left, std::uint32_t right);
  std::vector<Entry> table_;
  std::size_t used_ = 0;
};

// Fills a MergeTable from pairs of pieces, the first learnt first.
class MergeReader {
 public:
  MergeReader(const Vocabulary& vocabulary, std::size_t prefix)
      : vocabulary_(vocabulary), prefix_(prefix) {}
  // Nothing when all is well, else the piece that is not in the vocabulary: one of the two, or
  // what they make (the right one without the prefix of pieces that continue a word).
  std::string add(std::string_view left, std::string_view right);
  MergeTable table;

 private:
  const Vocabulary& vocabulary_;
  std::size_t prefix_;
  std::uint32_t rank_ = 0;
};

// `file` is named when a word needs an unknown piece that the vocabulary does not have.
std::unique_ptr<const Model> make_bpe(Vocabulary vocabulary, MergeTable merges, BpeOptions options,
                                      std::string file);

}  // namespace regard
