// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back to the bytes they came from. Equal to Hugging Face's tokenizers
// library on the same tokenizer.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regard {

// Bytes [start, end) of a text.
struct Span {
  std::size_t start = 0;
  std::size_t end = 0;
  bool operator==(const Span&) const = default;
};

// A token's span is the bytes of its own text that its piece came from, by the tokenizers library's
// rules for what a normaliser replaced, inserted or dropped. A piece that has part of a character
// as typed (byte-level pieces, byte fallback) has just those bytes: the library, which counts in
// characters, gives the whole character. So rounding a span outwards to whole characters gives the
// library's offsets, except under Unigram's byte fallback, where the library gives every byte of
// an unknown stretch the whole stretch.
struct Token {
  std::int64_t id = 0;
  std::string text;       // the piece as the vocabulary spells it: "##ing", "[CLS]"
  Span span;              // start = end for tokens that the template added
  int sequence = -1;      // 0: first text, 1: second text, -1: added by the template
  std::int64_t type = 0;  // token type (segment) id
  bool special = false;   // [CLS], [SEP], [UNK] ... typed or added; [UNK] for unknown words is not
};

struct Encoding {
  std::vector<Token> tokens;
};

struct TokenizerParts;
struct GgufVocabulary;

// Thread safety: immutable after open; any number of threads.
class Tokenizer {
 public:
  // From a model folder: tokenizer.json when it exists (and if broken, an Error: never a reason to
  // fall back); else a SentencePiece model (tokenizer.model, spiece.model, ...), vocab.txt
  // (WordPiece) or vocab.json and merges.txt (byte-level BPE), with what tokenizer_config.json says
  // of them. None of them: Error.
  static Tokenizer open(const std::string& folder);
  // For the target of an encoder-decoder model: as open(), but with the target.spm that stands
  // beside a source.spm (Marian).
  static Tokenizer open_target(const std::string& folder);
  // From the text of a tokenizer.json; `file` names it in errors.
  static Tokenizer from_json(std::string_view json, const std::string& file);
  // From the bytes of a SentencePiece .model, cut as SentencePiece does; no tokens are added.
  static Tokenizer from_sentencepiece(std::string_view bytes, const std::string& file);
  // From the vocabulary of a GGUF file, which `file` names in errors.
  static Tokenizer from_gguf(const GgufVocabulary& vocabulary, const std::string& file);
  // True when open() would find a file to read.
  static bool present(const std::string& folder);

  // Ids with the post-processor's special tokens ([CLS] ... [SEP] ... [SEP]). `text` is valid
  // UTF-8. Truncation and padding asked for in tokenizer.json are ignored.
  Encoding encode(std::string_view text) const;
  Encoding encode_pair(std::string_view first, std::string_view second) const;
  // The same without special tokens.
  Encoding encode_plain(std::string_view text) const;

  // The text of tokens, as the tokenizer's decoder puts it together: an id without a piece, and
  // special tokens when asked to, are left out; bytes that are not UTF-8 become U+FFFD.
  std::string decode(const std::vector<std::int64_t>& ids, bool skip_special) const;

  // The stretches of the text that the model would cut into pieces, as it is given them:
  // normalised, pre-tokenised, without added tokens. What a vocabulary is trained on.
  std::vector<std::string> words(std::string_view text) const;

  // Numbers of ids, added tokens included: highest id + 1.
  std::int64_t vocabulary_size() const;
  // Nothing when the id has no entry.
  std::optional<std::string> piece(std::int64_t id) const;
  std::optional<std::int64_t> id(std::string_view piece) const;
  bool is_special(std::int64_t id) const;
  // "BPE", "Unigram", "WordPiece" or "WordLevel"; for `models info`.
  std::string kind() const;

 private:
  static Tokenizer make(TokenizerParts parts, const std::string& file);
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace regard
