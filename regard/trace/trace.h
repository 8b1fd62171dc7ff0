// SPDX-License-Identifier: Apache-2.0
// What a run leaves behind: the text, its tokens, and for each layer the queries, keys and
// log-sum-exps from which every attention weight can be recomputed. In memory and as a file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
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

// One layer's attention. The arrays are the layer's own or lie in the trace's mapped file; one
// whose data is null is absent. layer_arrays.h lists them with their names in a file.
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
  TensorView value;         // F32 [kv head, key, value_dim]
  TensorView lse;           // F64 [head, query]
  TensorView overview_sum;  // F32 [head, query block, key block]
  TensorView overview_max;
  // What else the score takes: ScoreTerms.
  TensorView alibi_slopes;    // F32 [head]
  TensorView sinks;           // F32 [head]
  TensorView bias;            // F32 [head, 2 * reach + 1]
  TensorView query_relative;  // F32 [head, query, slot]
  TensorView key_relative;    // F32 [head, key, slot]
  TensorView relative_slot;   // I32 [2 * reach + 1]
  TensorView blocks;          // U8 [query / 64, key / 64], rounded up
  // Instead of all these: weights as somebody gave them, F32 [head, query, key].
  TensorView weights;
};

// Which attention of a model. kSelf: of a model of one stack, which has no other.
enum class AttentionKind { kSelf, kEncoder, kDecoder, kCross };
std::string_view name_of(AttentionKind kind);  // "self", "encoder", "decoder", "cross"
// The reverse; nothing when the text is no such name.
std::optional<AttentionKind> kind_named(std::string_view text);

// Tokens and the texts that they come from.
struct TokenSide {
  std::string text;
  std::optional<std::string> pair;  // the second text of a pair
  std::vector<Token> tokens;
  std::vector<std::uint8_t> key_valid;  // of these tokens as keys; empty: every one is valid
  std::int64_t generated = 0;           // so many of the last tokens were generated
};

// The rows' (queries') side, and the columns' (keys') where they are of other texts.
// Thread safety: read-only after it was made; any number of threads.
class Trace : public TokenSide {
 public:
  std::string file;   // that it was read from; empty: none
  std::string model;  // how the model calls itself or was named
  AttentionKind kind = AttentionKind::kSelf;
  std::optional<TokenSide> keys_side;  // of kCross only: the encoder's tokens
  std::vector<std::string> notes;      // what the reader should know (bytes replaced, truncated)
  std::map<int, LayerTrace> layers;    // by layer
  // The view that the model's makers chose, one head or the mean of several; empty: none.
  std::vector<HeadId> preferred;
  std::string preferred_why;  // one clause

  // The side of the columns: the rows' own unless there is another.
  const TokenSide& columns() const { return keys_side ? *keys_side : *this; }

  // All recorded heads, ascending.
  std::vector<HeadId> heads() const;
  bool has(HeadId id) const;
  // Throws Error naming the layers and heads that exist. Reads the head's log-sum-exps the first
  // time; throws Error naming file and query where one of them is NaN or +inf.
  AttentionMap map(HeadId id) const;
  // The head's record. Throws like map(), and when the trace holds given weights only.
  HeadView head(HeadId id) const;
  // The head's overview; false when there is none.
  OverviewView overview(HeadId id) const;
  // [keys, value_dim]; null when not recorded.
  const float* values(HeadId id) const;

  // Takes arrays over so that views into them stay valid as long as the trace.
  void keep(std::shared_ptr<const void> owner) { owners_.push_back(std::move(owner)); }

 private:
  const LayerTrace& layer_of(HeadId id, std::size_t* index) const;
  std::vector<std::shared_ptr<const void>> owners_;
  // The heads whose log-sum-exps were found good; shared by copies, which share the arrays.
  struct Checked {
    std::mutex mutex;
    std::set<HeadId> heads;
  };
  std::shared_ptr<Checked> checked_ = std::make_shared<Checked>();
};

// The layer with only the heads of these numbers (ascending, all there) and the key heads that they
// use. Rows that must be copied are kept in *owners.
LayerTrace with_heads(const LayerTrace& layer, const std::vector<int>& heads,
                      std::vector<std::shared_ptr<const void>>* owners);
// Keeps only the given heads of a trace's layers. Throws Error for a head that is not there.
void keep_heads(Trace* trace, const std::vector<HeadId>& heads);

// The file, a safetensors file: docs/trace-format.md. Its format is 1 or, with a keys_side, 2.
int trace_format(AttentionKind kind);
void write_trace(const Trace& trace, const std::string& path);
// The file's bytes, in pieces.
void write_trace(const Trace& trace, const std::function<void(std::string_view)>& write);
std::uint64_t trace_file_size(const Trace& trace);
// Maps the file; every shape is checked against every other first. A newer format is an Error.
Trace read_trace(const std::string& path);

}  // namespace regard
