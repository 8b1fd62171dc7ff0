// SPDX-License-Identifier: Apache-2.0
// A vocabulary: pieces and their ids, found either way.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "regard/tokenizer/tokenizer.h"

namespace regard {

// Pieces and their ids. All pieces lie in one string.
// Thread safety: any number of readers after the last insert().
class Vocabulary {
 public:
  // Ids beyond are refused by the readers, so that a broken file cannot ask for much memory.
  static constexpr std::int64_t kHighestId = (1 << 22) - 1;
  static constexpr std::uint64_t kEmptyHash = 14695981039346656037u;

  // The hash of a piece followed by c, from the hash of the piece (kEmptyHash of the empty one).
  static std::uint64_t hash_step(std::uint64_t hash, char c) {
    return (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }

  // Room for that many pieces and bytes.
  void reserve(std::size_t pieces, std::size_t bytes);
  // Of a piece that comes twice, and of an id that comes twice, the later wins. 0 <= id <=
  // kHighestId.
  void insert(std::string_view piece, std::int64_t id);

  std::optional<std::int64_t> id(std::string_view piece) const;
  // The ids of many pieces, -1 where there is none; out has as many. Memory is asked for ahead of
  // its use, which in a large vocabulary takes a fraction of the time of one by one.
  void ids(std::span<const std::string_view> pieces, std::span<std::int64_t> out) const;
  // The same for a piece whose hash is known; -1 when there is none.
  std::int64_t id_of_hashed(std::string_view piece, std::uint64_t hash) const;
  // The id of a piece in two parts; -1 when there is none.
  std::int64_t id_of_joined(std::string_view first, std::string_view second) const;
  std::optional<std::string_view> piece(std::int64_t id) const;
  // Calls visit(piece, id) for each piece, in the order of insertion.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (const Entry& entry : entries_) visit(view(entry), std::int64_t{entry.id});
  }
  // Highest id + 1.
  std::int64_t size() const { return static_cast<std::int64_t>(by_id_.size()); }
  // Different pieces.
  std::size_t pieces() const { return entries_.size(); }
  // Bytes of the longest piece.
  std::size_t longest() const { return longest_; }

 private:
  struct Entry {
    std::uint32_t offset;
    std::uint32_t length;
    std::uint32_t hash;
    std::int32_t id;
  };
  std::string_view view(const Entry& entry) const {
    return std::string_view(arena_).substr(entry.offset, entry.length);
  }
  std::size_t slot(std::string_view piece, std::uint32_t hash) const;
  void grow(std::size_t slots);

  std::string arena_;
  std::vector<Entry> entries_;
  struct Slot {
    std::uint32_t entry;  // index of the entry + 1, 0 for free
    std::uint32_t hash;
  };
  std::vector<Slot> table_;           // open addressing
  std::vector<std::uint32_t> by_id_;  // index of the entry + 1, 0 for none
  std::size_t longest_ = 0;
};

}  // namespace regard
