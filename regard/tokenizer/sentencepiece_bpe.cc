// SPDX-License-Identifier: Apache-2.0
// By the rules of SentencePiece (src/bpe_model.cc); n log n in the length of a word.
#include "regard/tokenizer/sentencepiece_bpe.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "regard/platform/utf8.h"
#include "regard/tokenizer/pattern_set.h"
#include "regard/tokenizer/word_cache.h"

namespace regard {
namespace {

struct Symbol {
  std::uint32_t start, size;    // bytes of the word; size 0: joined to the one on its left
  std::int32_t previous, next;  // -1: none
  bool frozen;                  // user-defined: joins nothing
};

struct Candidate {
  float score;
  std::uint32_t left, right, size;
  // Of the heap's order: the top is the highest score, the leftmost of those.
  bool operator<(const Candidate& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

class BpeMemory : public WordCache {
 public:
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  // For a piece made of two that must not stay in the end: the bytes of its left part.
  std::unordered_map<std::string_view, std::uint32_t> parts;
};

class SentencePieceBpe : public PieceModel {
 public:
  SentencePieceBpe(Vocabulary vocabulary, SentencePieceBpeOptions options)
      : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
    if (options_.byte_fallback) bytes_ = BytePieces(vocabulary_);
    for (std::size_t id = 0; id < options_.types.size(); ++id) {
      if (options_.types[id] != PieceType::kUserDefined) continue;
      if (const auto piece = vocabulary_.piece(static_cast<std::int64_t>(id))) {
        if (!piece->empty()) user_defined_.insert(*piece, static_cast<std::int64_t>(id));
      }
    }
    user_defined_.build();
  }

  std::string kind() const override { return "BPE"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::unique_ptr<ModelMemory> memory() const override { return std::make_unique<BpeMemory>(); }

  void cut(std::string_view word, ModelMemory* memory, std::vector<Piece>& out) const override {
    auto& mine = static_cast<BpeMemory&>(*memory);
    const std::uint64_t hash = WordCache::hash(word);
    if (mine.append(word, hash, &out)) return;
    const std::size_t before = out.size();
    join(word, mine);
    for (std::int32_t i = mine.symbols.empty() ? -1 : 0; i >= 0;) {
      const Symbol& symbol = mine.symbols[static_cast<std::size_t>(i)];
      put(word, symbol.start, symbol.size, mine, before, out);
      i = symbol.next;
    }
    mine.insert(word, hash, std::span(out).subspan(before));
  }

 private:
  PieceType type(std::int64_t id) const {
    const auto index = static_cast<std::size_t>(id);
    return index < options_.types.size() ? options_.types[index] : PieceType::kNormal;
  }

  // The id of a piece that text can become; -1 when there is none.
  std::int64_t find(std::string_view text) const {
    const auto id = vocabulary_.id(text);
    if (!id) return -1;
    const PieceType of = type(*id);
    const bool spelt =
        of == PieceType::kNormal || of == PieceType::kUserDefined || of == PieceType::kUnused;
    return spelt ? *id : -1;
  }

  void join(std::string_view word, BpeMemory& memory) const {
    std::vector<Symbol>& symbols = memory.symbols;
    std::vector<Candidate>& heap = memory.heap;
    symbols.clear();
    heap.clear();
    memory.parts.clear();
    std::vector<PrefixSet::Match> user_defined = user_defined_.find(word);
    for (std::size_t at = 0; at < word.size();) {
      while (!user_defined.empty() && user_defined.back().start < at) user_defined.pop_back();
      const bool frozen = !user_defined.empty() && user_defined.back().start == at;
      const std::size_t size = frozen ? user_defined.back().length : decode_utf8(word, at).size;
      const auto index = static_cast<std::int32_t>(symbols.size());
      const bool last = at + size >= word.size();
      symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size),
                         index - 1, last ? -1 : index + 1, frozen});
      at += size;
    }
    const auto offer = [&](std::int32_t left, std::int32_t right) {
      if (left < 0 || right < 0) return;
      const Symbol& a = symbols[static_cast<std::size_t>(left)];
      const Symbol& b = symbols[static_cast<std::size_t>(right)];
      if (a.frozen || b.frozen) return;
      const std::string_view text = word.substr(a.start, a.size + b.size);
      const std::int64_t id = find(text);
      if (id < 0) return;
      heap.push_back({options_.scores[static_cast<std::size_t>(id)],
                      static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right),
                      a.size + b.size});
      std::push_heap(heap.begin(), heap.end());
      if (type(id) == PieceType::kUnused) memory.parts[text] = a.size;
    };
    for (std::size_t i = 1; i < symbols.size(); ++i) {
      offer(static_cast<std::int32_t>(i) - 1, static_cast<std::int32_t>(i));
    }
    while (!heap.empty()) {
      const Candidate top = heap.front();
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
      Symbol& left = symbols[top.left];
      Symbol& right = symbols[top.right];
      if (left.size == 0 || right.size == 0 || left.size + right.size != top.size) continue;
      left.size += right.size;
      left.next = right.next;
      right.size = 0;
      const auto at = static_cast<std::int32_t>(top.left);
      if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = at;
      offer(left.previous, at);
      offer(at, left.next);
    }
  }

  // The piece word[start, start + size), in parts where it is unused, in bytes or as unknown where
  // it is none.
  void put(std::string_view word, std::uint32_t start, std::uint32_t size, BpeMemory& memory,
           std::size_t before, std::vector<Piece>& out) const {
    const std::string_view text = word.substr(start, size);
    const std::int64_t id = find(text);
    if (id >= 0 && type(id) == PieceType::kUnused) {
      const auto part = memory.parts.find(text);
      if (part != memory.parts.end()) {
        const std::uint32_t left = part->second;
        put(word, start, left, memory, before, out);
        put(word, start + left, size - left, memory, before, out);
        return;
      }
    }
    if (id >= 0) {
      out.push_back({id, start, start + size});
    } else if (options_.byte_fallback && bytes_.spell(text)) {
      for (std::uint32_t i = 0; i < size; ++i) {
        out.push_back({bytes_.id(static_cast<unsigned char>(text[i])), start + i, start + i + 1});
      }
    } else if (out.size() > before && out.back().id == options_.unknown_id &&
               out.back().end == start) {
      out.back().end = start + size;
    } else {
      out.push_back({options_.unknown_id, start, start + size});
    }
  }

  Vocabulary vocabulary_;
  PrefixSet user_defined_;
  SentencePieceBpeOptions options_;
  BytePieces bytes_;
};

}  // namespace

std::unique_ptr<const PieceModel> make_sentencepiece_bpe(Vocabulary vocabulary,
                                                         SentencePieceBpeOptions options) {
  return std::make_unique<SentencePieceBpe>(std::move(vocabulary), std::move(options));
}

}  // namespace regard
