// SPDX-License-Identifier: Apache-2.0
// GGUF's four kinds of vocabularies as the tokenizers that the models were published with.
#include "regard/tokenizer/gguf_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/bpe.h"
#include "regard/tokenizer/gguf_patterns.h"
#include "regard/tokenizer/sentencepiece_bpe.h"
#include "regard/tokenizer/tokenizer_state.h"
#include "regard/tokenizer/unigram.h"
#include "regard/tokenizer/wordpiece.h"

namespace regard {
namespace {

constexpr std::string_view kMark = "\u2581";

class Reader {
 public:
  Reader(const GgufVocabulary& from, const std::string& file) : from_(from), file_(file) {
    const std::size_t count = from.tokens.size();
    if (count == 0 || count > static_cast<std::size_t>(Vocabulary::kHighestId) + 1) {
      throw wrong("tokens", "1 to 4194304 tokens", fmt::format("{}", count));
    }
    if (!from.types.empty() && from.types.size() != count) {
      throw wrong("token_type", fmt::format("{} types", count),
                  fmt::format("{}", from.types.size()));
    }
    const bool needs_scores = from.model == "llama" || from.model == "t5";
    if ((needs_scores || !from.scores.empty()) && from.scores.size() != count) {
      throw wrong("scores", fmt::format("{} scores", count), fmt::format("{}", from.scores.size()));
    }
    // Without an order among them, which pieces join would be chance.
    const auto odd = std::find_if(from.scores.begin(), from.scores.end(),
                                  [](float score) { return !std::isfinite(score); });
    if (odd != from.scores.end()) {
      throw wrong("scores", "finite scores",
                  fmt::format("{} at {}", *odd, odd - from.scores.begin()));
    }
    types_.assign(count, PieceType::kNormal);
    for (std::size_t id = 0; id < from.types.size(); ++id) {
      const std::int64_t type = from.types[id];
      if (type < 0 || type > 6) {
        throw wrong("token_type", "types from 0 to 6", fmt::format("{} at {}", type, id));
      }
      types_[id] = type == 0 ? PieceType::kNormal : static_cast<PieceType>(type);
    }
    for (const auto& id : {from.bos, from.eos, from.unknown, from.separator, from.cls}) {
      if (id && (*id < 0 || *id >= static_cast<std::int64_t>(count))) {
        throw wrong("tokens", fmt::format("token ids below {}", count), fmt::format("{}", *id));
      }
    }
  }

  TokenizerParts read() {
    if (from_.model == "llama") {
      llama();
    } else if (from_.model == "gpt2") {
      gpt2();
    } else if (from_.model == "bert") {
      bert();
    } else if (from_.model == "t5") {
      t5();
    } else {
      throw wrong("model", "llama, gpt2, bert or t5", from_.model);
    }
    return std::move(parts_);
  }

 private:
  Error wrong(std::string_view key, std::string_view expected, std::string_view found) const {
    return Error::at(file_, fmt::format("tokenizer.ggml.{}", key), expected, found);
  }

  // A token with bytes that are not UTF-8 is mended: it is never spelt by a text.
  std::string token(std::size_t id) const { return mend_utf8(from_.tokens[id], nullptr); }

  Vocabulary vocabulary() const {
    Vocabulary out;
    out.reserve(from_.tokens.size(), from_.tokens.size() * 8);
    for (std::size_t id = 0; id < from_.tokens.size(); ++id) {
      out.insert(token(id), static_cast<std::int64_t>(id));
    }
    return out;
  }

  // Control and user-defined tokens, and the unknown one, are found in the text first.
  void add_tokens() {
    for (std::size_t id = 0; id < types_.size(); ++id) {
      const PieceType type = types_[id];
      const bool special = type == PieceType::kControl || type == PieceType::kUnknown;
      if ((!special && type != PieceType::kUserDefined) || from_.tokens[id].empty()) continue;
      parts_.added.push_back(
          {.content = token(id), .id = static_cast<std::int64_t>(id), .special = special});
    }
  }

  std::vector<TemplateToken> one(const std::optional<std::int64_t>& id, bool wanted,
                                 std::string_view key) const {
    if (!wanted) return {};
    if (!id) throw wrong(key, "an id, as the token is to be added", "none");
    return {{*id, token(static_cast<std::size_t>(*id))}};
  }

  void surround(bool bos, bool eos) {
    bos = from_.add_bos.value_or(bos && from_.bos.has_value());
    eos = from_.add_eos.value_or(eos && from_.eos.has_value());
    if (!bos && !eos) return;
    parts_.post_processor.steps.emplace_back(TemplateStep::around(
        one(from_.bos, bos, "bos_token_id"), one(from_.eos, eos, "eos_token_id")));
  }

  std::int64_t unknown() const {
    if (from_.unknown) return *from_.unknown;
    const auto found = std::find(types_.begin(), types_.end(), PieceType::kUnknown);
    return found == types_.end() ? 0 : found - types_.begin();
  }

  void llama() {
    const bool prefixed = from_.add_space_prefix.value_or(true);
    parts_.decoders = sentencepiece_decoders(prefixed);
    if (prefixed) {
      parts_.normalizers.emplace_back(PrependNormalizer{std::string(kMark)});
    }
    parts_.normalizers.emplace_back(ReplaceNormalizer{Regex::literal(" "), std::string(kMark)});
    add_tokens();
    SentencePieceBpeOptions options;
    options.scores = from_.scores;
    options.types = types_;
    // They were found before.
    std::replace(options.types.begin(), options.types.end(), PieceType::kUserDefined,
                 PieceType::kNormal);
    options.unknown_id = unknown();
    options.byte_fallback = true;
    surround(true, false);
    parts_.model = make_sentencepiece_bpe(vocabulary(), std::move(options));
  }

  void gpt2() {
    parts_.decoders = {ByteLevelDecoder{}};
    BpeOptions options;
    options.ignore_merges = apply_gguf_pattern(from_.pre, file_, parts_);
    add_tokens();
    Vocabulary pieces = vocabulary();
    MergePairs pairs;
    pairs.reserve(from_.merges.size());
    const auto wrong_merge = [&](std::size_t i) {
      return wrong("merges", "two tokens that make a third",
                   fmt::format("{} at {}", from_.merges[i], i));
    };
    for (std::size_t i = 0; i < from_.merges.size(); ++i) {
      const std::string_view merge = from_.merges[i];
      const std::size_t space = merge.find(' ', 1);
      if (space == std::string_view::npos) throw wrong_merge(i);
      pairs.emplace_back(merge.substr(0, space), merge.substr(space + 1));
    }
    MergeTable merges = make_merges(
        pairs, pieces, 0, [&](std::size_t i, const std::string&) { throw wrong_merge(i); });
    if (from_.pre == "roberta-bpe") {
      const auto bos = one(from_.bos, true, "bos_token_id");
      const auto eos = one(from_.eos, true, "eos_token_id");
      parts_.post_processor.steps.emplace_back(TemplateStep::roberta(bos[0], eos[0]));
    } else {
      surround(from_.pre == "llama-bpe" || from_.pre == "llama3" || from_.pre == "llama-v3" ||
                   from_.pre == "tekken",
               false);
    }
    parts_.model = make_bpe(std::move(pieces), std::move(merges), options, file_);
  }

  // The file has "\u2581play" for "play" and "ing" for "##ing".
  void bert() {
    Vocabulary pieces;
    pieces.reserve(from_.tokens.size(), from_.tokens.size() * 8);
    bool cased = false;
    for (std::size_t id = 0; id < from_.tokens.size(); ++id) {
      std::string piece = token(id);
      const bool bracketed = piece.starts_with('[') && piece.ends_with(']');
      if (std::string_view(piece).starts_with(kMark)) {
        piece.erase(0, kMark.size());
        cased = cased || std::any_of(piece.begin(), piece.end(),
                                     [](char c) { return c >= 'A' && c <= 'Z'; });
      } else if (!bracketed && types_[id] == PieceType::kNormal) {
        piece.insert(0, "##");
      }
      pieces.insert(piece, static_cast<std::int64_t>(id));
    }
    // The file does not say whether texts are put in lower case; capitals in the pieces do.
    BertNormalizer normalizer;
    normalizer.lowercase = normalizer.strip_accents = !cased;
    parts_.normalizers.emplace_back(normalizer);
    parts_.pre_tokenizers.emplace_back(BertPreTokenizer{});
    parts_.decoders = {WordPieceDecoder{"##", true}};
    const auto named = [&](const std::optional<std::int64_t>& id, std::string_view name) {
      if (id) return id;
      return pieces.id(name);
    };
    const auto cls = named(from_.cls ? from_.cls : from_.bos, "[CLS]");
    const auto sep = named(from_.separator ? from_.separator : from_.eos, "[SEP]");
    const auto unk = named(from_.unknown, "[UNK]");
    if (!unk) throw wrong("unknown_token_id", "an id", "none");
    for (std::size_t id = 0; id < types_.size(); ++id) {
      const std::string name = token(id);
      const bool usual = name == "[PAD]" || name == "[UNK]" || name == "[CLS]" || name == "[SEP]" ||
                         name == "[MASK]";
      if (types_[id] == PieceType::kControl || types_[id] == PieceType::kUnknown || usual) {
        parts_.added.push_back(
            {.content = name, .id = static_cast<std::int64_t>(id), .special = true});
      }
    }
    if (from_.add_bos.value_or(true) || from_.add_eos.value_or(true)) {
      parts_.post_processor.steps.emplace_back(TemplateStep::bert(
          one(cls, true, "cls_token_id")[0], one(sep, true, "seperator_token_id")[0]));
    }
    WordPieceOptions options;
    options.unknown_id = *unk;
    parts_.model = make_wordpiece(std::move(pieces), options);
  }

  void t5() {
    if (!from_.precompiled_charsmap.empty()) {
      parts_.normalizers.emplace_back(std::make_shared<const CharsMap>(CharsMap::parse(
          from_.precompiled_charsmap, file_, "tokenizer.ggml.precompiled_charsmap")));
    }
    parts_.pre_tokenizers.emplace_back(WhitespaceSplitPreTokenizer{});
    MetaspacePreTokenizer metaspace;
    const bool prefixed = from_.add_space_prefix.value_or(true);
    if (!prefixed) metaspace.prepend = MetaspacePreTokenizer::Prepend::kNever;
    parts_.decoders = {MetaspaceDecoder{std::string(kMark), prefixed}};
    parts_.pre_tokenizers.emplace_back(metaspace);
    add_tokens();
    UnigramOptions options;
    options.unknown_id = unknown();
    options.file = file_;
    surround(false, true);
    parts_.model =
        make_unigram(vocabulary(), {from_.scores.begin(), from_.scores.end()}, std::move(options));
  }

  const GgufVocabulary& from_;
  const std::string& file_;
  std::vector<PieceType> types_;
  TokenizerParts parts_;
};

}  // namespace

Tokenizer Tokenizer::from_gguf(const GgufVocabulary& vocabulary, const std::string& file) {
  return make(Reader(vocabulary, file).read(), file);
}

}  // namespace regard
