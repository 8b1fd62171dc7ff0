// SPDX-License-Identifier: Apache-2.0
// Texts that a model continues or translates, and the decoder's side of encoder-decoder models.
#include <utility>

#include <fmt/format.h>

#include "regard/model/generation.h"
#include "regard/platform/error.h"
#include "regard/session/prepared.h"
#include "regard/tokenizer/continuation.h"

namespace regard {
namespace {

// The tokens behind the side's own, their text behind its text.
void append_generated(const std::vector<std::int64_t>& ids, const Tokenizer* tokenizer,
                      TokenSide* side) {
  Continuation made;
  if (tokenizer != nullptr) {
    std::vector<std::int64_t> before;
    for (const Token& token : side->tokens)
      if (!token.special) before.push_back(token.id);
    made = continuation(*tokenizer, before, ids);
  }
  made.spans.resize(ids.size());
  const std::size_t begin = side->text.size();
  side->text += made.text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool special = tokenizer != nullptr && tokenizer->is_special(ids[i]);
    Token token = token_of(ids[i], tokenizer);
    token.sequence = special ? -1 : side->pair ? 1 : 0;
    token.span = {begin + made.spans[i].start, begin + made.spans[i].end};
    side->tokens.push_back(std::move(token));
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
  const std::shared_ptr<const Tokenizer> tokenizer = open_tokenizer(request.model, two_stacks);
  const auto start = [&] {
    Token token = token_of(spec.decoder_start, tokenizer.get());
    token.special = true;
    token.sequence = -1;
    return token;
  };
  if (given) {
    RunRequest side = request;
    side.pair.reset();
    side.use_ids = request.use_target_ids;
    side.ids = request.target_ids;
    side.text = request.target.value_or("");
    Trace encoded = encode(side, tokenizer.get());
    trace.notes.insert(trace.notes.end(), encoded.notes.begin(), encoded.notes.end());
    target = std::move(encoded);
    if (!request.use_target_ids && spec.decoder_start >= 0 &&
        target.tokens.front().id != spec.decoder_start)
      target.tokens.insert(target.tokens.begin(), start());
  }
  for (const Token& token : target.tokens) input.target.push_back(token.id);
  if (request.generation.tokens > 0) {
    if (two_stacks && input.target.empty() && spec.decoder_start >= 0) {
      input.target = {spec.decoder_start};
      target.tokens = {start()};
    }
    const std::vector<std::int64_t> ids =
        generate(model, input, request.generation, progress, cancel);
    append_generated(ids, tokenizer.get(), two_stacks ? &target : &trace);
    auto& to = two_stacks ? input.target : input.ids;
    to.insert(to.end(), ids.begin(), ids.end());
    if (!input.types.empty() && !two_stacks) input.types.resize(input.ids.size(), 0);
    (two_stacks ? target : static_cast<TokenSide&>(trace)).generated =
        static_cast<std::int64_t>(ids.size());
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
