// SPDX-License-Identifier: Apache-2.0
// Byte pair encoding (Sennrich et al. 2016, arXiv:1508.07909): neighbouring pieces are joined, the
// pair that was learnt first before others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "regard/tokenizer/piece_model.h"

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
  void prefetch(std::int64_t left, std::int64_t right) const;
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

// Pairs of pieces, the first learnt first.
using MergePairs = std::vector<std::pair<std::string_view, std::string_view>>;

// `prefix` is the length of the prefix of pieces that continue a word, which the right piece loses
// when it is joined. Calls missing(number of the pair, piece) and goes no further when one of the
// two, or what they make, is not in the vocabulary.
MergeTable make_merges(const MergePairs& pairs, const Vocabulary& vocabulary, std::size_t prefix,
                       const std::function<void(std::size_t, const std::string&)>& missing);

// `file` is named when a word needs an unknown piece that the vocabulary does not have.
std::unique_ptr<const PieceModel> make_bpe(Vocabulary vocabulary, MergeTable merges,
                                           BpeOptions options, std::string file);

}  // namespace regard
