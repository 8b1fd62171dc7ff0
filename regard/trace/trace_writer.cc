// SPDX-License-Identifier: Apache-2.0
// Writing the trace file, format 1 (docs/trace-format.md): at once, or layer by layer.
#include "regard/trace/trace_writer.h"

#include <fmt/format.h>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/trace/layer_arrays.h"

namespace regard {
namespace {

// Everything a file holds, with the small arrays that only exist for writing.
struct Parts {
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
  std::vector<std::int64_t> ids, spans, sequences, types, piece_ends;
  std::vector<std::uint8_t> specials;
  std::string pieces;
  std::map<int, std::vector<std::int64_t>> head_ids, kv_of;  // by layer
};

template <typename T>
TensorView view_of(DType dtype, Shape shape, const T* data) {
  return {dtype, std::move(shape), reinterpret_cast<const std::byte*>(data)};
}

void add_tokens(const Trace& trace, Parts* parts) {
  for (const Token& token : trace.tokens) {
    parts->ids.push_back(token.id);
    parts->spans.push_back(static_cast<std::int64_t>(token.span.start));
    parts->spans.push_back(static_cast<std::int64_t>(token.span.end));
    parts->sequences.push_back(token.sequence);
    parts->types.push_back(token.type);
    parts->specials.push_back(token.special ? 1 : 0);
    parts->pieces += token.text;
    parts->piece_ends.push_back(static_cast<std::int64_t>(parts->pieces.size()));
  }
  const std::int64_t n = static_cast<std::int64_t>(trace.tokens.size());
  const auto bytes = [](std::string_view text) {
    return view_of(DType::kU8, {static_cast<std::int64_t>(text.size())}, text.data());
  };
  auto& out = parts->entries;
  out.push_back({"text", bytes(trace.text)});
  if (trace.pair) out.push_back({"text_pair", bytes(*trace.pair)});
  out.push_back({"tokens.id", view_of(DType::kI64, {n}, parts->ids.data())});
  out.push_back({"tokens.span", view_of(DType::kI64, {n, 2}, parts->spans.data())});
  out.push_back({"tokens.sequence", view_of(DType::kI64, {n}, parts->sequences.data())});
  out.push_back({"tokens.type", view_of(DType::kI64, {n}, parts->types.data())});
  out.push_back({"tokens.special", view_of(DType::kU8, {n}, parts->specials.data())});
  out.push_back({"tokens.piece", bytes(parts->pieces)});
  out.push_back({"tokens.piece_end", view_of(DType::kI64, {n}, parts->piece_ends.data())});
  if (!trace.key_valid.empty())
    out.push_back({"keys.valid", view_of(DType::kU8, {n}, trace.key_valid.data())});
}

void add_layer(const LayerTrace& layer, Parts* parts) {
  const std::string prefix = fmt::format("layers.{}.", layer.layer);
  for (const LayerArray& array : kLayerArrays) {
    const TensorView& view = layer.*array.view;
    if (view.data != nullptr) parts->entries.push_back({prefix + std::string(array.name), view});
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
  (*metadata)["regard.format"] = std::to_string(kTraceFormat);
  (*metadata)["regard.model"] = trace.model;
  std::string notes = "[";
  for (const std::string& note : trace.notes)
    notes += (notes.size() > 1 ? ", " : "") + json_quoted(note);
  (*metadata)["regard.notes"] = notes + "]";
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
  return room + layers * ((kLayerArrays.size() + 2) * kTensor + kScore) + 16 * kTensor;
}

}  // namespace

void write_trace(const Trace& trace, const std::string& path) {
  Parts parts;
  fill(trace, &parts);
  write_safetensors(path, parts.entries, parts.metadata);
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
