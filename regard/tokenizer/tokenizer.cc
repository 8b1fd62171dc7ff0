// SPDX-License-Identifier: Apache-2.0
// The way of a text through a tokenizer: added tokens, normaliser, words, pieces, template.
#include "regard/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {
namespace {

// Throws Error for a text that is not UTF-8 or that offsets of 32 bits do not reach through.
void check_text(std::string_view text) {
  if (text.size() >= std::numeric_limits<std::uint32_t>::max() / 4) {
    throw Error::at("", "text", "less than 1 GiB", fmt::format("{} bytes", text.size()));
  }
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const CodePoint point = decode_utf8(text, at);
    if (!point.valid) throw Error::at("", fmt::format("text, byte {}", at), "UTF-8", "none");
    at += point.size;
  }
}

}  // namespace

struct Tokenizer::State {
  TokenizerParts parts;
  std::string file;
  AddedTokenMatcher in_text, in_normalized;
  std::unordered_map<std::int64_t, int> added_by_id;
  std::unordered_map<std::string_view, int> added_by_content;
  std::int64_t vocabulary_size = 0;
  bool takes_bytes = false;
  bool trims = false;

  State(TokenizerParts from, const std::string& from_file)
      : parts(std::move(from)), file(from_file) {
    std::vector<std::string> patterns[2];
    std::vector<int> numbers[2];
    vocabulary_size = parts.model->vocabulary().size();
    takes_bytes = parts.model->takes_bytes() && !parts.pre_tokenizers.empty() &&
                  std::holds_alternative<ByteLevelPreTokenizer>(parts.pre_tokenizers.back());
    trims = parts.post_processor.trims();
    std::size_t contents = 0;
    for (const AddedToken& token : parts.added) contents += token.content.size();
    TextBudget budget(contents, file);
    for (std::size_t i = 0; i < parts.added.size(); ++i) {
      const AddedToken& token = parts.added[i];
      std::string pattern = token.content;
      if (token.normalized && !parts.normalizers.empty()) {
        NormalText text(token.content, {0, token.content.size()});
        normalize(text, parts.normalizers, budget);
        pattern = text.view();
      }
      // One that the normaliser leaves nothing of is never found. Of several that become equal the
      // first is: the library takes any of them, another one each time that it reads the file.
      if (!pattern.empty()) {
        patterns[token.normalized].push_back(std::move(pattern));
        numbers[token.normalized].push_back(static_cast<int>(i));
      }
      added_by_id[token.id] = static_cast<int>(i);
      added_by_content.emplace(token.content, static_cast<int>(i));
      vocabulary_size = std::max(vocabulary_size, token.id + 1);
    }
    in_text = AddedTokenMatcher(patterns[0], numbers[0], file);
    in_normalized = AddedTokenMatcher(patterns[1], numbers[1], file);
  }

  // One text being cut.
  struct Cutter {
    const State& state;
    std::unique_ptr<ModelMemory> memory;
    int sequence;
    CutText out;
    TextBudget budget;
    std::vector<Piece> pieces = {};
    std::vector<std::string>* stretches = nullptr;  // wanted instead of pieces

    void add(int number, Span span, std::string_view typed) {
      const AddedToken& token = state.parts.added[static_cast<std::size_t>(number)];
      out.tokens.push_back({token.id, token.content, span, sequence, 0, token.special});
      if (state.trims) out.blanks.push_back(blanks_of(typed));
    }

    // A normalised stretch without added tokens.
    void cut(NormalText text) {
      if (stretches != nullptr) {
        for (const Span word : pre_tokenize(text, state.parts.pre_tokenizers, false, budget))
          stretches->emplace_back(text.view().substr(word.start, word.end - word.start));
        return;
      }
      const std::vector<Span> words =
          pre_tokenize(text, state.parts.pre_tokenizers, state.takes_bytes, budget);
      const std::string_view view = text.view();
      const PieceModel& model = *state.parts.model;
      for (const Span word : words) {
        pieces.clear();
        const std::string_view spelling = view.substr(word.start, word.end - word.start);
        if (state.takes_bytes) {
          model.cut_bytes(spelling, memory.get(), pieces);
        } else {
          model.cut(spelling, memory.get(), pieces);
        }
        for (const Piece& piece : pieces) {
          const auto name = model.vocabulary().piece(piece.id);
          const std::string_view known = name ? *name : std::string_view{};
          out.tokens.push_back({piece.id, std::string(known),
                                text.original(word.start + piece.start, word.start + piece.end),
                                sequence, 0, false});
          if (!state.trims) continue;
          const bool typed = piece.id == model.unknown_as_typed();
          out.blanks.push_back(
              blanks_of(typed ? spelling.substr(piece.start, piece.end - piece.start) : known));
        }
      }
    }

    void cut_all() {
      const std::string_view text = out.text;
      out.tokens.reserve(text.size() / 4 + 8);
      for (const AddedMatch& part : state.in_text.split(text, state.parts.added)) {
        const Span span = part.span;
        if (part.token >= 0) {
          add(part.token, span, text.substr(span.start, span.end - span.start));
          continue;
        }
        NormalText normal(text, span);
        normalize(normal, state.parts.normalizers, budget);
        const std::string_view view = normal.view();
        const auto matches = state.in_normalized.split(view, state.parts.added);
        if (matches.size() == 1 && matches[0].token < 0) {
          cut(std::move(normal));
          continue;
        }
        for (const AddedMatch& match : matches) {
          const Span at = match.span;
          if (match.token >= 0) {
            add(match.token, normal.original(at.start, at.end),
                view.substr(at.start, at.end - at.start));
          } else {
            cut(normal.slice(at.start, at.end));
          }
        }
      }
    }
  };

  CutText cut_text(std::string_view text, int sequence) const {
    check_text(text);
    Cutter cutter{
        *this, parts.model->memory(), sequence, {text, {}, {}}, TextBudget(text.size(), file)};
    cutter.cut_all();
    return std::move(cutter.out);
  }

  Encoding encode(std::vector<std::string_view> texts, bool special) const {
    std::vector<CutText> cut;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      cut.push_back(cut_text(texts[i], static_cast<int>(i)));
    }
    return {parts.post_processor.apply(std::move(cut), special)};
  }
};

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& file) {
  return make(read_tokenizer_json(json, file), file);
}

Tokenizer Tokenizer::make(TokenizerParts parts, const std::string& file) {
  return Tokenizer(std::make_shared<const State>(std::move(parts), file));
}

Encoding Tokenizer::encode(std::string_view text) const { return state_->encode({text}, true); }

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second) const {
  return state_->encode({first, second}, true);
}

Encoding Tokenizer::encode_plain(std::string_view text) const {
  return state_->encode({text}, false);
}

std::string Tokenizer::decode(const std::vector<std::int64_t>& ids, bool skip_special) const {
  std::vector<std::string> pieces;
  for (const std::int64_t one : ids) {
    if (skip_special && is_special(one)) continue;
    auto found = piece(one);
    if (!found) continue;
    // The library spells an added token as it looks for it.
    const auto added = state_->added_by_id.find(one);
    if (added != state_->added_by_id.end() &&
        state_->parts.added[static_cast<std::size_t>(added->second)].normalized) {
      NormalText text(*found, {0, found->size()});
      TextBudget budget(found->size(), state_->file);
      normalize(text, state_->parts.normalizers, budget);
      found = text.view();
    }
    pieces.push_back(std::move(*found));
  }
  return decode_pieces(std::move(pieces), state_->parts.decoders, state_->file);
}

std::vector<std::string> Tokenizer::words(std::string_view text) const {
  check_text(text);
  std::vector<std::string> words;
  State::Cutter cutter{*state_, nullptr, 0, {text, {}, {}}, TextBudget(text.size(), state_->file)};
  cutter.stretches = &words;
  cutter.cut_all();
  return words;
}

std::int64_t Tokenizer::vocabulary_size() const { return state_->vocabulary_size; }

std::optional<std::string> Tokenizer::piece(std::int64_t id) const {
  const auto added = state_->added_by_id.find(id);
  if (added != state_->added_by_id.end()) {
    return state_->parts.added[static_cast<std::size_t>(added->second)].content;
  }
  const auto found = state_->parts.model->vocabulary().piece(id);
  if (!found) return std::nullopt;
  return std::string(*found);
}

std::optional<std::int64_t> Tokenizer::id(std::string_view piece) const {
  const auto added = state_->added_by_content.find(piece);
  if (added != state_->added_by_content.end()) {
    return state_->parts.added[static_cast<std::size_t>(added->second)].id;
  }
  return state_->parts.model->vocabulary().id(piece);
}

bool Tokenizer::is_special(std::int64_t id) const {
  const auto added = state_->added_by_id.find(id);
  return added != state_->added_by_id.end() &&
         state_->parts.added[static_cast<std::size_t>(added->second)].special;
}

std::string Tokenizer::kind() const { return state_->parts.model->kind(); }

}  // namespace regard
