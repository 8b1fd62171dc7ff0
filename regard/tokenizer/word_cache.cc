// SPDX-License-Identifier: Apache-2.0
// Open addressing; grows with the text, up to a bound.
#include "regard/tokenizer/word_cache.h"

#include <cstring>

namespace regard {
namespace {

constexpr std::size_t kLongestWord = 128;
constexpr std::size_t kMostWords = std::size_t{1} << 17;

}  // namespace

std::uint64_t WordCache::hash(std::string_view word) {
  std::uint64_t hash = word.size() * 0x9E3779B97F4A7C15u;
  std::size_t at = 0;
  for (; at + 8 <= word.size(); at += 8) {
    std::uint64_t part;
    std::memcpy(&part, word.data() + at, 8);
    hash = (hash ^ part) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
  }
  std::uint64_t part = 0;
  std::memcpy(&part, word.data() + at, word.size() - at);
  hash = (hash ^ part) * 0xD6E8FEB86659FD93u;
  return hash ^ (hash >> 32);
}

std::span<const Piece> WordCache::find(std::string_view word, std::uint64_t hash) const {
  if (table_.empty()) return {};
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = hash & mask; table_[at].count != 0; at = (at + 1) & mask) {
    const Entry& entry = table_[at];
    if (entry.hash == hash && entry.length == word.size() &&
        std::memcmp(words_.data() + entry.word, word.data(), word.size()) == 0) {
      return std::span(pieces_).subspan(entry.first, entry.count);
    }
  }
  return {};
}

bool WordCache::append(std::string_view word, std::uint64_t hash, std::vector<Piece>* out) const {
  const std::span<const Piece> known = find(word, hash);
  out->insert(out->end(), known.begin(), known.end());
  return !known.empty();
}

void WordCache::insert(std::string_view word, std::uint64_t hash, std::span<const Piece> pieces) {
  if (word.size() > kLongestWord || used_ >= kMostWords || pieces.empty()) return;
  if ((used_ + 1) * 2 > table_.size()) grow();
  const std::size_t mask = table_.size() - 1;
  std::size_t at = hash & mask;
  while (table_[at].count != 0) at = (at + 1) & mask;
  table_[at] = {hash, static_cast<std::uint32_t>(words_.size()),
                static_cast<std::uint32_t>(word.size()), static_cast<std::uint32_t>(pieces_.size()),
                static_cast<std::uint32_t>(pieces.size())};
  words_ += word;
  pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
  ++used_;
}

void WordCache::grow() {
  const std::vector<Entry> old = std::move(table_);
  table_.assign(old.empty() ? 256 : old.size() * 4, Entry{});
  const std::size_t mask = table_.size() - 1;
  for (const Entry& entry : old) {
    if (entry.count == 0) continue;
    std::size_t at = entry.hash & mask;
    while (table_[at].count != 0) at = (at + 1) & mask;
    table_[at] = entry;
  }
}

}  // namespace regard
