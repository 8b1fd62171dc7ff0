// SPDX-License-Identifier: Apache-2.0
// Training of vocabularies. Source of the rules: the tokenizers library 0.23, BpeTrainer.
#include "regard/tokenizer/piece_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/platform/utf8.h"

namespace regard {
namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return (static_cast<std::size_t>(pair.first) << 32) ^ static_cast<std::size_t>(pair.second);
  }
};

// A pair that waits to be joined in some of the words.
struct Candidate {
  Pair pair;
  std::int64_t count;
  std::vector<std::size_t> words;  // ascending
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : other.pair < pair;
  }
};

class PieceTrainer {
 public:
  PieceTrainer(const std::map<std::string, std::int64_t>& words,
               const std::vector<std::string>& special, const std::vector<std::string>& alphabet,
               const std::string& prefix)
      : prefix_(prefix) {
    for (const std::string& piece : special) id_of(piece);
    std::set<char32_t> letters;
    const auto add_letters = [&](std::string_view text) {
      for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = decode_utf8(text, at);
        letters.insert(point.value);
        at += point.size;
      }
    };
    for (const std::string& letter : alphabet) add_letters(letter);
    for (const auto& [word, count] : words) add_letters(word);
    for (const char32_t letter : letters) {
      std::string piece;
      append_utf8(piece, letter);
      id_of(piece);
    }
    for (const auto& [word, count] : words) {
      std::vector<std::int32_t> ids;
      for (std::size_t at = 0; at < word.size();) {
        const CodePoint point = decode_utf8(word, at);
        const std::string letter = word.substr(at, point.size);
        ids.push_back(id_of(at == 0 ? letter : prefix + letter));
        at += point.size;
      }
      words_.push_back(std::move(ids));
      counts_.push_back(count);
    }
  }

  std::int64_t size() const { return std::ssize(out_.pieces); }

  TrainedPieces join(std::int64_t size, std::int64_t least_count, const CancelToken* cancel) {
    for (std::size_t w = 0; w < words_.size(); ++w)
      for (std::size_t i = 0; i + 1 < words_[w].size(); ++i)
        change(words_[w][i], words_[w][i + 1], 1, w);
    offer();
    while (this->size() < size && !queue_.empty()) {
      if (cancel != nullptr) cancel->check();
      Candidate top = queue_.top();
      queue_.pop();
      const std::int64_t now = pair_counts_[top.pair];
      if (top.count != now) {
        top.count = now;
        queue_.push(std::move(top));
        continue;
      }
      if (now < 1 || now < least_count) break;
      const std::string first = out_.pieces[static_cast<std::size_t>(top.pair.first)];
      const std::string second = out_.pieces[static_cast<std::size_t>(top.pair.second)];
      const bool inside = !prefix_.empty() && second.starts_with(prefix_);
      const std::int32_t joined = id_of(first + (inside ? second.substr(prefix_.size()) : second));
      // A pair may come again for words that only have it now; then its later place counts.
      const auto [place, fresh] = merge_place_.emplace(top.pair, out_.merges.size());
      if (!fresh) {
        out_.merges[place->second] = {};
        place->second = out_.merges.size();
      }
      out_.merges.emplace_back(first, second);
      for (const std::size_t w : top.words) replace(w, top.pair, joined);
      offer();
    }
    std::erase_if(out_.merges, [](const auto& merge) { return merge.first.empty(); });
    return std::move(out_);
  }

 private:
  std::int32_t id_of(const std::string& piece) {
    const auto [found, added] = ids_.emplace(piece, static_cast<std::int32_t>(out_.pieces.size()));
    if (added) out_.pieces.push_back(piece);
    return found->second;
  }

  void change(std::int32_t a, std::int32_t b, std::int64_t by, std::size_t w) {
    pair_counts_[{a, b}] += by * counts_[w];
    if (by < 0) return;
    std::vector<std::size_t>& places = fresh_[{a, b}];
    if (places.empty() || places.back() != w) places.push_back(w);
  }

  // Joins the pair wherever word w has it, from the left.
  void replace(std::size_t w, Pair pair, std::int32_t joined) {
    std::vector<std::int32_t>& ids = words_[w];
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      if (ids[i] != pair.first || ids[i + 1] != pair.second) continue;
      if (i > 0) {
        change(ids[i - 1], pair.first, -1, w);
        change(ids[i - 1], joined, 1, w);
      }
      ids[i] = joined;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      if (i + 1 < ids.size()) {
        change(pair.second, ids[i + 1], -1, w);
        change(joined, ids[i + 1], 1, w);
      }
    }
  }

  void offer() {
    for (auto& [pair, places] : fresh_)
      if (const std::int64_t count = pair_counts_[pair]; count > 0)
        queue_.push({pair, count, std::move(places)});
    fresh_.clear();
  }

  const std::string prefix_;
  TrainedPieces out_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::vector<std::vector<std::int32_t>> words_;
  std::vector<std::int64_t> counts_;
  std::unordered_map<Pair, std::int64_t, PairHash> pair_counts_;
  std::unordered_map<Pair, std::size_t, PairHash> merge_place_;
  std::map<Pair, std::vector<std::size_t>> fresh_;  // pairs that words have got, not yet offered
  std::priority_queue<Candidate> queue_;
};

const std::vector<std::string>& special_of(PieceKind kind) {
  static const std::vector<std::string> word_piece = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  static const std::vector<std::string> byte_pairs = {"<|endoftext|>", "<mask>"};
  return kind == PieceKind::kWordPiece ? word_piece : byte_pairs;
}

std::string wrapping() {
  const auto special = [](const char* name, int id) {
    return fmt::format(R"("{0}": {{"id": "{0}", "ids": [{1}], "tokens": ["{0}"]}})", name, id);
  };
  const std::string cls = R"({"SpecialToken": {"id": "[CLS]", "type_id": 0}})";
  const std::string sep = R"({"SpecialToken": {"id": "[SEP]", "type_id": 0}})";
  const std::string a = R"({"Sequence": {"id": "A", "type_id": 0}})";
  const std::string b = R"({"Sequence": {"id": "B", "type_id": 0}})";
  return R"({"type": "TemplateProcessing", "single": [)" + cls + ", " + a + ", " + sep +
         R"(], "pair": [)" + cls + ", " + a + ", " + sep + ", " + b + ", " + sep +
         R"(], "special_tokens": {)" + special("[CLS]", 2) + ", " + special("[SEP]", 3) + "}}";
}

// The tokenizer.json of these pieces.
std::string json_of(const PieceOptions& options, const TrainedPieces& trained) {
  const bool word_piece = options.kind == PieceKind::kWordPiece;
  std::string added, vocabulary, merges;
  const std::vector<std::string>& special = special_of(options.kind);
  for (std::size_t i = 0; i < special.size(); ++i)
    added += fmt::format(
        "{}\n  {{\"id\": {}, \"content\": {}, \"single_word\": false, \"lstrip\": false, "
        "\"rstrip\": false, \"normalized\": false, \"special\": true}}",
        i == 0 ? "" : ",", i, json_quoted(special[i]));
  for (std::size_t i = 0; i < trained.pieces.size(); ++i)
    vocabulary +=
        fmt::format("{}\n   {}: {}", i == 0 ? "" : ",", json_quoted(trained.pieces[i]), i);
  for (std::size_t i = 0; i < trained.merges.size(); ++i)
    merges +=
        fmt::format("{}\n   [{}, {}]", i == 0 ? "" : ",", json_quoted(trained.merges[i].first),
                    json_quoted(trained.merges[i].second));
  const std::string bytes =
      R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})";
  std::string json = "{\n \"version\": \"1.0\",\n \"truncation\": null,\n \"padding\": null,\n";
  json += " \"added_tokens\": [" + added + "\n ],\n";
  json += " \"normalizer\": " +
          (word_piece ? fmt::format(R"({{"type": "BertNormalizer", "clean_text": true, )"
                                    R"("handle_chinese_chars": true, "strip_accents": null, )"
                                    R"("lowercase": {}}})",
                                    options.lower_case)
                      : std::string("null")) +
          ",\n";
  json += " \"pre_tokenizer\": " +
          (word_piece ? std::string(R"({"type": "BertPreTokenizer"})") : bytes) + ",\n";
  json +=
      " \"post_processor\": " + (options.wrap && word_piece ? wrapping() : std::string("null")) +
      ",\n";
  json += " \"decoder\": " +
          (word_piece ? std::string(R"({"type": "WordPiece", "prefix": "##", "cleanup": true})")
                      : bytes) +
          ",\n \"model\": {\n";
  json += word_piece ? R"(  "type": "WordPiece", "unk_token": "[UNK]",)"
                       R"( "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,)"
                     : R"(  "type": "BPE", "dropout": null, "unk_token": null,)"
                       R"( "continuing_subword_prefix": null, "end_of_word_suffix": null,)"
                       R"( "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,)";
  json += "\n  \"vocab\": {" + vocabulary + "\n  }";
  if (!word_piece) json += ",\n  \"merges\": [" + merges + "\n  ]";
  return json + "\n }\n}\n";
}

// GPT-2's stand-in of every byte.
std::vector<std::string> byte_alphabet() {
  std::vector<std::string> letters;
  char32_t next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    std::string letter;
    append_utf8(letter, printable ? static_cast<char32_t>(byte) : next++);
    letters.push_back(letter);
  }
  return letters;
}

}  // namespace

TrainedPieces train_pieces(const std::map<std::string, std::int64_t>& words,
                           const std::vector<std::string>& special,
                           const std::vector<std::string>& alphabet, const std::string& prefix,
                           std::int64_t size, std::int64_t least_count, const CancelToken* cancel) {
  PieceTrainer trainer(words, special, alphabet, prefix);
  if (trainer.size() > size)
    throw Error(
        fmt::format("vocabulary: expected a size of at least {}, the corpus's alphabet, "
                    "found {}",
                    trainer.size(), size));
  return trainer.join(size, least_count, cancel);
}

std::string train_tokenizer(const std::vector<std::string>& documents, const PieceOptions& options,
                            const CancelToken* cancel) {
  if (documents.empty()) throw Error("corpus: expected documents, found none");
  const std::vector<std::string>& special = special_of(options.kind);
  const Tokenizer cutter =
      Tokenizer::from_json(json_of(options, {special, {}}), "the tokenizer in training");
  std::map<std::string, std::int64_t> words;
  for (const std::string& document : documents)
    for (const std::string& word : cutter.words(document)) ++words[word];
  const bool word_piece = options.kind == PieceKind::kWordPiece;
  return json_of(
      options,
      train_pieces(words, special, word_piece ? std::vector<std::string>{} : byte_alphabet(),
                   word_piece ? "##" : "", options.size, options.least_count, cancel));
}

}  // namespace regard
