// SPDX-License-Identifier: Apache-2.0
// The trace file, format 1: names and shapes are listed in trace.h and docs/trace-format.md.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/trace/trace.h"

namespace regard {
namespace {

// Everything a file holds, with the small arrays that only exist for writing.
struct Parts {
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
  std::vector<std::int64_t> ids, spans, sequences, types, piece_ends;
  std::vector<std::uint8_t> specials;
  std::string pieces;
  std::map<int, std::vector<std::int64_t>> head_ids, kv_of;
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
  auto& out = parts->entries;
  if (layer.weights.data != nullptr) {
    out.push_back({prefix + "weights", layer.weights});
  } else {
    out.push_back({prefix + "query", layer.query});
    out.push_back({prefix + "key", layer.key});
    if (layer.value.data != nullptr) out.push_back({prefix + "value", layer.value});
    out.push_back({prefix + "lse", layer.lse});
    if (layer.overview_sum.data != nullptr) {
      out.push_back({prefix + "overview_sum", layer.overview_sum});
      out.push_back({prefix + "overview_max", layer.overview_max});
    }
    parts->metadata[fmt::format("regard.score.{}", layer.layer)] = to_json(layer.score);
    parts->metadata["regard.block_edge"] = std::to_string(layer.block_edge);
    auto& kv = parts->kv_of[layer.layer];
    kv.assign(layer.kv_of.begin(), layer.kv_of.end());
    out.push_back({prefix + "kv_of",
                   view_of(DType::kI64, {static_cast<std::int64_t>(kv.size())}, kv.data())});
  }
  auto& ids = parts->head_ids[layer.layer];
  ids.assign(layer.head_ids.begin(), layer.head_ids.end());
  out.push_back({prefix + "heads",
                 view_of(DType::kI64, {static_cast<std::int64_t>(ids.size())}, ids.data())});
}

void fill(const Trace& trace, Parts* parts) {
  parts->metadata["regard.format"] = std::to_string(kTraceFormat);
  parts->metadata["regard.model"] = trace.model;
  std::string notes = "[";
  for (const std::string& note : trace.notes)
    notes += (notes.size() > 1 ? ", " : "") + json_quoted(note);
  parts->metadata["regard.notes"] = notes + "]";
  add_tokens(trace, parts);
  for (const auto& [layer, record] : trace.layers) add_layer(record, parts);
}

// Reads a trace's file; every array's shape is checked where it is taken.
class Reader {
 public:
  explicit Reader(std::shared_ptr<const SafetensorsFile> file) : file_(std::move(file)) {}

  Trace read() {
    check_format();
    Trace trace;
    trace.model = text_of_metadata("regard.model");
    trace.text = bytes("text");
    if (file_->find("text_pair")) trace.pair = bytes("text_pair");
    read_notes(&trace);
    read_tokens(&trace);
    for (const auto& [name, tensor] : file_->tensors()) {
      int layer = 0;
      if (const auto rest = layer_of(name, &layer); rest == "query" || rest == "weights")
        trace.layers.emplace(layer, read_layer(layer, trace));
    }
    trace.keep(file_);
    return trace;
  }

 private:
  [[noreturn]] void fail(std::string_view place, std::string_view expected,
                         std::string_view found) const {
    throw Error::at(file_->path(), place, expected, found);
  }

  std::string text_of_metadata(const std::string& key) const {
    const auto found = file_->metadata().find(key);
    if (found == file_->metadata().end())
      fail("metadata", key + " (is this a trace that Regard recorded?)", "none");
    return found->second;
  }

  void check_format() const {
    const std::string text = text_of_metadata("regard.format");
    int format = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), format);
    if (error != std::errc{} || end != text.data() + text.size() || format < 1)
      fail("regard.format", "a number", text);
    if (format > kTraceFormat)
      fail("regard.format",
           fmt::format("at most {}: this trace is from a newer Regard", kTraceFormat), text);
  }

  void read_notes(Trace* trace) const {
    const auto found = file_->metadata().find("regard.notes");
    if (found == file_->metadata().end()) return;
    const auto document = JsonDocument::parse(found->second, file_->path() + ": regard.notes");
    document.root().for_each_element(
        [&](std::size_t, Json note) { trace->notes.emplace_back(note.string()); });
  }

  std::string bytes(std::string_view name) const {
    const TensorView view = file_->at(name, DType::kU8, Shape{-1});
    return {reinterpret_cast<const char*>(view.data), static_cast<std::size_t>(view.size())};
  }

  std::vector<std::int64_t> integers(const std::string& name, const Shape& shape) const {
    const TensorView view = file_->at(name, DType::kI64, shape);
    std::vector<std::int64_t> values(static_cast<std::size_t>(view.size()));
    if (!values.empty()) std::memcpy(values.data(), view.data, values.size() * sizeof values[0]);
    return values;
  }

  void read_tokens(Trace* trace) const {
    const auto ids = integers("tokens.id", {-1});
    const std::int64_t n = static_cast<std::int64_t>(ids.size());
    const auto spans = integers("tokens.span", {n, 2});
    const auto sequences = integers("tokens.sequence", {n});
    const auto types = integers("tokens.type", {n});
    const auto ends = integers("tokens.piece_end", {n});
    const TensorView specials = file_->at("tokens.special", DType::kU8, Shape{n});
    const std::string pieces = bytes("tokens.piece");
    std::int64_t piece = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::int64_t sequence = sequences[at];
      if (sequence < -1 || sequence > (trace->pair ? 1 : 0))
        fail(fmt::format("tokens.sequence[{}]", i), "-1, 0 or 1 with that text",
             std::to_string(sequence));
      const std::string& text = sequence == 1 ? *trace->pair : trace->text;
      const std::int64_t start = spans[2 * at], end = spans[2 * at + 1];
      if (start < 0 || end < start || end > static_cast<std::int64_t>(text.size()))
        fail(fmt::format("tokens.span[{}]", i), fmt::format("within 0:{}", text.size()),
             fmt::format("{}:{}", start, end));
      if (ends[at] < piece || ends[at] > static_cast<std::int64_t>(pieces.size()))
        fail(fmt::format("tokens.piece_end[{}]", i), fmt::format("{} to {}", piece, pieces.size()),
             std::to_string(ends[at]));
      Token token;
      token.id = ids[at];
      token.text = pieces.substr(static_cast<std::size_t>(piece),
                                 static_cast<std::size_t>(ends[at] - piece));
      token.span = {static_cast<std::size_t>(start), static_cast<std::size_t>(end)};
      token.sequence = static_cast<int>(sequence);
      token.type = types[at];
      token.special = static_cast<std::uint8_t>(specials.data[i]) != 0;
      trace->tokens.push_back(std::move(token));
      piece = ends[at];
    }
    if (file_->find("keys.valid")) {
      const TensorView valid = file_->at("keys.valid", DType::kU8, Shape{n});
      const auto* data = reinterpret_cast<const std::uint8_t*>(valid.data);
      trace->key_valid.assign(data, data + n);
    }
  }

  // "query" of "layers.3.query", with 3 in *layer; empty for other names.
  std::string_view layer_of(std::string_view name, int* layer) const {
    constexpr std::string_view kPrefix = "layers.";
    if (!name.starts_with(kPrefix)) return {};
    const char* begin = name.data() + kPrefix.size();
    const char* end = name.data() + name.size();
    const auto [at, error] = std::from_chars(begin, end, *layer);
    if (error != std::errc{} || at == end || *at != '.' || *layer < 0 || *layer > 1'000'000)
      fail(name, "layers.{number}.{array}", "another name");
    return {at + 1, static_cast<std::size_t>(end - at - 1)};
  }

  TensorView aligned(const std::string& name, DType dtype, const Shape& shape) const {
    TensorView view = file_->at(name, dtype, shape);
    if (reinterpret_cast<std::uintptr_t>(view.data) % size_of(dtype) != 0)
      fail(name, "data aligned to its elements", "data that is not");
    return view;
  }

  // Head numbers of a layer (ascending, distinct) or rows of keys.
  std::vector<int> small_integers(const std::string& name, std::int64_t count, std::int64_t limit,
                                  bool ascending) const {
    std::vector<int> result;
    for (std::int64_t value : integers(name, {count})) {
      if (value < 0 || value >= limit || (ascending && !result.empty() && value <= result.back()))
        fail(name, ascending ? "ascending head numbers" : fmt::format("rows below {}", limit),
             std::to_string(value));
      result.push_back(static_cast<int>(value));
    }
    return result;
  }

  LayerTrace read_layer(int index, const Trace& trace) const {
    const std::string prefix = fmt::format("layers.{}.", index);
    const std::int64_t n = static_cast<std::int64_t>(trace.tokens.size());
    LayerTrace layer;
    layer.layer = index;
    layer.queries = layer.keys = n;
    if (file_->find(prefix + "weights")) {
      layer.weights = aligned(prefix + "weights", DType::kF32, {-1, n, n});
      layer.head_ids = small_integers(prefix + "heads", layer.weights.shape[0], 1'000'000, true);
      return layer;
    }
    layer.query = aligned(prefix + "query", DType::kF32, {-1, n, -1});
    const std::int64_t heads = layer.query.shape[0];
    layer.dim = layer.query.shape[2];
    layer.key = aligned(prefix + "key", DType::kF32, {-1, n, layer.dim});
    const std::int64_t kv_heads = layer.key.shape[0];
    if (file_->find(prefix + "value")) {
      layer.value = aligned(prefix + "value", DType::kF32, {kv_heads, n, -1});
      layer.value_dim = layer.value.shape[2];
    }
    layer.lse = aligned(prefix + "lse", DType::kF64, {heads, n});
    layer.head_ids = small_integers(prefix + "heads", heads, 1'000'000, true);
    layer.kv_of = small_integers(prefix + "kv_of", heads, kv_heads, false);
    const std::string score = fmt::format("regard.score.{}", index);
    layer.score = score_spec_from_json(text_of_metadata(score), file_->path(), score);
    if (file_->find(prefix + "overview_sum")) {
      layer.block_edge = overview_edge_of(text_of_metadata("regard.block_edge"));
      const std::int64_t blocks = (n + layer.block_edge - 1) / layer.block_edge;
      layer.overview_sum = aligned(prefix + "overview_sum", DType::kF32, {heads, blocks, blocks});
      layer.overview_max = aligned(prefix + "overview_max", DType::kF32, {heads, blocks, blocks});
    }
    return layer;
  }

  std::int64_t overview_edge_of(const std::string& text) const {
    std::int64_t edge = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), edge);
    if (error != std::errc{} || end != text.data() + text.size() || edge < 1 ||
        edge > (std::int64_t{1} << 40))
      fail("regard.block_edge", "a positive number", text);
    return edge;
  }

  std::shared_ptr<const SafetensorsFile> file_;
};

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

Trace read_trace(const std::string& path) {
  return Reader(std::make_shared<const SafetensorsFile>(SafetensorsFile::open(path))).read();
}

}  // namespace regard
