// SPDX-License-Identifier: Apache-2.0
// What a run leaves behind: the text, its tokens, and for each layer the queries, keys and
// log-sum-exps from which every attention weight can be recomputed. In memory and as a file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "regard/attention/attention_map.h"
#include "regard/attention/score.h"
#include "regard/checkpoint/safetensors.h"
#include "regard/tensor/tensor.h"
#include "regard/tokenizer/tokenizer.h"

namespace regard {

struct HeadId {
  int layer = 0;
  int head = 0;
  auto operator<=>(const HeadId&) const = default;
};
// "L3H1".
std::string to_string(HeadId id);
// The reverse; nothing when the text is no such name.
std::optional<HeadId> head_named(std::string_view text);

// One layer's attention. The arrays are the layer's own or lie in the trace's mapped file.
struct LayerTrace {
  int layer = 0;
  std::vector<int> head_ids;  // the heads recorded, ascending; all of them unless chosen
  std::int64_t queries = 0, keys = 0, dim = 0, value_dim = 0;
  ScoreSpec score;
  std::int64_t block_edge = 0;  // of the overview; 0: none
  // Per recorded head [head, ..] resp. per key-value head [kv head, ..]. kv_of[i] is the row of
  // `key` and `value` that recorded head i uses.
  std::vector<int> kv_of;
  TensorView query;         // F32 [head, query, dim]
  TensorView key;           // F32 [kv head, key, dim]
  TensorView value;         // F32 [kv head, key, value_dim]; data null: not recorded
  TensorView lse;           // F64 [head, query]
  TensorView overview_sum;  // F32 [head, query block, key block]; data null: none
  TensorView overview_max;
  // Instead of all these: weights as somebody gave them, F32 [head, query, key].
  TensorView weights;
};

// Thread safety: read-only after it was made; any number of threads.
class Trace {
 public:
  std::string model;  // how the model calls itself or was named
  std::string text;
  std::optional<std::string> pair;  // the second text of a pair
  std::vector<Token> tokens;
  std::vector<std::uint8_t> key_valid;  // empty: every token is valid
  std::vector<std::string> notes;       // what the reader should know (bytes replaced, truncated)
  std::map<int, LayerTrace> layers;     // by layer

  // All recorded heads, ascending.
  std::vector<HeadId> heads() const;
  bool has(HeadId id) const;
  // Throws Error naming the layers and heads that exist.
  AttentionMap map(HeadId id) const;
  // The head's record. Throws like map(), and when the trace holds given weights only.
  HeadView head(HeadId id) const;
  // [keys, value_dim]; null when not recorded.
  const float* values(HeadId id) const;

  // Takes arrays over so that views into them stay valid as long as the trace.
  void keep(std::shared_ptr<const void> owner) { owners_.push_back(std::move(owner)); }

 private:
  const LayerTrace& layer_of(HeadId id, std::size_t* index) const;
  std::vector<std::shared_ptr<const void>> owners_;
};

// The file of format 1, a safetensors file: layers.{l}.query, .key, .value, .lse, .overview_sum,
// .overview_max, layers.{l}.heads when not all; text, text_pair (U8), tokens.id (I64 [n]),
// tokens.span (I64 [n, 2]), tokens.sequence, tokens.type (I64 [n]), tokens.special (U8 [n]),
// tokens.piece (U8) and tokens.piece_end (I64 [n]); metadata regard.format, regard.model,
// regard.score.{l}, regard.block_edge, regard.notes (JSON list).
inline constexpr int kTraceFormat = 1;
void write_trace(const Trace& trace, const std::string& path);
std::uint64_t trace_file_size(const Trace& trace);
// Maps the file; every shape is checked against every other first. A newer format is an Error.
Trace read_trace(const std::string& path);

}  // namespace regard
