// SPDX-License-Identifier: Apache-2.0
// The best path by the rules of the tokenizers library (tokenizers/src/models/unigram) and of
// SentencePiece (src/unigram_model.cc), which it follows: the first of equal sums stands.
#include "regard/tokenizer/unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/pattern_set.h"
#include "regard/tokenizer/word_cache.h"

namespace regard {
namespace {

constexpr double kUnknownPenalty = 10.0;
// Pieces of more bytes, which are rare, are found by an automaton: to try each length at each place
// of a text would take as long as the longest piece of a file likes.
constexpr std::size_t kShort = 64;

// The best way to get to the end of this node's piece.
struct Node {
  double score = 0;
  std::int64_t id = -1;
  std::uint32_t start = 0;
  bool reached = false;
};

class UnigramMemory : public WordCache {
 public:
  std::vector<Node> nodes;
  std::vector<Piece> path;
};

class Unigram : public PieceModel {
 public:
  Unigram(Vocabulary vocabulary, std::vector<double> scores, UnigramOptions options)
      : vocabulary_(std::move(vocabulary)),
        scores_(std::move(scores)),
        options_(std::move(options)),
        long_pieces_(options_.file, "pieces of more than 64 bytes") {
    if (options_.byte_fallback) bytes_ = BytePieces(vocabulary_);
    const auto flagged = [](const std::vector<bool>& flags, std::size_t id) {
      return id < flags.size() && flags[id];
    };
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t id = 0; id < scores_.size(); ++id) {
      const bool never = flagged(options_.never, id), user = flagged(options_.user_defined, id);
      if (!never && !user) {
        lowest = std::min(lowest, scores_[id]);
        highest_ = std::max(highest_, scores_[id]);
      }
      const auto piece = vocabulary_.piece(static_cast<std::int64_t>(id));
      if (never || !piece || piece->empty()) continue;
      if (piece->size() > kShort) {
        // Of a piece that comes twice the later counts.
        if (vocabulary_.id(*piece) == static_cast<std::int64_t>(id)) {
          long_pieces_.insert(*piece, static_cast<std::int64_t>(id));
        }
        continue;
      }
      std::uint32_t& longest = longest_[prefix_of(*piece)];
      longest = std::max(longest, static_cast<std::uint32_t>(piece->size()));
    }
    long_pieces_.build();
    // One byte is the prefix of every piece that it begins.
    unknown_score_ = lowest - kUnknownPenalty;
    if (options_.sentencepiece) {
      unknown_score_ = static_cast<float>(lowest) - static_cast<float>(kUnknownPenalty);
    }
  }

  std::string kind() const override { return "Unigram"; }
  std::int64_t unknown_as_typed() const override { return options_.unknown_id; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::int64_t entries() const override { return static_cast<std::int64_t>(scores_.size()); }
  std::unique_ptr<ModelMemory> memory() const override { return std::make_unique<UnigramMemory>(); }

  void cut(std::string_view word, ModelMemory* memory, std::vector<Piece>& out) const override {
    auto& mine = static_cast<UnigramMemory&>(*memory);
    const std::uint64_t hash = WordCache::hash(word);
    if (mine.append(word, hash, &out)) return;
    const std::size_t before = out.size();
    find_path(word, mine);
    trace_back(word, mine, out);
    mine.insert(word, hash, std::span(out).subspan(before));
  }

 private:
  static std::size_t prefix_of(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const auto second = text.size() > 1 ? static_cast<unsigned char>(text[1]) : 0U;
    return std::size_t{first} << 8 | second;
  }

  double score_of(std::int64_t id, std::size_t length) const {
    const auto index = static_cast<std::size_t>(id);
    if (index < options_.user_defined.size() && options_.user_defined[index]) {
      return static_cast<double>(static_cast<float>(length) * static_cast<float>(highest_) - 0.1);
    }
    return scores_[index];
  }

  void find_path(std::string_view word, UnigramMemory& memory) const {
    std::vector<Node>& nodes = memory.nodes;
    nodes.assign(word.size() + 1, Node{});
    const auto offer = [&](std::size_t start, std::size_t end, std::int64_t id, double score) {
      double sum = nodes[start].score + score;
      if (options_.sentencepiece) {
        sum = static_cast<float>(nodes[start].score) + static_cast<float>(score);
      }
      Node& node = nodes[end];
      // Of equal sums that of the longest piece stands.
      if (!node.reached || sum > node.score || (sum == node.score && start < node.start)) {
        node = {sum, id, static_cast<std::uint32_t>(start), true};
      }
    };
    // The long pieces that end where `start` is.
    auto offer_long = [&, state = std::uint32_t{0},
                       done = std::size_t{0}](std::size_t end) mutable {
      if (long_pieces_.empty()) return;
      for (; done < end; ++done) {
        state = long_pieces_.next(state, static_cast<unsigned char>(word[done]));
      }
      long_pieces_.ends(state, [&](const PatternSet::Match& match) {
        offer(end - match.length, end, match.value, score_of(match.value, match.length));
        return true;
      });
    };
    for (std::size_t start = 0; start < word.size();) {
      offer_long(start);
      const std::size_t character = decode_utf8(word, start).size;
      bool single = false;  // the character alone is a piece
      const std::string_view rest = word.substr(start);
      const std::size_t two = longest_[prefix_of(rest)];
      const std::size_t one = longest_[prefix_of(rest.substr(0, 1))];
      const std::size_t longest = std::min(rest.size(), std::max(two, one));
      std::uint64_t hash = Vocabulary::kEmptyHash;
      for (std::size_t length = 1; length <= longest; ++length) {
        hash = Vocabulary::hash_step(hash, rest[length - 1]);
        const std::int64_t id = vocabulary_.id_of_hashed(rest.substr(0, length), hash);
        if (id < 0) continue;
        const auto index = static_cast<std::size_t>(id);
        if (index >= scores_.size() || (index < options_.never.size() && options_.never[index])) {
          continue;
        }
        offer(start, start + length, id, score_of(id, length));
        single = single || length == character;
      }
      if (!single) {
        if (options_.unknown_id < 0) {
          throw Error::at(options_.file, "model.unk_id", "an id for unknown characters",
                          std::string("none, and ") + std::string(rest.substr(0, character)));
        }
        offer(start, start + character, options_.unknown_id, unknown_score_);
      }
      start += character;
    }
    offer_long(word.size());
  }

  void trace_back(std::string_view word, UnigramMemory& memory, std::vector<Piece>& out) const {
    std::vector<Piece>& path = memory.path;
    path.clear();
    for (std::size_t end = word.size(); end > 0;) {
      const Node& node = memory.nodes[end];
      // Neighbouring unknown characters are one piece.
      if (node.id == options_.unknown_id && !path.empty() &&
          path.back().id == options_.unknown_id && path.back().start == end) {
        path.back().start = node.start;
      } else {
        path.push_back({node.id, node.start, static_cast<std::uint32_t>(end)});
      }
      end = node.start;
    }
    for (auto piece = path.rbegin(); piece != path.rend(); ++piece) {
      const std::string_view text = word.substr(piece->start, piece->end - piece->start);
      if (piece->id != options_.unknown_id) {
        out.push_back(*piece);
        continue;
      }
      // Several characters that are each unknown can spell a piece together.
      const auto whole = options_.sentencepiece ? std::nullopt : vocabulary_.id(text);
      if (whole) {
        out.push_back({*whole, piece->start, piece->end});
      } else if (options_.byte_fallback && bytes_.spell(text)) {
        for (std::uint32_t i = 0; i < text.size(); ++i) {
          out.push_back({bytes_.id(static_cast<unsigned char>(text[i])), piece->start + i,
                         piece->start + i + 1});
        }
      } else {
        out.push_back(*piece);
      }
    }
  }

  Vocabulary vocabulary_;
  std::vector<double> scores_;
  UnigramOptions options_;
  PatternSet long_pieces_;
  BytePieces bytes_;
  double unknown_score_ = 0, highest_ = -std::numeric_limits<double>::infinity();
  // Bytes of the longest short piece that begins with these two bytes (of one byte: with a zero).
  std::vector<std::uint32_t> longest_ = std::vector<std::uint32_t>(std::size_t{1} << 16, 0);
};

}  // namespace

std::unique_ptr<const PieceModel> make_unigram(Vocabulary vocabulary, std::vector<double> scores,
                                               UnigramOptions options) {
  return std::make_unique<Unigram>(std::move(vocabulary), std::move(scores), std::move(options));
}

}  // namespace regard
