// SPDX-License-Identifier: Apache-2.0
// The way of a text through a tokenizer: added tokens, normaliser, words, pieces, template.
#include "regard/tokenizer/tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/tokenizer_state.h"
#include "regard/tokenizer/unicode_tables.h"

namespace regard {
namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 28;

// BertPreTokenizer: calls visit(start, end) for each word and each punctuation mark.
template <typename Visit>
void for_each_word(std::string_view text, const Visit& visit) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const std::uint8_t flags = unicode_flags(point.value);
    const std::size_t next = at + point.size;
    if (flags & (kSplitSpace | kPunctuation)) {
      if (begin < at) visit(begin, at);
      if (!(flags & kSplitSpace)) visit(at, next);
      begin = next;
    }
    at = next;
  }
  if (begin < text.size()) visit(begin, text.size());
}

}  // namespace

struct Tokenizer::State {
  TokenizerParts parts;
  AddedTokenMatcher in_text, in_normalized;
  std::unordered_map<std::int64_t, int> added_by_id;
  std::int64_t vocabulary_size = 0;

  State(TokenizerParts from, const std::string& file) : parts(std::move(from)) {
    std::vector<std::string> patterns[2];
    std::vector<int> numbers[2];
    vocabulary_size = parts.model.vocabulary.size();
    for (std::size_t i = 0; i < parts.added.size(); ++i) {
      const AddedToken& token = parts.added[i];
      std::string pattern = token.content;
      if (token.normalized) pattern = normalize(pattern, 0, parts.normalizer).text;
      if (pattern.empty()) {
        throw Error::at(file, "added_tokens", "a token that is not empty once normalised",
                        token.content);
      }
      patterns[token.normalized].push_back(std::move(pattern));
      numbers[token.normalized].push_back(static_cast<int>(i));
      added_by_id[token.id] = static_cast<int>(i);
      vocabulary_size = std::max(vocabulary_size, token.id + 1);
    }
    in_text = AddedTokenMatcher(std::move(patterns[0]), std::move(numbers[0]));
    in_normalized = AddedTokenMatcher(std::move(patterns[1]), std::move(numbers[1]));
  }

  void add(const AddedToken& token, Span span, int sequence, std::int64_t type,
           Encoding& out) const {
    out.tokens.push_back({token.id, token.content, span, sequence, type, token.special});
  }

  void append_text(std::string_view text, int sequence, std::int64_t type, Encoding& out) const {
    std::vector<std::pair<std::int64_t, Span>> pieces;
    for (const AddedMatch& part : in_text.split(text, parts.added)) {
      if (part.token >= 0) {
        add(parts.added[static_cast<std::size_t>(part.token)], part.span, sequence, type, out);
        continue;
      }
      const std::string_view piece = text.substr(part.span.start, part.span.end - part.span.start);
      const NormalText normal = normalize(piece, part.span.start, parts.normalizer);
      for (const AddedMatch& match : in_normalized.split(normal.text, parts.added)) {
        const Span span = match.span;
        if (match.token >= 0) {
          add(parts.added[static_cast<std::size_t>(match.token)],
              normal.original(span.start, span.end), sequence, type, out);
          continue;
        }
        const auto stretch =
            std::string_view(normal.text).substr(span.start, span.end - span.start);
        for_each_word(stretch, [&](std::size_t start, std::size_t end) {
          pieces.clear();
          parts.model.split(stretch.substr(start, end - start), pieces);
          const std::size_t base = span.start + start;
          for (const auto& [id, at] : pieces) {
            out.tokens.push_back({id, std::string(*parts.model.vocabulary.piece(id)),
                                  normal.original(base + at.start, base + at.end), sequence, type,
                                  false});
          }
        });
      }
    }
  }

  Encoding encode(const std::vector<TemplateItem>& items, std::string_view first,
                  std::string_view second, bool special) const {
    Encoding out;
    out.tokens.reserve((first.size() + second.size()) / 4 + 8);
    for (const TemplateItem& item : items) {
      if (item.sequence >= 0) {
        append_text(item.sequence == 0 ? first : second, item.sequence, item.type, out);
      } else if (special) {
        for (const TemplateToken& token : item.tokens) {
          out.tokens.push_back({token.id, token.text, {}, -1, item.type, true});
        }
      }
    }
    return out;
  }
};

Tokenizer Tokenizer::open(const std::string& folder) {
  const std::string file = folder + "/tokenizer.json";
  if (std::filesystem::exists(file)) return from_json(read_text_file(file, kLongestFile), file);
  const std::string vocab = folder + "/vocab.txt";
  if (!std::filesystem::exists(vocab)) {
    throw Error::at(folder, "", "tokenizer.json or vocab.txt", "neither");
  }
  return Tokenizer(std::make_shared<const State>(read_vocab_txt(folder), vocab));
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& file) {
  return Tokenizer(std::make_shared<const State>(read_tokenizer_json(json, file), file));
}

bool Tokenizer::present(const std::string& folder) {
  return std::filesystem::exists(folder + "/tokenizer.json") ||
         std::filesystem::exists(folder + "/vocab.txt");
}

Encoding Tokenizer::encode(std::string_view text) const {
  return state_->encode(state_->parts.post_processor.single, text, {}, true);
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second) const {
  return state_->encode(state_->parts.post_processor.pair, first, second, true);
}

Encoding Tokenizer::encode_plain(std::string_view text) const {
  return state_->encode(state_->parts.post_processor.single, text, {}, false);
}

std::int64_t Tokenizer::vocabulary_size() const { return state_->vocabulary_size; }

std::optional<std::string> Tokenizer::piece(std::int64_t id) const {
  const auto added = state_->added_by_id.find(id);
  if (added != state_->added_by_id.end()) {
    return state_->parts.added[static_cast<std::size_t>(added->second)].content;
  }
  const auto found = state_->parts.model.vocabulary.piece(id);
  if (!found) return std::nullopt;
  return std::string(*found);
}

std::optional<std::int64_t> Tokenizer::id(std::string_view piece) const {
  for (const AddedToken& token : state_->parts.added) {
    if (token.content == piece) return token.id;
  }
  return state_->parts.model.vocabulary.id(piece);
}

bool Tokenizer::is_special(std::int64_t id) const {
  const auto added = state_->added_by_id.find(id);
  return added != state_->added_by_id.end() &&
         state_->parts.added[static_cast<std::size_t>(added->second)].special;
}

std::string Tokenizer::kind() const { return "WordPiece"; }

}  // namespace regard
