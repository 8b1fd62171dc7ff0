// SPDX-License-Identifier: Apache-2.0
// WordPiece by the rules of the tokenizers library (tokenizers/src/models/wordpiece/mod.rs).
#include "regard/tokenizer/wordpiece.h"

#include <algorithm>
#include <bit>

namespace regard {
namespace {

// FNV-1a, 64 bits folded to 32.
std::uint32_t hash_of(std::string_view piece) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : piece) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

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
  for (; table_[at] != 0; at = (at + 1) & mask) {
    const Entry& entry = entries_[table_[at] - 1];
    if (entry.hash == hash && view(entry) == piece) break;
  }
  return at;
}

void Vocabulary::grow(std::size_t slots) {
  if (slots <= table_.size()) return;
  table_.assign(slots, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = entries_[i].hash & (slots - 1);
    while (table_[at] != 0) at = (at + 1) & (slots - 1);
    table_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

void Vocabulary::insert(std::string_view piece, std::int64_t id) {
  grow(std::bit_ceil((entries_.size() + 1) * 2 + 16));
  const std::uint32_t hash = hash_of(piece);
  const std::size_t at = slot(piece, hash);
  if (table_[at] == 0) {
    entries_.push_back({arena_.size(), static_cast<std::uint32_t>(piece.size()), hash, id});
    arena_ += piece;
    table_[at] = static_cast<std::uint32_t>(entries_.size());
    longest_ = std::max(longest_, piece.size());
  } else {
    entries_[table_[at] - 1].id = id;
  }
  const auto index = static_cast<std::size_t>(id);
  if (index >= by_id_.size()) by_id_.resize(index + 1, 0);
  by_id_[index] = table_[at];
}

std::optional<std::int64_t> Vocabulary::id(std::string_view piece) const {
  if (table_.empty() || piece.size() > longest_) return std::nullopt;
  const std::uint32_t found = table_[slot(piece, hash_of(piece))];
  if (found == 0) return std::nullopt;
  return entries_[found - 1].id;
}

std::optional<std::string_view> Vocabulary::piece(std::int64_t id) const {
  if (id < 0 || id >= size() || by_id_[static_cast<std::size_t>(id)] == 0) return std::nullopt;
  return view(entries_[by_id_[static_cast<std::size_t>(id)] - 1]);
}

void WordPiece::split(std::string_view word,
                      std::vector<std::pair<std::int64_t, Span>>& out) const {
  const auto unknown_word = [&](std::size_t from) {
    out.resize(from);
    out.push_back({unknown_id, {0, word.size()}});
  };
  const std::size_t before = out.size();
  const auto characters = static_cast<std::size_t>(
      std::count_if(word.begin(), word.end(), [](char c) { return !continues(c); }));
  if (characters > longest_word) return unknown_word(before);

  std::string continued;
  for (std::size_t start = 0; start < word.size();) {
    std::string_view rest = word.substr(start);
    if (start > 0) {
      continued.assign(prefix);
      continued += rest;
      rest = continued;
    }
    const std::size_t ahead = start > 0 ? prefix.size() : 0;
    std::size_t length = rest.size();
    if (length > vocabulary.longest()) {
      length = std::max(vocabulary.longest(), ahead);
      while (length > ahead && continues(rest[length])) --length;
    }
    std::optional<std::int64_t> found;
    while (length > ahead) {
      found = vocabulary.id(rest.substr(0, length));
      if (found) break;
      do {
        --length;
      } while (length > ahead && continues(rest[length]));
    }
    if (!found) return unknown_word(before);
    out.push_back({*found, {start, start + length - ahead}});
    start += length - ahead;
  }
}

}  // namespace regard
