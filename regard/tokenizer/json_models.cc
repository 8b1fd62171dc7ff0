// SPDX-License-Identifier: Apache-2.0
// The model of tokenizer.json.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "regard/platform/error.h"
#include "regard/tokenizer/bpe.h"
#include "regard/tokenizer/json_members.h"
#include "regard/tokenizer/tokenizer_state.h"
#include "regard/tokenizer/unigram.h"
#include "regard/tokenizer/wordpiece.h"

namespace regard {
namespace {

Vocabulary read_vocabulary(const Json& vocab) {
  Vocabulary out;
  out.reserve(vocab.size(), vocab.size() * 8);
  vocab.for_each_member(
      [&](std::string_view piece, const Json& id) { out.insert(piece, id_of(id)); });
  return out;
}

// What is written before or behind each piece inside a word.
std::string read_affix(const Json& model, std::string_view key, std::string_view otherwise) {
  constexpr std::size_t kLongest = 64;
  std::string affix = text(model, key, otherwise);
  if (affix.size() > kLongest) {
    throw model.at(key).wrong(fmt::format("at most {} bytes", kLongest));
  }
  return affix;
}

std::unique_ptr<const PieceModel> read_wordpiece(const Json& model, const std::string& file) {
  demand_known(model, {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word",
                       "vocab"});
  WordPieceOptions options;
  const std::string unknown = text(model, "unk_token", "[UNK]");
  options.prefix = read_affix(model, "continuing_subword_prefix", "##");
  options.file = file;
  if (const auto longest = present(model, "max_input_chars_per_word")) {
    if (longest->integer() < 0) throw longest->wrong("a number of characters");
    options.longest_word = static_cast<std::size_t>(longest->integer());
  }
  const Json vocab = model.at("vocab");
  Vocabulary vocabulary = read_vocabulary(vocab);
  const auto unknown_id = vocabulary.id(unknown);
  if (!unknown_id) throw vocab.wrong(fmt::format("an entry for unk_token \"{}\"", unknown));
  options.unknown_id = *unknown_id;
  return make_wordpiece(std::move(vocabulary), std::move(options));
}

std::unique_ptr<const PieceModel> read_word_level(const Json& model, const std::string& file) {
  demand_known(model, {"type", "unk_token", "vocab"});
  Vocabulary vocabulary = read_vocabulary(model.at("vocab"));
  const std::int64_t unknown =
      vocabulary.id(std::string(text(model, "unk_token", "<unk>"))).value_or(-1);
  return make_word_level(std::move(vocabulary), unknown, file);
}

// "left right" or ["left", "right"]
MergeTable read_merges(const Json& merges, const Vocabulary& vocabulary, std::size_t prefix) {
  MergePairs pairs;
  pairs.reserve(merges.size());
  merges.for_each_element([&](std::size_t, const Json& merge) {
    std::string_view parts[2];
    if (merge.is_string()) {
      const std::string_view pair = merge.string();
      if (pair.starts_with("#version")) return;
      const std::size_t space = pair.find(' ');
      if (space == std::string_view::npos || pair.find(' ', space + 1) != std::string_view::npos) {
        throw merge.wrong("two pieces apart by one space");
      }
      parts[0] = pair.substr(0, space);
      parts[1] = pair.substr(space + 1);
    } else {
      if (!merge.is_array() || merge.size() != 2) throw merge.wrong("two pieces");
      merge.for_each_element([&](std::size_t i, const Json& part) { parts[i] = part.string(); });
    }
    pairs.emplace_back(parts[0], parts[1]);
  });
  return make_merges(pairs, vocabulary, prefix, [&](std::size_t i, const std::string& missing) {
    throw merges.wrong(fmt::format(
        "merges of pieces of model.vocab, which has no \"{}\" for merge {}", missing, i));
  });
}

std::unique_ptr<const PieceModel> read_bpe(const Json& model, const std::string& file) {
  demand_known(model,
               {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  BpeOptions options;
  options.unknown = text(model, "unk_token", "");
  options.prefix = read_affix(model, "continuing_subword_prefix", "");
  options.suffix = read_affix(model, "end_of_word_suffix", "");
  options.fuse_unknown = flag(model, "fuse_unk", false);
  options.byte_fallback = flag(model, "byte_fallback", false);
  options.ignore_merges = flag(model, "ignore_merges", false);
  Vocabulary vocabulary = read_vocabulary(model.at("vocab"));
  MergeTable merges = read_merges(model.at("merges"), vocabulary, options.prefix.size());
  return make_bpe(std::move(vocabulary), std::move(merges), std::move(options), file);
}

std::unique_ptr<const PieceModel> read_unigram(const Json& model, const std::string& file) {
  demand_known(model, {"type", "unk_id", "vocab", "byte_fallback"});
  UnigramOptions options;
  options.byte_fallback = flag(model, "byte_fallback", false);
  options.file = file;
  const Json vocab = model.at("vocab");
  Vocabulary vocabulary;
  vocabulary.reserve(vocab.size(), vocab.size() * 8);
  std::vector<double> scores;
  scores.reserve(vocab.size());
  if (vocab.size() > static_cast<std::size_t>(Vocabulary::kHighestId)) {
    throw vocab.wrong("at most 4194303 pieces");
  }
  vocab.for_each_element([&](std::size_t id, const Json& entry) {
    if (!entry.is_array() || entry.size() != 2) throw entry.wrong("a piece and its score");
    entry.for_each_element([&](std::size_t i, const Json& value) {
      if (i == 0) {
        vocabulary.insert(value.string(), static_cast<std::int64_t>(id));
      } else {
        scores.push_back(value.number());
      }
    });
  });
  if (const auto unknown = present(model, "unk_id")) {
    options.unknown_id = unknown->integer();
    if (options.unknown_id < 0 || options.unknown_id >= static_cast<std::int64_t>(scores.size())) {
      throw unknown->wrong(fmt::format("an id below the {} pieces of model.vocab", scores.size()));
    }
  }
  return make_unigram(std::move(vocabulary), std::move(scores), std::move(options));
}

}  // namespace

std::unique_ptr<const PieceModel> read_model(const Json& model, const std::string& file) {
  std::string_view name;
  if (const auto type = present(model, "type")) {
    name = type->string();
  } else {
    // Files of the library's first versions do not say.
    name = model.find("merges")                      ? "BPE"
           : model.find("unk_id")                    ? "Unigram"
           : model.find("continuing_subword_prefix") ? "WordPiece"
                                                     : "WordLevel";
  }
  if (name == "WordPiece") return read_wordpiece(model, file);
  if (name == "BPE") return read_bpe(model, file);
  if (name == "Unigram") return read_unigram(model, file);
  if (name == "WordLevel") return read_word_level(model, file);
  throw model.at("type").wrong(one_of({"BPE", "Unigram", "WordPiece", "WordLevel"}));
}

}  // namespace regard
