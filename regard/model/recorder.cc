// SPDX-License-Identifier: Apache-2.0
// The observer that turns a forward pass into a trace.
#include <algorithm>

#include "regard/model/observer.h"
#include "regard/trace/trace_writer.h"

namespace regard {
namespace {

TensorView view_of(const Tensor& tensor) {
  return {DType::kF32, tensor.shape(), reinterpret_cast<const std::byte*>(tensor.data())};
}

bool chosen(const std::vector<int>& layers, int layer) {
  return layers.empty() || std::find(layers.begin(), layers.end(), layer) != layers.end();
}

}  // namespace

ScoreTerms AttentionRecord::terms() const {
  ScoreTerms terms;
  terms.slopes = alibi_slopes.data();
  terms.sinks = sinks.data();
  terms.bias = bias.data();
  if (!bias.empty()) terms.bias_reach = (bias.shape()[1] - 1) / 2;
  terms.query_relative = query_relative.data();
  terms.key_relative = key_relative.data();
  if (!relative_slot.empty()) {
    terms.slot = relative_slot.data();
    terms.slot_reach = (static_cast<std::int64_t>(relative_slot.size()) - 1) / 2;
    terms.slots = (query_relative.empty() ? key_relative : query_relative).shape()[2];
  }
  terms.blocks = blocks.data();
  return terms;
}

Recorder::Recorder(Trace* trace, std::vector<int> layers)
    : trace_(trace), layers_(std::move(layers)) {}

bool Recorder::wants_record(int layer) { return chosen(layers_, layer); }

LayerTrace layer_trace(const AttentionRecord& record) {
  LayerTrace layer;
  layer.layer = record.layer;
  layer.score = record.score;
  layer.block_edge = record.block_edge;
  layer.query = view_of(record.query);
  layer.key = view_of(record.key);
  layer.value = view_of(record.value);
  layer.lse = {DType::kF64, record.lse.shape(),
               reinterpret_cast<const std::byte*>(record.lse.data())};
  layer.overview_sum = view_of(record.overview_sum);
  layer.overview_max = view_of(record.overview_max);
  layer.alibi_slopes = view_of(record.alibi_slopes);
  layer.sinks = view_of(record.sinks);
  layer.bias = view_of(record.bias);
  layer.query_relative = view_of(record.query_relative);
  layer.key_relative = view_of(record.key_relative);
  if (!record.relative_slot.empty())
    layer.relative_slot = {DType::kI32,
                           {static_cast<std::int64_t>(record.relative_slot.size())},
                           reinterpret_cast<const std::byte*>(record.relative_slot.data())};
  layer.blocks = {DType::kU8, record.blocks.shape(),
                  reinterpret_cast<const std::byte*>(record.blocks.data())};
  layer.queries = layer.query.shape[1];
  layer.keys = layer.key.shape[1];
  layer.dim = layer.key.shape[2];
  layer.value_dim = layer.value.shape[2];
  const std::int64_t heads = layer.query.shape[0], kv_heads = layer.key.shape[0];
  for (std::int64_t head = 0; head < heads; ++head) {
    layer.head_ids.push_back(static_cast<int>(head));
    layer.kv_of.push_back(static_cast<int>(head / (heads / kv_heads)));
  }
  return layer;
}

void Recorder::record(std::shared_ptr<AttentionRecord> record) {
  trace_->layers[record->layer] = layer_trace(*record);
  trace_->keep(std::move(record));
}

StreamRecorder::StreamRecorder(TraceWriter* writer, std::vector<int> layers,
                               std::vector<HeadId> heads)
    : writer_(writer), layers_(std::move(layers)), heads_(std::move(heads)) {}

bool StreamRecorder::wants_record(int layer) { return chosen(layers_, layer); }

void StreamRecorder::record(std::shared_ptr<AttentionRecord> record) {
  const LayerTrace layer = layer_trace(*record);
  if (heads_.empty()) return writer_->add(layer);
  std::vector<int> wanted;
  for (const HeadId id : heads_)
    if (id.layer == layer.layer) wanted.push_back(id.head);
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::vector<std::shared_ptr<const void>> owners;
  writer_->add(with_heads(layer, wanted, &owners));
}

}  // namespace regard
