// SPDX-License-Identifier: Apache-2.0
// By the rules of the tokenizers library (tokenizers/src/models/bpe), whose queue of candidates
// also decides ties: n log n in the length of a word.
#include "regard/tokenizer/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/normalizer.h"
#include "regard/tokenizer/word_cache.h"

namespace regard {

std::size_t MergeTable::slot_of(std::uint32_t left, std::uint32_t right) {
  const std::uint64_t key = std::uint64_t{left} << 32 | right;
  return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15u) >> 24);
}

void MergeTable::reserve(std::size_t merges) {
  if (merges * 2 <= table_.size()) return;
  const std::vector<Entry> old = std::move(table_);
  table_.assign(std::bit_ceil(merges * 2 + 16), Entry{0, 0, {kNone, 0}});
  used_ = 0;
  for (const Entry& entry : old) {
    if (entry.merge.rank != kNone) insert(entry.left, entry.right, entry.merge);
  }
}

void MergeTable::insert(std::int64_t left, std::int64_t right, Merge merge) {
  if ((used_ + 1) * 2 > table_.size()) reserve(std::max<std::size_t>(64, used_ * 2));
  const auto l = static_cast<std::uint32_t>(left), r = static_cast<std::uint32_t>(right);
  const std::size_t mask = table_.size() - 1;
  std::size_t at = slot_of(l, r) & mask;
  while (table_[at].merge.rank != kNone && (table_[at].left != l || table_[at].right != r)) {
    at = (at + 1) & mask;
  }
  used_ += table_[at].merge.rank == kNone;
  table_[at] = {l, r, merge};
}

MergeTable::Merge MergeTable::find(std::uint32_t left, std::uint32_t right) const {
  if (table_.empty()) return {kNone, 0};
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = slot_of(left, right) & mask;; at = (at + 1) & mask) {
    const Entry& entry = table_[at];
    if (entry.merge.rank == kNone || (entry.left == left && entry.right == right)) {
      return entry.merge;
    }
  }
}

void MergeTable::prefetch(std::int64_t left, std::int64_t right) const {
  const auto l = static_cast<std::uint32_t>(left), r = static_cast<std::uint32_t>(right);
  if (!table_.empty()) __builtin_prefetch(&table_[slot_of(l, r) & (table_.size() - 1)], 1);
}

MergeTable make_merges(const MergePairs& pairs, const Vocabulary& vocabulary, std::size_t prefix,
                       const std::function<void(std::size_t, const std::string&)>& missing) {
  constexpr std::size_t kBatch = 64;
  MergeTable table;
  table.reserve(pairs.size());
  std::string_view pieces[2 * kBatch];
  std::int64_t ids[2 * kBatch];
  std::int64_t last = -1;  // what the last merge made
  for (std::size_t from = 0; from < pairs.size(); from += kBatch) {
    const std::size_t count = std::min(kBatch, pairs.size() - from);
    for (std::size_t i = 0; i < count; ++i) {
      pieces[2 * i] = pairs[from + i].first;
      pieces[2 * i + 1] = pairs[from + i].second;
    }
    vocabulary.ids({pieces, 2 * count}, {ids, 2 * count});
    for (std::size_t i = 0; i < count; ++i) table.prefetch(ids[2 * i], ids[2 * i + 1]);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view left = pieces[2 * i], right = pieces[2 * i + 1];
      if (ids[2 * i] < 0) return missing(from + i, std::string(left)), table;
      if (ids[2 * i + 1] < 0) return missing(from + i, std::string(right)), table;
      const std::string_view tail = right.substr(std::min(prefix, right.size()));
      // Merges mostly make their pieces in the order of the ids.
      const auto makes = [&](std::int64_t id) {
        const auto piece = vocabulary.piece(id);
        return piece && piece->size() == left.size() + tail.size() && piece->starts_with(left) &&
               piece->ends_with(tail);
      };
      std::int64_t id = makes(last) ? last : makes(last + 1) ? last + 1 : -1;
      if (id < 0) id = vocabulary.id_of_joined(left, tail);
      if (id < 0) return missing(from + i, std::string(left) + std::string(tail)), table;
      last = id;
      table.insert(ids[2 * i], ids[2 * i + 1],
                   {static_cast<std::uint32_t>(from + i), static_cast<std::uint32_t>(id)});
    }
  }
  return table;
}

namespace {

struct Symbol {
  std::uint32_t id;
  std::uint32_t length;         // bytes; 0: joined to the one on its left
  std::int32_t previous, next;  // -1: none
};

struct Candidate {
  std::uint32_t rank, at, id;
  // Of the heap's order: the top is the lowest rank, the leftmost of those.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

class BpeMemory : public WordCache {
 public:
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  std::string spelling;
};

class Bpe : public PieceModel {
 public:
  Bpe(Vocabulary vocabulary, MergeTable merges, BpeOptions options, std::string file)
      : vocabulary_(std::move(vocabulary)),
        merges_(std::move(merges)),
        options_(std::move(options)),
        file_(std::move(file)) {
    if (!options_.unknown.empty()) unknown_ = vocabulary_.id(options_.unknown).value_or(-1);
    if (options_.byte_fallback) bytes_ = BytePieces(vocabulary_);
    takes_bytes_ = options_.prefix.empty() && options_.suffix.empty();
    for (std::size_t b = 0; b < 256; ++b) {
      std::string stand_in;
      append_utf8(stand_in, byte_character(static_cast<unsigned char>(b)));
      byte_ids_[b] = vocabulary_.id(stand_in).value_or(-1);
      takes_bytes_ = takes_bytes_ && byte_ids_[b] >= 0;
    }
  }

  std::string kind() const override { return "BPE"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  bool takes_bytes() const override { return takes_bytes_; }
  std::unique_ptr<ModelMemory> memory() const override { return std::make_unique<BpeMemory>(); }

  void cut(std::string_view word, ModelMemory* memory, std::vector<Piece>& out) const override {
    cut(word, static_cast<BpeMemory&>(*memory), false, out);
  }
  void cut_bytes(std::string_view word, ModelMemory* memory,
                 std::vector<Piece>& out) const override {
    cut(word, static_cast<BpeMemory&>(*memory), true, out);
  }

 private:
  void cut(std::string_view word, BpeMemory& memory, bool bytes, std::vector<Piece>& out) const {
    const std::uint64_t hash = WordCache::hash(word);
    if (memory.append(word, hash, &out)) return;
    const std::size_t before = out.size();
    if (!whole_piece(word, memory, bytes, out)) {
      memory.symbols.clear();
      if (bytes) {
        for (const char c : word) {
          add(memory, static_cast<std::uint32_t>(byte_ids_[static_cast<unsigned char>(c)]), 1);
        }
      } else {
        spell(word, memory);
      }
      join(memory);
      std::uint32_t at = 0;
      for (const Symbol& symbol : memory.symbols) {
        if (symbol.length == 0) continue;
        out.push_back({symbol.id, at, at + symbol.length});
        at += symbol.length;
      }
    }
    memory.insert(word, hash, std::span(out).subspan(before));
  }

  bool whole_piece(std::string_view word, BpeMemory& memory, bool bytes,
                   std::vector<Piece>& out) const {
    if (!options_.ignore_merges) return false;
    std::string_view spelt = word;
    if (bytes) {
      memory.spelling.clear();
      for (const char c : word) {
        append_utf8(memory.spelling, byte_character(static_cast<unsigned char>(c)));
      }
      spelt = memory.spelling;
    }
    const auto id = vocabulary_.id(spelt);
    if (id) out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
    return id.has_value();
  }

  static void add(BpeMemory& memory, std::uint32_t id, std::uint32_t length) {
    const auto at = static_cast<std::int32_t>(memory.symbols.size());
    if (at > 0) memory.symbols.back().next = at;
    memory.symbols.push_back({id, length, at - 1, -1});
  }

  // The word's characters as symbols. As in the library, one that is no piece where there is no
  // unknown piece is left out, and the pieces after it stand that much further left.
  void spell(std::string_view word, BpeMemory& memory) const {
    std::uint32_t unknown_length = 0;  // of an unknown symbol that may still grow
    const auto flush = [&] {
      if (unknown_length > 0) add(memory, static_cast<std::uint32_t>(unknown_), unknown_length);
      unknown_length = 0;
    };
    std::string& spelling = memory.spelling;
    for (std::size_t at = 0; at < word.size();) {
      const auto size = static_cast<std::uint32_t>(decode_utf8(word, at).size);
      std::string_view character = word.substr(at, size);
      const bool first = at == 0, last = at + size == word.size();
      if ((!first && !options_.prefix.empty()) || (last && !options_.suffix.empty())) {
        spelling.clear();
        if (!first) spelling += options_.prefix;
        spelling += character;
        if (last) spelling += options_.suffix;
        character = spelling;
      }
      at += size;
      if (const auto id = vocabulary_.id(character)) {
        flush();
        add(memory, static_cast<std::uint32_t>(*id), size);
      } else if (options_.byte_fallback && bytes_.spell(character)) {
        for (const char c : character) {
          add(memory, static_cast<std::uint32_t>(bytes_.id(static_cast<unsigned char>(c))), 1);
        }
      } else if (!options_.unknown.empty()) {
        if (unknown_ < 0) {
          throw Error::at(file_, "model.unk_token", "an entry in model.vocab", options_.unknown);
        }
        if (!options_.fuse_unknown) flush();
        unknown_length += size;
      }
    }
    flush();
  }

  void join(BpeMemory& memory) const {
    std::vector<Symbol>& symbols = memory.symbols;
    std::vector<Candidate>& heap = memory.heap;
    heap.clear();
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const MergeTable::Merge merge = merges_.find(symbols[i].id, symbols[i + 1].id);
      if (merge.rank != MergeTable::kNone) {
        heap.push_back({merge.rank, static_cast<std::uint32_t>(i), merge.id});
      }
    }
    std::make_heap(heap.begin(), heap.end());
    const auto offer = [&](std::int32_t at, std::int32_t next) {
      const MergeTable::Merge merge = merges_.find(symbols[static_cast<std::size_t>(at)].id,
                                                   symbols[static_cast<std::size_t>(next)].id);
      if (merge.rank == MergeTable::kNone) return;
      heap.push_back({merge.rank, static_cast<std::uint32_t>(at), merge.id});
      std::push_heap(heap.begin(), heap.end());
    };
    while (!heap.empty()) {
      const Candidate top = heap.front();
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
      Symbol& left = symbols[top.at];
      if (left.length == 0 || left.next < 0) continue;
      Symbol& right = symbols[static_cast<std::size_t>(left.next)];
      const MergeTable::Merge merge = merges_.find(left.id, right.id);
      // The two have become others, and do not make the same piece either.
      if (merge.rank == MergeTable::kNone || merge.id != top.id) continue;
      left.id = top.id;
      left.length += right.length;
      left.next = right.next;
      right.length = 0;
      const auto at = static_cast<std::int32_t>(top.at);
      if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = at;
      if (left.previous >= 0) offer(left.previous, at);
      if (left.next >= 0) offer(at, left.next);
    }
  }

  Vocabulary vocabulary_;
  MergeTable merges_;
  BpeOptions options_;
  std::string file_;
  std::int64_t unknown_ = -1;
  BytePieces bytes_;
  std::array<std::int64_t, 256> byte_ids_{};
  bool takes_bytes_ = false;
};

}  // namespace

std::unique_ptr<const PieceModel> make_bpe(Vocabulary vocabulary, MergeTable merges,
                                           BpeOptions options, std::string file) {
  return std::make_unique<Bpe>(std::move(vocabulary), std::move(merges), std::move(options),
                               std::move(file));
}

}  // namespace regard
