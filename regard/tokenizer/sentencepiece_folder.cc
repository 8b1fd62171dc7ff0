// SPDX-License-Identifier: Apache-2.0
// The tokenizers of transformers that are built from a SentencePiece model
// (convert_slow_tokenizer.py and the models' tokenization_*.py): their ids, normalisers and special
// tokens.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/mapped_file.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/bpe.h"
#include "regard/tokenizer/json_members.h"
#include "regard/tokenizer/sentencepiece_model.h"
#include "regard/tokenizer/unigram.h"

namespace regard {
namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 28;
constexpr std::string_view kMark = "\u2581";
constexpr std::array<std::string_view, 25> kMBartLanguages = {
    "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN",
    "hi_IN", "it_IT", "ja_XX", "kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP",
    "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN", "zh_CN"};

class FolderReader {
 public:
  FolderReader(const Json& config, SentencePieceModel model, const std::string& folder,
               const std::string& file)
      : config_(config), model_(std::move(model)), folder_(folder), file_(file) {}

  TokenizerParts read() {
    const std::string name = tokenizer_class_of(folder_, config_);
    if (name.empty() || name == "PreTrainedTokenizer") return sentencepiece_parts(model_, file_);
    if (name == "LlamaTokenizer" || name == "CodeLlamaTokenizer" || name == "GemmaTokenizer") {
      llama(name);
    } else if (name == "T5Tokenizer" || name == "MT5Tokenizer") {
      t5();
    } else if (name == "XLMRobertaTokenizer") {
      fairseq({});
      const TemplateToken bos = named("<s>"), eos = named("</s>");
      parts_.post_processor.steps.emplace_back(TemplateStep::roberta(bos, eos));
    } else if (name == "MBartTokenizer") {
      fairseq(kMBartLanguages);
      const std::string language = token_name(config_, "src_lang", "en_XX");
      parts_.post_processor.steps.emplace_back(
          TemplateStep::around({}, {named("</s>"), named(language)}, true));
    } else if (name == "AlbertTokenizer") {
      albert();
    } else if (name == "DebertaV2Tokenizer") {
      deberta_v2();
    } else if (name == "MarianTokenizer") {
      marian();
    } else {
      throw Error::at(folder_, "tokenizer_class",
                      "tokenizer.json, or a class that is read without it: " +
                          one_of({"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer",
                                  "T5Tokenizer", "XLMRobertaTokenizer", "MBartTokenizer",
                                  "AlbertTokenizer", "DebertaV2Tokenizer", "MarianTokenizer"}),
                      name);
    }
    return std::move(parts_);
  }

 private:
  bool option(std::string_view key, bool otherwise) const { return flag(config_, key, otherwise); }

  TemplateToken named(std::string_view name) const {
    const auto id = parts_.model->vocabulary().id(name);
    if (!id) throw Error::at(file_, "pieces", fmt::format("the token {}", name), "none");
    return {*id, std::string(name)};
  }

  AddedToken& add(std::string_view name, std::int64_t id, bool special) {
    const auto [place, added] = places_.try_emplace(std::string(name), parts_.added.size());
    if (added) {
      parts_.added.push_back({.content = std::string(name), .special = special});
    }
    AddedToken& token = parts_.added[place->second];
    token.id = id;
    return token;
  }

  // Control and user-defined pieces, and what tokenizer_config.json adds under an id.
  void add_tokens() {
    const Vocabulary& vocabulary = parts_.model->vocabulary();
    for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
      const PieceType type = model_.types[i];
      const bool special = type == PieceType::kControl || type == PieceType::kUnknown;
      if ((!special && type != PieceType::kUserDefined) || model_.pieces[i].empty()) continue;
      if (const auto id = vocabulary.id(model_.pieces[i])) add(model_.pieces[i], *id, special);
    }
    const auto decoder = present(config_, "added_tokens_decoder");
    if (!decoder) return;
    decoder->for_each_member([&](std::string_view key, const Json& token) {
      std::int64_t id = 0;
      for (const char c : key) {
        if (c < '0' || c > '9' || id > Vocabulary::kHighestId) throw token.wrong("an id as key");
        id = id * 10 + (c - '0');
      }
      if (key.empty() || id > Vocabulary::kHighestId) throw token.wrong("an id as key");
      const std::string content(token.at("content").string());
      if (content.empty()) throw token.wrong("a token that is not empty");
      const auto known = vocabulary.id(content);
      if (known && *known != id) {
        throw token.wrong(fmt::format("the key {}, the piece's id", *known));
      }
      AddedToken& added = add(content, id, flag(token, "special", false));
      added.lstrip = flag(token, "lstrip", false);
      added.rstrip = flag(token, "rstrip", false);
      added.single_word = flag(token, "single_word", false);
    });
  }

  // Two pieces that make a third are a merge, in the order of the third's id and then of the first
  // one's length; scores play no part.
  std::unique_ptr<const PieceModel> merged(BpeOptions options) const {
    Vocabulary vocabulary;
    vocabulary.reserve(model_.pieces.size(), model_.pieces.size() * 8);
    for (std::size_t id = 0; id < model_.pieces.size(); ++id) {
      vocabulary.insert(model_.pieces[id], static_cast<std::int64_t>(id));
    }
    MergePairs pairs;
    for (const std::string_view piece : model_.pieces) {
      for (std::size_t at = 0; at < piece.size();) {
        at += decode_utf8(piece, at).size;
        if (at >= piece.size()) break;
        const std::string_view left = piece.substr(0, at), right = piece.substr(at);
        if (vocabulary.id(left) && vocabulary.id(right)) pairs.emplace_back(left, right);
      }
    }
    MergeTable merges = make_merges(pairs, vocabulary, 0, [](std::size_t, const std::string&) {});
    return make_bpe(std::move(vocabulary), std::move(merges), std::move(options), file_);
  }

  // The token that tokenizer_config.json names, or `otherwise`; one that is no piece gets the next
  // id. Nothing when it has no name.
  std::optional<TemplateToken> special(std::string_view key, std::string_view otherwise) {
    std::string name = token_name(config_, key, otherwise);
    if (name.empty()) return std::nullopt;
    std::int64_t next = parts_.model->entries();
    for (const AddedToken& token : parts_.added) {
      if (token.content == name) return TemplateToken{token.id, std::move(name)};
      next = std::max(next, token.id + 1);
    }
    const std::int64_t id = parts_.model->vocabulary().id(name).value_or(next);
    add(name, id, true);
    return TemplateToken{id, std::move(name)};
  }

  void llama(const std::string& name) {
    const bool gemma = name == "GemmaTokenizer", code = name == "CodeLlamaTokenizer";
    if (model_.kind != SentencePieceModel::Kind::kBpe) {
      throw Error::at(file_, "trainer_spec.model_type", "2 (BPE)", "1");
    }
    const bool prefix = !gemma && option("add_prefix_space", true);
    parts_.decoders = sentencepiece_decoders(prefix || code);
    if (gemma) {
      parts_.normalizers.emplace_back(ReplaceNormalizer{Regex::literal(" "), std::string(kMark)});
    } else {
      using Prepend = MetaspacePreTokenizer::Prepend;
      const Prepend when = !code && option("legacy", false) ? Prepend::kAlways : Prepend::kFirst;
      parts_.pre_tokenizers.emplace_back(
          MetaspacePreTokenizer{std::string(kMark), prefix ? when : Prepend::kNever, false});
    }
    BpeOptions options;
    if (gemma || code) options.unknown = token_name(config_, "unk_token", "<unk>");
    options.fuse_unknown = true;
    options.byte_fallback = true;
    parts_.model = merged(std::move(options));
    add_tokens();
    const auto bos = special("bos_token", gemma ? "<bos>" : "<s>");
    const auto eos = special("eos_token", gemma ? "<eos>" : "</s>");
    special("unk_token", "<unk>");
    special("sep_token", "");
    special("pad_token", gemma ? "<pad>" : "");
    special("cls_token", "");
    special("mask_token", gemma ? "<mask>" : "");
    if (code) {
      special("prefix_token", "\u2581<PRE>");
      special("middle_token", "\u2581<MID>");
      special("suffix_token", "\u2581<SUF>");
      special("eot_token", "\u2581<EOT>");
      special("fill_token", "<FILL_ME>");
    }
    std::vector<TemplateToken> before, after;
    if (bos && option("add_bos_token", code)) before = {*bos};
    if (eos && option("add_eos_token", false)) after = {*eos};
    parts_.post_processor.steps.emplace_back(TemplateStep::around(before, after));
  }

  void precompiled() {
    if (model_.charsmap.empty()) return;
    parts_.normalizers.emplace_back(std::make_shared<const CharsMap>(
        CharsMap::parse(model_.charsmap, file_, "normalizer_spec.precompiled_charsmap")));
  }

  void metaspace() {
    parts_.pre_tokenizers.emplace_back(WhitespaceSplitPreTokenizer{});
    parts_.pre_tokenizers.emplace_back(MetaspacePreTokenizer{});
    parts_.decoders = {MetaspaceDecoder{std::string(kMark), true}};
  }

  void unigram(std::vector<std::pair<std::string, double>> pieces, std::int64_t unknown) {
    if (model_.kind != SentencePieceModel::Kind::kUnigram) {
      throw Error::at(file_, "trainer_spec.model_type", "1 (unigram)", "2");
    }
    Vocabulary vocabulary;
    vocabulary.reserve(pieces.size(), pieces.size() * 8);
    std::vector<double> scores;
    for (std::size_t id = 0; id < pieces.size(); ++id) {
      vocabulary.insert(pieces[id].first, static_cast<std::int64_t>(id));
      scores.push_back(pieces[id].second);
    }
    UnigramOptions options;
    options.unknown_id = unknown;
    options.file = file_;
    parts_.model = make_unigram(std::move(vocabulary), std::move(scores), std::move(options));
    add_tokens();
  }

  std::vector<std::pair<std::string, double>> pieces() const {
    std::vector<std::pair<std::string, double>> out;
    for (std::size_t id = 0; id < model_.pieces.size(); ++id) {
      out.emplace_back(model_.pieces[id], static_cast<double>(model_.scores[id]));
    }
    return out;
  }

  void t5() {
    precompiled();
    metaspace();
    auto all = pieces();
    const auto found = present(config_, "extra_ids");
    const std::int64_t extra = found ? found->integer() : 100;
    if (extra < 0 || extra > 100000) throw found->wrong("0 to 100000 extra ids");
    const auto first = static_cast<std::int64_t>(all.size());
    for (std::int64_t i = extra - 1; i >= 0; --i) {
      all.emplace_back(fmt::format("<extra_id_{}>", i), 0.0);
    }
    unigram(std::move(all), model_.unknown_id);
    for (std::int64_t i = 0; i < extra; ++i) {
      add(fmt::format("<extra_id_{}>", extra - 1 - i), first + i, true);
    }
    parts_.post_processor.steps.emplace_back(TemplateStep::around({}, {named("</s>")}));
  }

  // Ids as fairseq has them: <s>, <pad>, </s>, <unk>, the pieces from the fourth on, languages,
  // <mask>.
  void fairseq(std::span<const std::string_view> languages) {
    if (languages.empty()) precompiled();
    metaspace();
    auto old = pieces();
    std::vector<std::pair<std::string, double>> all = {
        {"<s>", 0.0}, {"<pad>", 0.0}, {"</s>", 0.0}, {"<unk>", 0.0}};
    for (std::size_t id = 3; id < old.size(); ++id) all.push_back(std::move(old[id]));
    for (const std::string_view language : languages) all.emplace_back(language, 0.0);
    all.emplace_back("<mask>", 0.0);
    const auto mask = static_cast<std::int64_t>(all.size()) - 1;
    unigram(std::move(all), 3);
    add("<pad>", 1, true);
    add("<mask>", mask, true);
    for (AddedToken& token : parts_.added) token.lstrip = token.lstrip || token.content == "<mask>";
    for (std::size_t i = 0; i < languages.size(); ++i) {
      add(languages[i], mask - static_cast<std::int64_t>(languages.size() - i), true);
    }
  }

  void albert() {
    parts_.normalizers.emplace_back(ReplaceNormalizer{Regex::literal("``"), "\""});
    parts_.normalizers.emplace_back(ReplaceNormalizer{Regex::literal("''"), "\""});
    if (!option("keep_accents", false)) {
      parts_.normalizers.emplace_back(NormalForm::kNfkd);
      parts_.normalizers.emplace_back(StripAccentsNormalizer{});
    }
    if (option("do_lower_case", true)) parts_.normalizers.emplace_back(LowercaseNormalizer{});
    precompiled();
    metaspace();
    // A piece that ends in a comma behind a digit is put off, as in the conversion.
    auto all = pieces();
    for (auto& [piece, score] : all) {
      if (piece.size() >= 2 && piece.ends_with(',') &&
          std::isdigit(static_cast<unsigned char>(piece[piece.size() - 2]))) {
        score -= 100;
      }
    }
    unigram(std::move(all), model_.unknown_id);
    parts_.post_processor.steps.emplace_back(TemplateStep::bert(named("[CLS]"), named("[SEP]")));
  }

  void deberta_v2() {
    if (option("do_lower_case", false)) parts_.normalizers.emplace_back(LowercaseNormalizer{});
    parts_.normalizers.emplace_back(
        ReplaceNormalizer{Regex::compile(R"(\s{2,}|[\n\r\t])", file_, "normalizer"), " "});
    parts_.normalizers.emplace_back(NormalForm::kNfc);
    parts_.normalizers.emplace_back(StripNormalizer{false, true});
    if (option("split_by_punct", false))
      parts_.pre_tokenizers.emplace_back(PunctuationPreTokenizer{});
    using Prepend = MetaspacePreTokenizer::Prepend;
    const bool always = option("add_prefix_space", true);
    parts_.pre_tokenizers.emplace_back(
        MetaspacePreTokenizer{std::string(kMark), always ? Prepend::kAlways : Prepend::kFirst});
    parts_.decoders = {MetaspaceDecoder{std::string(kMark), true}};
    unigram(pieces(), model_.unknown_id);
    const auto cls = special("cls_token", "[CLS]"), sep = special("sep_token", "[SEP]");
    special("unk_token", "[UNK]");
    special("pad_token", "[PAD]");
    special("mask_token", "[MASK]");
    if (cls && sep) parts_.post_processor.steps.emplace_back(TemplateStep::bert(*cls, *sep));
  }

  // Cut by SentencePiece itself; the ids are those of vocab.json.
  void marian() {
    const std::string file = folder_ + "/vocab.json";
    if (!std::filesystem::exists(file)) {
      throw Error::at(folder_, "", "vocab.json beside source.spm", "none");
    }
    const JsonDocument document = JsonDocument::parse(read_text_file(file, kLongestFile), file);
    Vocabulary vocabulary;
    document.root().for_each_member(
        [&](std::string_view piece, const Json& id) { vocabulary.insert(piece, id_of(id)); });
    const auto unknown = vocabulary.id(token_name(config_, "unk_token", "<unk>"));
    const auto eos = vocabulary.id(token_name(config_, "eos_token", "</s>"));
    if (!unknown || !eos) throw Error::at(file, "", "entries for <unk> and </s>", "none");
    parts_ = sentencepiece_parts(model_, file_);
    std::vector<std::int64_t> ids;
    for (const std::string& piece : model_.pieces) {
      ids.push_back(vocabulary.id(piece).value_or(*unknown));
    }
    for (const std::string_view name : {"<unk>", "</s>", "<pad>"}) {
      if (const auto id = vocabulary.id(name)) add(name, *id, true);
    }
    document.root().for_each_member([&](std::string_view piece, const Json& id) {
      if (piece.starts_with(">>") && piece.ends_with("<<")) add(piece, id_of(id), true);
    });
    parts_.model = make_renumbered(std::move(parts_.model), std::move(ids), std::move(vocabulary));
    parts_.post_processor.steps.emplace_back(
        TemplateStep::around({}, {{*eos, token_name(config_, "eos_token", "</s>")}}, true));
  }

  const Json& config_;
  SentencePieceModel model_;
  const std::string& folder_;
  const std::string& file_;
  TokenizerParts parts_;
  std::unordered_map<std::string, std::size_t> places_;  // of contents in parts_.added
};

}  // namespace

TokenizerParts read_sentencepiece_folder(const std::string& folder, const std::string& model_file) {
  const std::string bytes = read_text_file(model_file, kLongestFile);
  SentencePieceModel model = read_sentencepiece_model(bytes, model_file);
  const std::string config = folder + "/tokenizer_config.json";
  const JsonDocument document = JsonDocument::parse(
      std::filesystem::exists(config) ? read_text_file(config, kLongestFile) : "{}", config);
  const Json root = document.root();
  return FolderReader(root, std::move(model), folder, model_file).read();
}

}  // namespace regard
