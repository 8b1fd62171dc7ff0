// SPDX-License-Identifier: Apache-2.0
// A SentencePiece .model: the protocol buffer ModelProto (sentencepiece_model.proto), of which what
// cutting needs is read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tokenizer/sentencepiece_bpe.h"
#include "regard/tokenizer/tokenizer_state.h"

namespace regard {

struct SentencePieceModel {
  enum class Kind { kUnigram = 1, kBpe = 2 };
  Kind kind = Kind::kUnigram;
  std::vector<std::string> pieces;  // by id
  std::vector<float> scores;
  std::vector<PieceType> types;
  std::int64_t unknown_id = 0;
  bool byte_fallback = false;
  std::string charsmap;  // bytes; may be empty
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// Throws Error (file, byte or field) for bytes that are no such message, for models of words or
// characters, and for treat_whitespace_as_suffix.
SentencePieceModel read_sentencepiece_model(std::string_view bytes, const std::string& file);

// As SentencePiece itself cuts, without special tokens around.
TokenizerParts sentencepiece_parts(const SentencePieceModel& model, const std::string& file);

// A model folder without tokenizer.json, by the tokenizer_class of its tokenizer_config.json:
// Llama, Gemma, T5, XLM-RoBERTa, ALBERT and mBART as transformers converts them, Marian with
// source.spm and vocab.json; without a class as SentencePiece itself. `model_file` is the .model.
TokenizerParts read_sentencepiece_folder(const std::string& folder, const std::string& model_file);

}  // namespace regard
