// SPDX-License-Identifier: Apache-2.0
// The observer that turns a forward pass into a trace.
#include <algorithm>

#include "regard/model/observer.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

TensorView view_of(const Tensor& tensor) {
  return {DType::kF32, tensor.shape(), reinterpret_cast<const std::byte*>(tensor.data())};
}

// Rows `chosen` of the first axis of a view, copied when they are not all of it.
TensorView select(const TensorView& view, const std::vector<std::size_t>& chosen, Trace* trace) {
  if (view.data == nullptr || chosen.size() == static_cast<std::size_t>(view.shape[0])) return view;
  const std::size_t bytes =
      static_cast<std::size_t>(view.size() / view.shape[0]) * size_of(view.dtype);
  Shape shape = view.shape;
  shape[0] = static_cast<std::int64_t>(chosen.size());
  auto copy = std::make_shared<Buffer<double>>(Shape{
      static_cast<std::int64_t>((chosen.size() * bytes + sizeof(double) - 1) / sizeof(double))});
  auto* out = reinterpret_cast<std::byte*>(copy->data());
  for (std::size_t i = 0; i < chosen.size(); ++i)
    std::copy_n(view.data + chosen[i] * bytes, bytes, out + i * bytes);
  trace->keep(copy);
  return {view.dtype, std::move(shape), out};
}

}  // namespace

Recorder::Recorder(Trace* trace, std::vector<int> layers)
    : trace_(trace), layers_(std::move(layers)) {}

bool Recorder::wants_record(int layer) {
  return layers_.empty() || std::find(layers_.begin(), layers_.end(), layer) != layers_.end();
}

void Recorder::record(std::shared_ptr<AttentionRecord> record) {
  LayerTrace layer;
  layer.layer = record->layer;
  layer.score = record->score;
  layer.block_edge = record->block_edge;
  layer.query = view_of(record->query);
  layer.key = view_of(record->key);
  layer.value = view_of(record->value);
  layer.lse = {DType::kF64, record->lse.shape(),
               reinterpret_cast<const std::byte*>(record->lse.data())};
  layer.overview_sum = view_of(record->overview_sum);
  layer.overview_max = view_of(record->overview_max);
  layer.queries = layer.query.shape[1];
  layer.keys = layer.key.shape[1];
  layer.dim = layer.key.shape[2];
  layer.value_dim = layer.value.shape[2];
  const std::int64_t heads = layer.query.shape[0], kv_heads = layer.key.shape[0];
  for (std::int64_t head = 0; head < heads; ++head) {
    layer.head_ids.push_back(static_cast<int>(head));
    layer.kv_of.push_back(static_cast<int>(head / (heads / kv_heads)));
  }
  trace_->layers[layer.layer] = std::move(layer);
  trace_->keep(std::move(record));
}

void keep_heads(Trace* trace, const std::vector<HeadId>& heads) {
  for (const HeadId id : heads) trace->map(id);  // throws for a head that is not there
  for (auto it = trace->layers.begin(); it != trace->layers.end();) {
    LayerTrace& layer = it->second;
    std::vector<std::size_t> chosen;
    std::vector<int> ids, kv_of;
    std::vector<std::size_t> kv_rows;
    for (std::size_t i = 0; i < layer.head_ids.size(); ++i) {
      if (std::find(heads.begin(), heads.end(), HeadId{layer.layer, layer.head_ids[i]}) ==
          heads.end())
        continue;
      chosen.push_back(i);
      ids.push_back(layer.head_ids[i]);
      if (layer.kv_of.empty()) continue;
      const auto row = static_cast<std::size_t>(layer.kv_of[i]);
      if (kv_rows.empty() || kv_rows.back() != row) kv_rows.push_back(row);
      kv_of.push_back(static_cast<int>(kv_rows.size() - 1));
    }
    if (chosen.empty()) {
      it = trace->layers.erase(it);
      continue;
    }
    layer.query = select(layer.query, chosen, trace);
    layer.lse = select(layer.lse, chosen, trace);
    layer.overview_sum = select(layer.overview_sum, chosen, trace);
    layer.overview_max = select(layer.overview_max, chosen, trace);
    layer.weights = select(layer.weights, chosen, trace);
    layer.key = select(layer.key, kv_rows, trace);
    layer.value = select(layer.value, kv_rows, trace);
    layer.head_ids = std::move(ids);
    layer.kv_of = std::move(kv_of);
    ++it;
  }
}

}  // namespace regard
