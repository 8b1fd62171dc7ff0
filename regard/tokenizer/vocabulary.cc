// SPDX-License-Identifier: Apache-2.0
// Open addressing over FNV-1a hashes (Fowler, Noll, Vo), which grow with a piece byte by byte.
#include "regard/tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "regard/platform/error.h"

namespace regard {
namespace {

std::uint32_t folded(std::uint64_t hash) {
  hash *= 0x9E3779B97F4A7C15u;
  return static_cast<std::uint32_t>(hash >> 32);
}

std::uint64_t hash_of(std::string_view piece, std::uint64_t hash = Vocabulary::kEmptyHash) {
  for (const char c : piece) hash = Vocabulary::hash_step(hash, c);
  return hash;
}

}  // namespace

void Vocabulary::reserve(std::size_t pieces, std::size_t bytes) {
  entries_.reserve(pieces);
  arena_.reserve(bytes);
  by_id_.reserve(pieces);
  grow(std::bit_ceil(pieces * 2 + 16));
}

std::size_t Vocabulary::slot(std::string_view piece, std::uint32_t hash) const {
  const std::size_t mask = table_.size() - 1;
  std::size_t at = hash & mask;
  for (; table_[at].entry != 0; at = (at + 1) & mask) {
    if (table_[at].hash == hash && view(entries_[table_[at].entry - 1]) == piece) break;
  }
  return at;
}

void Vocabulary::grow(std::size_t slots) {
  if (slots <= table_.size()) return;
  table_.assign(slots, {0, 0});
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = entries_[i].hash & (slots - 1);
    while (table_[at].entry != 0) at = (at + 1) & (slots - 1);
    table_[at] = {static_cast<std::uint32_t>(i + 1), entries_[i].hash};
  }
}

void Vocabulary::insert(std::string_view piece, std::int64_t id) {
  if ((entries_.size() + 1) * 2 > table_.size()) {
    grow(std::bit_ceil((entries_.size() + 1) * 2 + 16));
  }
  const std::uint32_t hash = folded(hash_of(piece));
  const std::size_t at = slot(piece, hash);
  if (table_[at].entry == 0) {
    if (arena_.size() + piece.size() > std::numeric_limits<std::uint32_t>::max()) {
      throw Error::at("", "vocabulary", "at most 4 GiB of pieces", "more");
    }
    entries_.push_back({static_cast<std::uint32_t>(arena_.size()),
                        static_cast<std::uint32_t>(piece.size()), hash,
                        static_cast<std::int32_t>(id)});
    arena_ += piece;
    table_[at] = {static_cast<std::uint32_t>(entries_.size()), hash};
    longest_ = std::max(longest_, piece.size());
  } else {
    entries_[table_[at].entry - 1].id = static_cast<std::int32_t>(id);
  }
  const auto index = static_cast<std::size_t>(id);
  if (index >= by_id_.size()) by_id_.resize(index + 1, 0);
  by_id_[index] = table_[at].entry;
}

std::int64_t Vocabulary::id_of_hashed(std::string_view piece, std::uint64_t hash) const {
  if (table_.empty() || piece.size() > longest_) return -1;
  const std::uint32_t found = table_[slot(piece, folded(hash))].entry;
  return found == 0 ? -1 : entries_[found - 1].id;
}

std::optional<std::int64_t> Vocabulary::id(std::string_view piece) const {
  if (piece.size() > longest_) return std::nullopt;
  const std::int64_t found = id_of_hashed(piece, hash_of(piece));
  if (found < 0) return std::nullopt;
  return found;
}

void Vocabulary::ids(std::span<const std::string_view> pieces, std::span<std::int64_t> out) const {
  constexpr std::size_t kAhead = 32;
  if (table_.empty()) {
    std::fill(out.begin(), out.end(), -1);
    return;
  }
  const std::size_t mask = table_.size() - 1;
  std::uint32_t hashes[kAhead];
  for (std::size_t from = 0; from < pieces.size(); from += kAhead) {
    const std::size_t count = std::min(kAhead, pieces.size() - from);
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = folded(hash_of(pieces[from + i]));
      __builtin_prefetch(&table_[hashes[i] & mask]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Slot& first = table_[hashes[i] & mask];
      if (first.entry != 0) __builtin_prefetch(&entries_[first.entry - 1]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Slot& first = table_[hashes[i] & mask];
      if (first.entry != 0) __builtin_prefetch(arena_.data() + entries_[first.entry - 1].offset);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t found = table_[slot(pieces[from + i], hashes[i])].entry;
      out[from + i] = found == 0 ? -1 : entries_[found - 1].id;
    }
  }
}

std::int64_t Vocabulary::id_of_joined(std::string_view first, std::string_view second) const {
  const std::size_t length = first.size() + second.size();
  if (table_.empty() || length > longest_) return -1;
  const std::uint32_t hash = folded(hash_of(second, hash_of(first)));
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = hash & mask; table_[at].entry != 0; at = (at + 1) & mask) {
    if (table_[at].hash != hash) continue;
    const Entry& entry = entries_[table_[at].entry - 1];
    if (entry.length != length) continue;
    const std::string_view piece = view(entry);
    if (piece.substr(0, first.size()) == first && piece.substr(first.size()) == second) {
      return entry.id;
    }
  }
  return -1;
}

std::optional<std::string_view> Vocabulary::piece(std::int64_t id) const {
  if (id < 0 || id >= size() || by_id_[static_cast<std::size_t>(id)] == 0) return std::nullopt;
  return view(entries_[by_id_[static_cast<std::size_t>(id)] - 1]);
}

}  // namespace regard
