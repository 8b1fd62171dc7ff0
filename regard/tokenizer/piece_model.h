// SPDX-License-Identifier: Apache-2.0
// What cuts a word into pieces: the four models of tokenizer.json, and SentencePiece's own BPE.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/vocabulary.h"

namespace regard {

// A piece of a word: its id and its bytes in the word.
struct Piece {
  std::int64_t id;
  std::uint32_t start, end;
};

// What a model remembers while a text is cut. One for each call; not shared between threads.
class ModelMemory {
 public:
  virtual ~ModelMemory() = default;
};

// Thread safety: immutable after construction; any number of threads.
class PieceModel {
 public:
  virtual ~PieceModel() = default;
  // "BPE"; as tokenizer.json calls it.
  virtual std::string kind() const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  // The first id that an added token outside the vocabulary has.
  virtual std::int64_t entries() const { return static_cast<std::int64_t>(vocabulary().pieces()); }
  // True when cut_bytes() may be called: the vocabulary has GPT-2's stand-in of every byte.
  virtual bool takes_bytes() const { return false; }
  // The unknown piece where the tokenizers library calls it by the text it stands for, which
  // decides what is trimmed; -1 where by its name.
  virtual std::int64_t unknown_as_typed() const { return -1; }
  virtual std::unique_ptr<ModelMemory> memory() const { return nullptr; }
  // Appends the pieces of a word, which is not empty and valid UTF-8; `memory` is of this model's
  // memory(). Throws Error when the word has no spelling.
  virtual void cut(std::string_view word, ModelMemory* memory, std::vector<Piece>& out) const = 0;
  // The same for a word of bytes that the vocabulary's pieces spell in stand-ins.
  virtual void cut_bytes(std::string_view, ModelMemory*, std::vector<Piece>&) const {}
};

// The model with other ids: piece id of `model` is ids[id] of `vocabulary`.
std::unique_ptr<const PieceModel> make_renumbered(std::unique_ptr<const PieceModel> model,
                                                  std::vector<std::int64_t> ids,
                                                  Vocabulary vocabulary);

// The pieces <0x00> to <0xFF>, which spell what is no piece. Thread safety: immutable.
class BytePieces {
 public:
  BytePieces() = default;
  explicit BytePieces(const Vocabulary& vocabulary);
  // -1 when the vocabulary has no such piece.
  std::int64_t id(unsigned char byte) const { return ids_.empty() ? -1 : ids_[byte]; }
  // True when there is one for each of the bytes.
  bool spell(std::string_view bytes) const;

 private:
  std::vector<std::int64_t> ids_;
};

}  // namespace regard
