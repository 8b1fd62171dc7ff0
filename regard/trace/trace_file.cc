// SPDX-License-Identifier: Apache-2.0
// Reading the trace file, formats 1 and 2 (docs/trace-format.md): everything is checked before it
// is used.
#include "regard/trace/trace_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/trace/layer_arrays.h"

namespace regard {
namespace {

// Reads a trace's file; every array's shape is checked where it is taken.
class Reader {
 public:
  explicit Reader(std::shared_ptr<const SafetensorsFile> file) : file_(std::move(file)) {}

  Trace read() {
    Trace trace;
    trace.kind = read_kind();
    trace.file = file_->path();
    trace.model = text_of_metadata("regard.model");
    read_notes(&trace);
    read_preferred(&trace);
    read_sides(&trace);
    trace.generated = read_generated(static_cast<std::int64_t>(trace.tokens.size()));
    for (const auto& [name, tensor] : file_->tensors()) {
      int layer = 0;
      if (const auto array = layer_of(name, &layer); array.empty() || trace.layers.contains(layer))
        continue;
      trace.layers.emplace(layer, read_layer(layer, trace));
    }
    trace.keep(file_);
    for (auto& expanded : expanded_) trace.keep(std::move(expanded));
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

  // The kind, once the format is one that may have it.
  AttentionKind read_kind() const {
    const std::string text = text_of_metadata("regard.format");
    int format = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), format);
    if (error != std::errc{} || end != text.data() + text.size() || format < 1)
      fail("regard.format", "a number", text);
    const auto found = file_->metadata().find("regard.kind");
    const auto kind =
        found == file_->metadata().end() ? AttentionKind::kSelf : kind_named(found->second);
    if (!kind) fail("regard.kind", "self, encoder, decoder or cross", found->second);
    const int own = trace_format(*kind);
    if (format > own)
      fail("regard.format", fmt::format("at most {}: this trace is from a newer Regard", own),
           text);
    if (format < own)
      fail("regard.format", fmt::format("{} for {}-attention", own, name_of(*kind)), text);
    return *kind;
  }

  void read_notes(Trace* trace) const {
    const auto found = file_->metadata().find("regard.notes");
    if (found == file_->metadata().end()) return;
    const auto document = JsonDocument::parse(found->second, file_->path() + ": regard.notes");
    document.root().for_each_element(
        [&](std::size_t, Json note) { trace->notes.emplace_back(note.string()); });
  }

  std::int64_t read_generated(std::int64_t tokens) const {
    const auto found = file_->metadata().find("regard.generated");
    if (found == file_->metadata().end()) return 0;
    const std::string& text = found->second;
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size() || count < 0 || count > tokens)
      fail("regard.generated", fmt::format("0 to {}, the tokens that there are", tokens), text);
    return count;
  }

  void read_preferred(Trace* trace) const {
    const auto found = file_->metadata().find("regard.preferred");
    if (found == file_->metadata().end()) return;
    const auto document = JsonDocument::parse(found->second, file_->path() + ": regard.preferred");
    document.root().at("heads").for_each_element([&](std::size_t, Json name) {
      const std::optional<HeadId> id = head_named(name.string());
      if (!id) throw name.wrong("a head, as L3H1");
      trace->preferred.push_back(*id);
    });
    trace->preferred_why = document.root().at("why").string();
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

  // tokens: "tokens." or "keys.tokens."; texts: "" or "keys.".
  TokenSide read_side(const std::string& texts, const std::string& tokens) const {
    TokenSide side;
    side.text = bytes(texts + "text");
    if (file_->find(texts + "text_pair")) side.pair = bytes(texts + "text_pair");
    const auto ids = integers(tokens + "id", {-1});
    const std::int64_t n = static_cast<std::int64_t>(ids.size());
    const auto spans = integers(tokens + "span", {n, 2});
    const auto sequences = integers(tokens + "sequence", {n});
    const auto types = integers(tokens + "type", {n});
    const auto ends = integers(tokens + "piece_end", {n});
    const TensorView specials = file_->at(tokens + "special", DType::kU8, Shape{n});
    const std::string pieces = bytes(tokens + "piece");
    std::int64_t piece = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::int64_t sequence = sequences[at];
      if (sequence < -1 || sequence > (side.pair ? 1 : 0))
        fail(fmt::format("{}sequence[{}]", tokens, i), "-1, 0 or 1 with that text",
             std::to_string(sequence));
      const std::string& text = sequence == 1 ? *side.pair : side.text;
      const std::int64_t start = spans[2 * at], end = spans[2 * at + 1];
      if (start < 0 || end < start || end > static_cast<std::int64_t>(text.size()))
        fail(fmt::format("{}span[{}]", tokens, i), fmt::format("within 0:{}", text.size()),
             fmt::format("{}:{}", start, end));
      if (ends[at] < piece || ends[at] > static_cast<std::int64_t>(pieces.size()))
        fail(fmt::format("{}piece_end[{}]", tokens, i),
             fmt::format("{} to {}", piece, pieces.size()), std::to_string(ends[at]));
      Token token;
      token.id = ids[at];
      token.text = pieces.substr(static_cast<std::size_t>(piece),
                                 static_cast<std::size_t>(ends[at] - piece));
      token.span = {static_cast<std::size_t>(start), static_cast<std::size_t>(end)};
      token.sequence = static_cast<int>(sequence);
      token.type = types[at];
      token.special = static_cast<std::uint8_t>(specials.data[i]) != 0;
      side.tokens.push_back(std::move(token));
      piece = ends[at];
    }
    return side;
  }

  void read_sides(Trace* trace) const {
    static_cast<TokenSide&>(*trace) = read_side("", "tokens.");
    if (trace->kind == AttentionKind::kCross) {
      trace->keys_side = read_side("keys.", "keys.tokens.");
    } else if (file_->find("keys.tokens.id")) {
      fail("keys.tokens.id", "none: only cross-attention has keys of another text", "it");
    }
    if (!file_->find("keys.valid")) return;
    TokenSide& side = trace->keys_side ? *trace->keys_side : *trace;
    const auto n = static_cast<std::int64_t>(side.tokens.size());
    const TensorView valid = file_->at("keys.valid", DType::kU8, Shape{n});
    const auto* data = reinterpret_cast<const std::uint8_t*>(valid.data);
    side.key_valid.assign(data, data + n);
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
    const std::string_view array(at + 1, static_cast<std::size_t>(end - at - 1));
    const auto known = [&](const LayerArray& one) { return one.name == array; };
    // An array that this reader does not know may change what a weight is.
    if (array != "heads" && array != "kv_of" &&
        std::none_of(kLayerArrays.begin(), kLayerArrays.end(), known))
      fail(name, "an array of format 1", "another name: this trace is from a newer Regard");
    return array;
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

  // An array of F32, or of F16 that is expanded.
  TensorView numbers(const std::string& name, const Shape& shape) {
    const std::optional<TensorView> found = file_->find(name);
    if (!found || found->dtype != DType::kF16) return aligned(name, DType::kF32, shape);
    const TensorView halves = file_->at(name, DType::kF16, shape);
    auto expanded = std::make_shared<Tensor>(halves.shape);
    convert_to_f32(halves, expanded->span());
    TensorView view{DType::kF32, halves.shape,
                    reinterpret_cast<const std::byte*>(expanded->data())};
    expanded_.push_back(std::move(expanded));
    return view;
  }

  // An array of a layer that may be absent.
  TensorView optional(const std::string& name, DType dtype, const Shape& shape) const {
    return file_->find(name) ? aligned(name, dtype, shape) : TensorView{};
  }

  std::int64_t at_least_one(const std::string& name, std::int64_t size) const {
    if (size < 1) fail(name, "no axis of 0", "one");
    return size;
  }

  LayerTrace read_layer(int index, const Trace& trace) {
    const std::string prefix = fmt::format("layers.{}.", index);
    const auto rows = static_cast<std::int64_t>(trace.tokens.size());
    const auto columns = static_cast<std::int64_t>(trace.columns().tokens.size());
    at_least_one("tokens.id", rows);
    at_least_one("keys.tokens.id", columns);
    LayerTrace layer;
    layer.layer = index;
    layer.queries = rows;
    layer.keys = columns;
    if (file_->find(prefix + "weights")) {
      layer.weights = aligned(prefix + "weights", DType::kF32, {-1, rows, columns});
      layer.head_ids = small_integers(prefix + "heads", layer.weights.shape[0], 1'000'000, true);
      return layer;
    }
    layer.query = numbers(prefix + "query", {-1, rows, -1});
    const std::int64_t heads = at_least_one(prefix + "query", layer.query.shape[0]);
    layer.dim = at_least_one(prefix + "query", layer.query.shape[2]);
    layer.key = numbers(prefix + "key", {-1, columns, layer.dim});
    const std::int64_t kv_heads = layer.key.shape[0];
    if (file_->find(prefix + "value"))
      layer.value = numbers(prefix + "value", {kv_heads, columns, -1});
    if (layer.value.data != nullptr)
      layer.value_dim = at_least_one(prefix + "value", layer.value.shape[2]);
    layer.lse = aligned(prefix + "lse", DType::kF64, {heads, rows});
    layer.head_ids = small_integers(prefix + "heads", heads, 1'000'000, true);
    layer.kv_of = small_integers(prefix + "kv_of", heads, kv_heads, false);
    const std::string score = fmt::format("regard.score.{}", index);
    layer.score = score_spec_from_json(text_of_metadata(score), file_->path(), score);
    if (file_->find(prefix + "overview_sum") || file_->find(prefix + "overview_max")) {
      layer.block_edge = overview_edge_of(text_of_metadata("regard.block_edge"));
      const Shape blocks = {heads, (rows + layer.block_edge - 1) / layer.block_edge,
                            (columns + layer.block_edge - 1) / layer.block_edge};
      layer.overview_sum = aligned(prefix + "overview_sum", DType::kF32, blocks);
      layer.overview_max = aligned(prefix + "overview_max", DType::kF32, blocks);
    }
    read_terms(prefix, heads, &layer);
    return layer;
  }

  // What the score takes besides queries and keys.
  void read_terms(const std::string& prefix, std::int64_t heads, LayerTrace* layer) const {
    layer->alibi_slopes = optional(prefix + "alibi_slopes", DType::kF32, {heads});
    if (layer->score.alibi != Alibi::kNone && layer->alibi_slopes.data == nullptr)
      fail(prefix + "alibi_slopes", fmt::format("F32 [{}], which the score needs", heads), "none");
    layer->sinks = optional(prefix + "sinks", DType::kF32, {heads});
    layer->bias = optional(prefix + "bias", DType::kF32, {heads, -1});
    if (layer->bias.data != nullptr && layer->bias.shape[1] % 2 == 0)
      fail(prefix + "bias", "an odd number of distances", to_string(layer->bias.shape));
    layer->blocks = optional(prefix + "blocks", DType::kU8,
                             {(layer->queries + kQueryBlock - 1) / kQueryBlock,
                              (layer->keys + kQueryBlock - 1) / kQueryBlock});
    layer->query_relative =
        optional(prefix + "query_relative", DType::kF32, {heads, layer->queries, -1});
    layer->key_relative = optional(prefix + "key_relative", DType::kF32, {heads, layer->keys, -1});
    layer->relative_slot = optional(prefix + "relative_slot", DType::kI32, {-1});
    const TensorView& one =
        layer->query_relative.data != nullptr ? layer->query_relative : layer->key_relative;
    if ((one.data != nullptr) != (layer->relative_slot.data != nullptr))
      fail(prefix + "relative_slot", "it together with query_relative or key_relative",
           "one alone");
    if (one.data == nullptr) return;
    if (layer->key_relative.data != nullptr && layer->key_relative.shape[2] != one.shape[2])
      fail(prefix + "key_relative", fmt::format("{} slots", one.shape[2]),
           to_string(layer->key_relative.shape));
    if (layer->relative_slot.shape[0] % 2 == 0)
      fail(prefix + "relative_slot", "an odd number of distances",
           to_string(layer->relative_slot.shape));
    const auto* slots = reinterpret_cast<const std::int32_t*>(layer->relative_slot.data);
    for (std::int64_t i = 0; i < layer->relative_slot.shape[0]; ++i)
      if (slots[i] < 0 || slots[i] >= one.shape[2])
        fail(fmt::format("{}relative_slot[{}]", prefix, i),
             fmt::format("0 to {}", one.shape[2] - 1), std::to_string(slots[i]));
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
  std::vector<std::shared_ptr<const void>> expanded_;
};

}  // namespace

Trace read_trace(const std::string& path) { return read_trace(MappedFile::open(path)); }

Trace read_trace(MappedFile file) {
  return Reader(std::make_shared<const SafetensorsFile>(SafetensorsFile::read(std::move(file))))
      .read();
}

}  // namespace regard
