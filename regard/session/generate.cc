// SPDX-License-Identifier: Apache-2.0
// Texts that a model continues or translates, and the decoder's side of encoder-decoder models.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "regard/model/generation.h"
#include "regard/platform/error.h"
#include "regard/platform/utf8.h"
#include "regard/session/prepared.h"

namespace regard {
namespace {

// GPT-2's byte-level alphabet: the byte that a character stands for, or nothing. Printable Latin-1
// characters stand for themselves, the 68 others follow each other from U+0100 on.
std::optional<char> byte_of(char32_t c) {
  const auto plain = [](char32_t x) {
    return (x >= 0x21 && x <= 0x7E) || (x >= 0xA1 && x <= 0xAC) || (x >= 0xAE && x <= 0xFF);
  };
  if (plain(c)) return static_cast<char>(c);
  if (c < 0x100 || c > 0x143) return std::nullopt;
  char32_t rank = c - 0x100;
  for (char32_t x = 0; x < 0x100; ++x) {
    if (plain(x)) continue;
    if (rank-- == 0) return static_cast<char>(x);
  }
  return std::nullopt;
}

// Code points of valid UTF-8.
std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t c = length == 1 ? lead : lead & (0x7Fu >> length);
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k)
      c = (c << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
    out.push_back(c);
    i += length;
  }
  return out;
}

// The bytes of the text that a piece spells.
std::string spelled(const Tokenizer& tokenizer, const std::string& piece) {
  if (tokenizer.id("\xC4\xA0")) {  // the byte-level alphabet's space is a piece of its vocabulary
    std::string bytes;
    for (const char32_t c : code_points(piece)) {
      const std::optional<char> byte = byte_of(c);
      if (!byte) return piece;
      bytes += *byte;
    }
    return bytes;
  }
  unsigned value = 0;
  if (piece.size() == 6 && piece.starts_with("<0x") && piece.back() == '>' &&
      std::all_of(piece.begin() + 3, piece.begin() + 5, [&](char c) {
        const bool digit = c >= '0' && c <= '9', letter = c >= 'A' && c <= 'F';
        value = value * 16 + static_cast<unsigned>(digit ? c - '0' : c - 'A' + 10);
        return digit || letter;
      }))
    return std::string(1, static_cast<char>(value));
  std::string text;
  for (std::size_t i = 0; i < piece.size();) {
    const bool space = piece.compare(i, 3, "\xE2\x96\x81") == 0;  // SentencePiece's
    text += space ? ' ' : piece[i];
    i += space ? 3 : 1;
  }
  return text;
}

// The tokens behind the trace's own, their pieces behind its text.
void append_generated(const std::vector<std::int64_t>& ids, const Tokenizer* tokenizer,
                      TokenSide* trace) {
  const std::size_t begin = trace->text.size();
  const int sequence = trace->pair ? 1 : 0;
  for (const std::int64_t id : ids) {
    Token token;
    token.id = id;
    token.text = fmt::format("#{}", id);
    token.sequence = sequence;
    token.span.start = trace->text.size();
    if (tokenizer != nullptr) {
      token.special = tokenizer->is_special(id);
      if (const auto piece = tokenizer->piece(id)) {
        token.text = *piece;
        if (!token.special) trace->text += spelled(*tokenizer, *piece);
      }
      if (token.special) token.sequence = -1;
    }
    token.span.end = trace->text.size();
    trace->tokens.push_back(std::move(token));
  }
  // A text that ends in the middle of a character loses that character's first bytes.
  for (int cut = 0; cut < 3 && trace->text.size() > begin; ++cut) {
    std::size_t replaced = 0;
    mend_utf8(trace->text.substr(begin), &replaced);
    if (replaced == 0) break;
    trace->text.pop_back();
  }
  for (Token& token : trace->tokens) {
    token.span.start = std::min(token.span.start, trace->text.size());
    token.span.end = std::min(token.span.end, trace->text.size());
  }
}

// The attention to record. has_target: there is a decoder's side, or there will be one. What was
// chosen for lack of a wish is said in the notes.
AttentionKind kind_of(const RunRequest& request, const ModelSpec& spec, bool has_target,
                      Trace* trace) {
  const auto wrong = [&](std::string_view expected) {
    return Error(fmt::format("kind: expected {} for {}, found {}", expected, trace->model,
                             name_of(*request.kind)),
                 Error::Kind::kUsage);
  };
  if (!spec.decoder) {
    const AttentionKind only = spec.causal ? AttentionKind::kDecoder : AttentionKind::kEncoder;
    if (request.kind && *request.kind != AttentionKind::kSelf && *request.kind != only)
      throw wrong(fmt::format("self or {}, the only attention there is,", name_of(only)));
    return AttentionKind::kSelf;
  }
  if (request.kind == AttentionKind::kSelf)
    throw wrong("encoder, decoder (each has self-attention) or cross");
  if (request.kind) return *request.kind;
  const AttentionKind chosen = has_target ? AttentionKind::kCross : AttentionKind::kEncoder;
  trace->notes.emplace_back(
      has_target ? "cross-attention, since there is a target; --kind encoder or decoder shows "
                   "either's self-attention"
                 : "the encoder's self-attention; with --target (or --generate) also the decoder's "
                   "and cross-attention (--kind)");
  return chosen;
}

}  // namespace

void Session::continue_text(const RunRequest& request, Prepared* prepared, const Progress& progress,
                            const CancelToken* cancel) {
  const Model& model = *prepared->model;
  const ModelSpec& spec = model.spec();
  ModelInput& input = prepared->input;
  Trace& trace = prepared->trace;
  const bool two_stacks = spec.decoder.has_value();
  const bool given = request.target || request.use_target_ids;
  if (!two_stacks && given)
    throw Error(fmt::format("{}: expected an encoder-decoder model for its decoder's side, found "
                            "{}",
                            trace.model, spec.architecture),
                Error::Kind::kUsage);
  trace.kind = kind_of(request, spec, given || request.generation.tokens > 0, &trace);
  TokenSide target;
  const std::shared_ptr<const Tokenizer> tokenizer = open_tokenizer(request.model);
  if (given) {
    RunRequest side = request;
    side.pair.reset();
    side.use_ids = request.use_target_ids;
    side.ids = request.target_ids;
    side.text = request.target.value_or("");
    Trace encoded = encode(side);
    trace.notes.insert(trace.notes.end(), encoded.notes.begin(), encoded.notes.end());
    target = std::move(encoded);
    if (!request.use_target_ids && spec.decoder_start >= 0 &&
        target.tokens.front().id != spec.decoder_start) {
      Token start;
      start.id = spec.decoder_start;
      start.special = true;
      start.sequence = -1;
      start.text = tokenizer->piece(start.id).value_or(fmt::format("#{}", start.id));
      target.tokens.insert(target.tokens.begin(), std::move(start));
    }
  }
  for (const Token& token : target.tokens) input.target.push_back(token.id);
  if (request.generation.tokens > 0) {
    if (two_stacks && input.target.empty() && spec.decoder_start >= 0) {
      input.target = {spec.decoder_start};
      append_generated(input.target, tokenizer.get(), &target);
    }
    const std::vector<std::int64_t> ids =
        generate(model, input, request.generation, progress, cancel);
    append_generated(ids, tokenizer.get(), two_stacks ? &target : &trace);
    auto& to = two_stacks ? input.target : input.ids;
    to.insert(to.end(), ids.begin(), ids.end());
    if (!input.types.empty() && !two_stacks) input.types.resize(input.ids.size(), 0);
    prepared->generated.ids = ids;
    trace.notes.push_back(fmt::format("generated: the last {} tokens", ids.size()));
  }
  prepared->generated.text = two_stacks ? target.text : trace.text;
  if (trace.kind == AttentionKind::kSelf || trace.kind == AttentionKind::kEncoder) return;
  if (input.target.empty())
    throw Error("the decoder's side: expected a target (--target or --target-ids), found none",
                Error::Kind::kUsage);
  input.kind = trace.kind;
  // The rows are the decoder's tokens; of cross-attention the columns are the encoder's.
  TokenSide& rows = trace;
  std::swap(rows, target);
  if (trace.kind != AttentionKind::kCross) return;
  trace.keys_side = std::move(target);
  trace.notes.emplace_back(
      "a row is a token that the decoder has read: it attends to the encoder's tokens while the "
      "next "
      "one is written");
}

Generated Session::generate_text(const RunRequest& request, const Progress& progress,
                                 const CancelToken* cancel) {
  return prepare(request, progress, cancel).generated;
}

}  // namespace regard
