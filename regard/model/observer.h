// SPDX-License-Identifier: Apache-2.0
// Where one may look into a forward pass, and change it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "regard/attention/score.h"
#include "regard/tensor/tensor.h"
#include "regard/trace/trace.h"

namespace regard {

class TraceWriter;

enum class Point {
  kEmbeddingSum,  // [token, width], of words, positions and types, before their normalisation
  kEmbedding,     // [token, width], after it
  kQuery,         // [head, token, dim], after everything that changes it, before the scale
  kKey,           // [kv head, token, dim]
  kValue,         // [kv head, token, dim]
  kMixed,         // [token, head * dim], weighted values of all heads, before the projection
  kAttentionOut,  // [token, width], after the projection, before the residual
  kMlpUp,         // [row, MLP width], before the activation, some rows at a time and in order;
  kMlpGate,       //   the gate that multiplies it, where there is one; not of experts
  kMlpOut,        // [token, width], before the residual
  kHidden,        // [token, width], the layer's output
  kHeadDense,     // [row, width], of the language head, before its activation; layer: their number
};

// A dense array of the running pass; writing to it changes what follows.
struct MutableView {
  float* data = nullptr;
  Shape shape;
};

// What a layer's attention recorded. An observer may take it (share the pointer).
struct AttentionRecord {
  int layer = 0;
  ScoreSpec score;
  std::int64_t block_edge = 0;
  Tensor query, key, value;           // as at the points
  Buffer<double> lse;                 // [head, token]; of several texts [head, token] each in turn
  Tensor overview_sum, overview_max;  // [head, block, block]
  // What else the score takes, empty when it does not: shapes as in LayerTrace.
  Tensor alibi_slopes, sinks, bias, query_relative, key_relative;
  std::vector<std::int32_t> relative_slot;
  Buffer<std::uint8_t> blocks;

  // Views of these arrays, for the forward pass; all heads.
  ScoreTerms terms() const;
};

// The record as a trace has it: views into it, all heads.
LayerTrace layer_trace(const AttentionRecord& record);

// Thread safety: called by the one thread that runs the forward pass; the structs are plain values.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void at(Point, int /*layer*/, MutableView) {}
  // After the layer's attention. Called only with what wants_record() asked for.
  virtual bool wants_record(int /*layer*/) { return false; }
  virtual void record(std::shared_ptr<AttentionRecord>) {}
  // Whether records need an overview.
  virtual bool wants_overview() { return true; }
};

// Fills trace.layers with all heads of the chosen layers (all when empty).
class Recorder : public Observer {
 public:
  explicit Recorder(Trace* trace, std::vector<int> layers = {});
  bool wants_record(int layer) override;
  void record(std::shared_ptr<AttentionRecord> record) override;

 private:
  Trace* trace_;
  std::vector<int> layers_;
};

// Writes each chosen layer to a file as it comes and keeps nothing. heads: only these (all of the
// layers when empty); they lie in `layers`.
class StreamRecorder : public Observer {
 public:
  StreamRecorder(TraceWriter* writer, std::vector<int> layers, std::vector<HeadId> heads);
  bool wants_record(int layer) override;
  void record(std::shared_ptr<AttentionRecord> record) override;

 private:
  TraceWriter* writer_;
  std::vector<int> layers_;
  std::vector<HeadId> heads_;
};

}  // namespace regard
