// SPDX-License-Identifier: Apache-2.0
// Writing the trace file, format 1 or 2 (docs/trace-format.md): at once, or layer by layer.
#include "regard/trace/trace_writer.h"

#include <fmt/format.h>

#include <deque>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/trace/half.h"
#include "regard/trace/layer_arrays.h"

namespace regard {
namespace {

// The arrays of a side's tokens, which only exist for writing.
struct TokenArrays {
  std::vector<std::int64_t> ids, spans, sequences, types, piece_ends;
  std::vector<std::uint8_t> specials;
  std::string pieces;
};

// Everything a file holds.
struct Parts {
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
  TokenArrays rows, columns;
  std::map<int, std::vector<std::int64_t>> head_ids, kv_of;  // by layer
  std::deque<std::vector<std::uint16_t>> halves;
};

template <typename T>
TensorView view_of(DType dtype, Shape shape, const T* data) {
  return {dtype, std::move(shape), reinterpret_cast<const std::byte*>(data)};
}

// prefix: "" for the rows, "keys." for columns of their own.
void add_side(const TokenSide& side, const std::string& prefix, TokenArrays* arrays,
              std::vector<SafetensorsEntry>* out) {
  for (const Token& token : side.tokens) {
    arrays->ids.push_back(token.id);
    arrays->spans.push_back(static_cast<std::int64_t>(token.span.start));
    arrays->spans.push_back(static_cast<std::int64_t>(token.span.end));
    arrays->sequences.push_back(token.sequence);
    arrays->types.push_back(token.type);
    arrays->specials.push_back(token.special ? 1 : 0);
    arrays->pieces += token.text;
    arrays->piece_ends.push_back(static_cast<std::int64_t>(arrays->pieces.size()));
  }
  const std::int64_t n = static_cast<std::int64_t>(side.tokens.size());
  const auto add = [&](const char* name, TensorView view) {
    out->push_back({prefix + name, std::move(view)});
  };
  const auto bytes = [](std::string_view text) {
    return view_of(DType::kU8, {static_cast<std::int64_t>(text.size())}, text.data());
  };
  add("text", bytes(side.text));
  if (side.pair) add("text_pair", bytes(*side.pair));
  add("tokens.id", view_of(DType::kI64, {n}, arrays->ids.data()));
  add("tokens.span", view_of(DType::kI64, {n, 2}, arrays->spans.data()));
  add("tokens.sequence", view_of(DType::kI64, {n}, arrays->sequences.data()));
  add("tokens.type", view_of(DType::kI64, {n}, arrays->types.data()));
  add("tokens.special", view_of(DType::kU8, {n}, arrays->specials.data()));
  add("tokens.piece", bytes(arrays->pieces));
  add("tokens.piece_end", view_of(DType::kI64, {n}, arrays->piece_ends.data()));
}

void add_tokens(const Trace& trace, Parts* parts) {
  add_side(trace, "", &parts->rows, &parts->entries);
  if (trace.keys_side) add_side(*trace.keys_side, "keys.", &parts->columns, &parts->entries);
  const std::vector<std::uint8_t>& valid = trace.columns().key_valid;
  if (!valid.empty())
    parts->entries.push_back(
        {"keys.valid",
         view_of(DType::kU8, {static_cast<std::int64_t>(valid.size())}, valid.data())});
}

void add_layer(const LayerTrace& layer, Parts* parts) {
  const std::string prefix = fmt::format("layers.{}.", layer.layer);
  for (const LayerArray& array : kLayerArrays) {
    const TensorView& view = layer.*array.view;
    if (view.data == nullptr) continue;
    parts->entries.push_back({prefix + std::string(array.name), view});
    if (array.view != &LayerTrace::query && array.view != &LayerTrace::key &&
        array.view != &LayerTrace::value)
      continue;
    if (auto halves = as_halves(view.f32())) {
      parts->halves.push_back(*std::move(halves));
      parts->entries.back().view = view_of(DType::kF16, view.shape, parts->halves.back().data());
    }
  }
  const auto integers = [&](const char* name, const std::vector<int>& from,
                            std::vector<std::int64_t>* to) {
    to->assign(from.begin(), from.end());
    parts->entries.push_back(
        {prefix + name, view_of(DType::kI64, {static_cast<std::int64_t>(to->size())}, to->data())});
  };
  integers("heads", layer.head_ids, &parts->head_ids[layer.layer]);
  if (layer.weights.data != nullptr) return;
  integers("kv_of", layer.kv_of, &parts->kv_of[layer.layer]);
  parts->metadata[fmt::format("regard.score.{}", layer.layer)] = to_json(layer.score);
  parts->metadata["regard.block_edge"] = std::to_string(layer.block_edge);
}

void add_metadata(const Trace& trace, std::map<std::string, std::string>* metadata) {
  (*metadata)["regard.format"] = std::to_string(trace_format(trace.kind));
  (*metadata)["regard.kind"] = name_of(trace.kind);
  (*metadata)["regard.model"] = trace.model;
  std::string notes = "[";
  for (const std::string& note : trace.notes)
    notes += (notes.size() > 1 ? ", " : "") + json_quoted(note);
  (*metadata)["regard.notes"] = notes + "]";
  if (trace.generated > 0) (*metadata)["regard.generated"] = std::to_string(trace.generated);
  if (trace.preferred.empty()) return;
  std::string heads;
  for (const HeadId id : trace.preferred)
    heads += (heads.empty() ? "" : ", ") + json_quoted(to_string(id));
  (*metadata)["regard.preferred"] =
      fmt::format("{{\"heads\": [{}], \"why\": {}}}", heads, json_quoted(trace.preferred_why));
}

void fill(const Trace& trace, Parts* parts) {
  add_metadata(trace, &parts->metadata);
  add_tokens(trace, parts);
  for (const auto& [layer, record] : trace.layers) add_layer(record, parts);
}

// More than the header of so many layers can take: of each tensor and the padding before it the
// longest name, type, shape and offsets, and of each layer the longest score.
std::uint64_t header_room(const Trace& trace, std::size_t layers) {
  constexpr std::size_t kTensor = 400, kScore = 1024;
  std::map<std::string, std::string> metadata;
  add_metadata(trace, &metadata);
  std::size_t room = 4096;
  for (const auto& [key, value] : metadata) room += json_quoted(key + value).size() + 16;
  return room + layers * ((kLayerArrays.size() + 2) * kTensor + kScore) + 32 * kTensor;
}

}  // namespace

void write_trace(const Trace& trace, const std::string& path) {
  Parts parts;
  fill(trace, &parts);
  write_safetensors(path, parts.entries, parts.metadata);
}

void write_trace(const Trace& trace, const std::function<void(std::string_view)>& write) {
  Parts parts;
  fill(trace, &parts);
  write_safetensors(write, "trace", parts.entries, parts.metadata);
}

std::uint64_t trace_file_size(const Trace& trace) {
  Parts parts;
  fill(trace, &parts);
  return safetensors_size(parts.entries, parts.metadata);
}

TraceWriter::TraceWriter(const std::string& path, const Trace& trace, std::size_t layers,
                         std::uint64_t expected)
    : stream_(path, header_room(trace, layers)) {
  stream_.file().reserve(expected);
  Parts parts;
  add_tokens(trace, &parts);
  add_metadata(trace, &metadata_);
  for (const SafetensorsEntry& entry : parts.entries) stream_.add(entry.name, entry.view);
}

void TraceWriter::add(const LayerTrace& layer) {
  if (layer.layer <= last_layer_)
    throw Error(
        fmt::format("trace: expected a layer after {}, found {}", last_layer_, layer.layer));
  last_layer_ = layer.layer;
  Parts parts;
  add_layer(layer, &parts);
  metadata_.insert(parts.metadata.begin(), parts.metadata.end());
  for (const SafetensorsEntry& entry : parts.entries) stream_.add(entry.name, entry.view);
}

void TraceWriter::commit() { stream_.commit(metadata_); }

}  // namespace regard
