// SPDX-License-Identifier: Apache-2.0
// Protocol buffers' wire format (protobuf.dev, "Encoding"), read strictly: every length is checked
// against the bytes that are there, unknown fields are passed over, groups are refused.
#include "regard/tokenizer/sentencepiece_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/tokenizer/unigram.h"

namespace regard {
namespace {

// One message. `base` is its place in the file.
class Message {
 public:
  Message(std::string_view bytes, std::size_t base, const std::string& file)
      : bytes_(bytes), base_(base), file_(file) {}

  // The next field, or false at the end.
  bool next() {
    if (at_ >= bytes_.size()) return false;
    const std::uint64_t tag = varint();
    field_ = tag >> 3;
    wire_ = static_cast<int>(tag & 7);
    if (field_ == 0) throw wrong("a field", "field 0");
    value_ = 0;
    text_ = {};
    switch (wire_) {
      case 0:
        value_ = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        throw wrong("wire types 0, 1, 2 and 5", fmt::format("{} in field {}", wire_, field_));
    }
    return true;
  }

  std::uint64_t field() const { return field_; }
  std::uint64_t number() const {
    demand(0);
    return value_;
  }
  bool flag() const { return number() != 0; }
  std::string_view text() const {
    demand(2);
    return text_;
  }
  Message message() const {
    demand(2);
    return {text_, base_ + at_ - text_.size(), file_};
  }
  float real() const {
    demand(5);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      bits |= static_cast<std::uint32_t>(static_cast<unsigned char>(text_[i])) << (8 * i);
    }
    return std::bit_cast<float>(bits);
  }
  Error wrong(std::string_view expected, std::string_view found) const {
    return Error::at(file_, fmt::format("byte {}", base_ + at_), expected, found);
  }

 private:
  void demand(int wire) const {
    if (wire_ == wire) return;
    throw wrong(fmt::format("wire type {} in field {}", wire, field_), fmt::format("{}", wire_));
  }
  void take(std::uint64_t size) {
    if (size > bytes_.size() - at_) {
      throw wrong(fmt::format("at most {} bytes in field {}", bytes_.size() - at_, field_),
                  fmt::format("{}", size));
    }
    text_ = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
  }
  std::uint64_t varint() {
    std::uint64_t out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ >= bytes_.size()) throw wrong("a number", "the end");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      out |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return out;
    }
    throw wrong("a number of at most 10 bytes", "more");
  }

  std::string_view bytes_, text_;
  std::size_t base_, at_ = 0;
  const std::string& file_;
  std::uint64_t field_ = 0, value_ = 0;
  int wire_ = 0;
};

void read_piece(Message message, SentencePieceModel& model) {
  std::string piece;
  float score = 0;
  std::uint64_t type = 1;
  while (message.next()) {
    if (message.field() == 1) piece = message.text();
    if (message.field() == 2) score = message.real();
    if (message.field() == 3) type = message.number();
  }
  if (type < 1 || type > 6) {
    throw message.wrong("a piece's type from 1 to 6", fmt::format("{}", type));
  }
  if (!std::isfinite(score)) throw message.wrong("a finite score", fmt::format("{}", score));
  if (model.pieces.size() > static_cast<std::size_t>(Vocabulary::kHighestId)) {
    throw message.wrong("at most 4194304 pieces", "more");
  }
  model.pieces.push_back(mend_utf8(piece, nullptr));
  model.scores.push_back(score);
  model.types.push_back(static_cast<PieceType>(type));
}

void read_trainer(Message message, SentencePieceModel& model) {
  while (message.next()) {
    switch (message.field()) {
      case 3:
        if (message.number() != 1 && message.number() != 2) {
          throw message.wrong("model_type 1 (unigram) or 2 (BPE)",
                              fmt::format("{}", message.number()));
        }
        model.kind = static_cast<SentencePieceModel::Kind>(message.number());
        break;
      case 24:
        if (message.flag()) throw message.wrong("no treat_whitespace_as_suffix", "it");
        break;
      case 35:
        model.byte_fallback = message.flag();
        break;
      default:
        break;
    }
  }
}

void read_normalizer(Message message, SentencePieceModel& model) {
  while (message.next()) {
    if (message.field() == 2) model.charsmap = message.text();
    if (message.field() == 3) model.add_dummy_prefix = message.flag();
    if (message.field() == 4) model.remove_extra_whitespaces = message.flag();
    if (message.field() == 5) model.escape_whitespaces = message.flag();
  }
}

}  // namespace

SentencePieceModel read_sentencepiece_model(std::string_view bytes, const std::string& file) {
  SentencePieceModel model;
  Message message(bytes, 0, file);
  while (message.next()) {
    if (message.field() == 1) read_piece(message.message(), model);
    if (message.field() == 2) read_trainer(message.message(), model);
    if (message.field() == 3) read_normalizer(message.message(), model);
  }
  const auto unknown = std::find(model.types.begin(), model.types.end(), PieceType::kUnknown);
  if (unknown == model.types.end()) {
    throw Error::at(file, "pieces", "one of type 2 (unknown)",
                    fmt::format("none among {}", model.pieces.size()));
  }
  model.unknown_id = unknown - model.types.begin();
  return model;
}

TokenizerParts sentencepiece_parts(const SentencePieceModel& model, const std::string& file) {
  TokenizerParts parts;
  SentencePieceNormalizer normalizer;
  normalizer.user_defined = PrefixSet(file, "pieces of type user-defined");
  if (!model.charsmap.empty()) {
    normalizer.map = std::make_shared<const CharsMap>(
        CharsMap::parse(model.charsmap, file, "normalizer_spec.precompiled_charsmap"));
  }
  normalizer.add_dummy_prefix = model.add_dummy_prefix;
  normalizer.remove_extra_whitespaces = model.remove_extra_whitespaces;
  normalizer.escape_whitespaces = model.escape_whitespaces;
  parts.decoders = sentencepiece_decoders(model.add_dummy_prefix);

  Vocabulary vocabulary;
  vocabulary.reserve(model.pieces.size(), model.pieces.size() * 8);
  UnigramOptions unigram;
  unigram.never.resize(model.pieces.size());
  unigram.user_defined.resize(model.pieces.size());
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    vocabulary.insert(model.pieces[id], static_cast<std::int64_t>(id));
    const PieceType type = model.types[id];
    unigram.user_defined[id] = type == PieceType::kUserDefined;
    unigram.never[id] = type != PieceType::kUserDefined && type != PieceType::kNormal;
    if (type == PieceType::kUserDefined && !model.pieces[id].empty()) {
      normalizer.user_defined.insert(model.pieces[id], static_cast<std::int64_t>(id));
    }
  }
  normalizer.user_defined.build();
  parts.normalizers.emplace_back(std::move(normalizer));
  if (model.kind == SentencePieceModel::Kind::kBpe) {
    SentencePieceBpeOptions options;
    options.scores = model.scores;
    options.types = model.types;
    options.unknown_id = model.unknown_id;
    options.byte_fallback = model.byte_fallback;
    parts.model = make_sentencepiece_bpe(std::move(vocabulary), std::move(options));
  } else {
    unigram.unknown_id = model.unknown_id;
    unigram.byte_fallback = model.byte_fallback;
    unigram.file = file;
    unigram.sentencepiece = true;
    parts.model = make_unigram(std::move(vocabulary), {model.scores.begin(), model.scores.end()},
                               std::move(unigram));
  }
  return parts;
}

}  // namespace regard
