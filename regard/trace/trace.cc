// SPDX-License-Identifier: Apache-2.0
// Finding a head's record inside a trace.
#include "regard/trace/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "regard/platform/error.h"
#include "regard/trace/layer_arrays.h"

namespace regard {

std::string to_string(HeadId id) { return fmt::format("L{}H{}", id.layer, id.head); }

std::optional<HeadId> head_named(std::string_view text) {
  if (text.empty() || text[0] != 'L') return std::nullopt;
  HeadId id;
  const char* end = text.data() + text.size();
  auto [at, layer_error] = std::from_chars(text.data() + 1, end, id.layer);
  if (layer_error != std::errc{} || at == end || *at != 'H' || id.layer < 0) return std::nullopt;
  auto [stop, head_error] = std::from_chars(at + 1, end, id.head);
  if (head_error != std::errc{} || stop != end || id.head < 0) return std::nullopt;
  return id;
}

namespace {

constexpr std::pair<AttentionKind, std::string_view> kKinds[] = {
    {AttentionKind::kSelf, "self"},
    {AttentionKind::kEncoder, "encoder"},
    {AttentionKind::kDecoder, "decoder"},
    {AttentionKind::kCross, "cross"}};

}  // namespace

std::string_view name_of(AttentionKind kind) {
  return std::find_if(std::begin(kKinds), std::end(kKinds),
                      [&](const auto& entry) { return entry.first == kind; })
      ->second;
}

std::optional<AttentionKind> kind_named(std::string_view text) {
  for (const auto& [kind, name] : kKinds)
    if (name == text) return kind;
  return std::nullopt;
}

int trace_format(AttentionKind kind) { return kind == AttentionKind::kCross ? 2 : 1; }

std::vector<HeadId> Trace::heads() const {
  std::vector<HeadId> all;
  for (const auto& [layer, record] : layers)
    for (int head : record.head_ids) all.push_back({layer, head});
  return all;
}

bool Trace::has(HeadId id) const {
  const auto found = layers.find(id.layer);
  return found != layers.end() &&
         std::binary_search(found->second.head_ids.begin(), found->second.head_ids.end(), id.head);
}

const LayerTrace& Trace::layer_of(HeadId id, std::size_t* index) const {
  const auto found = layers.find(id.layer);
  if (found == layers.end()) {
    std::string known;
    for (const auto& [layer, record] : layers)
      known += fmt::format("{}{}", known.empty() ? "" : ", ", layer);
    throw Error(fmt::format("{}: expected one of the recorded layers ({}), found {}", to_string(id),
                            known, id.layer),
                Error::Kind::kUsage);
  }
  const std::vector<int>& ids = found->second.head_ids;
  const auto at = std::lower_bound(ids.begin(), ids.end(), id.head);
  if (at == ids.end() || *at != id.head)
    throw Error(fmt::format("{}: expected one of the recorded heads of layer {} ({}), found {}",
                            to_string(id), id.layer, fmt::join(ids, ", "), id.head),
                Error::Kind::kUsage);
  *index = static_cast<std::size_t>(at - ids.begin());
  return found->second;
}

AttentionMap Trace::map(HeadId id) const {
  std::size_t i = 0;
  const LayerTrace& layer = layer_of(id, &i);
  if (layer.weights.data != nullptr)
    return AttentionMap(layer.weights.f32().data() + i * layer.queries * layer.keys, layer.queries,
                        layer.keys);
  return AttentionMap(head(id), overview(id),
                      file.empty() ? to_string(id) : fmt::format("{}: {}", file, to_string(id)));
}

OverviewView Trace::overview(HeadId id) const {
  std::size_t i = 0;
  const LayerTrace& layer = layer_of(id, &i);
  OverviewView view;
  if (layer.overview_sum.data == nullptr) return view;
  view.edge = layer.block_edge;
  view.queries = layer.queries;
  view.keys = layer.keys;
  const std::int64_t blocks =
      static_cast<std::int64_t>(i) * view.row_blocks() * view.column_blocks();
  view.sum = layer.overview_sum.f32().data() + blocks;
  view.max = layer.overview_max.f32().data() + blocks;
  return view;
}

namespace {

const float* floats(const TensorView& view) {
  return view.data == nullptr ? nullptr : view.f32().data();
}

// The arrays of a layer's score, all heads.
ScoreTerms terms_of(const LayerTrace& layer) {
  ScoreTerms terms;
  terms.slopes = floats(layer.alibi_slopes);
  terms.sinks = floats(layer.sinks);
  terms.bias = floats(layer.bias);
  if (terms.bias != nullptr) terms.bias_reach = (layer.bias.shape[1] - 1) / 2;
  terms.query_relative = floats(layer.query_relative);
  terms.key_relative = floats(layer.key_relative);
  if (layer.relative_slot.data != nullptr) {
    terms.slot = reinterpret_cast<const std::int32_t*>(layer.relative_slot.data);
    terms.slot_reach = (layer.relative_slot.shape[0] - 1) / 2;
    terms.slots =
        (terms.query_relative != nullptr ? layer.query_relative : layer.key_relative).shape[2];
  }
  terms.blocks = reinterpret_cast<const std::uint8_t*>(layer.blocks.data);
  return terms;
}

}  // namespace

HeadView Trace::head(HeadId id) const {
  std::size_t i = 0;
  const LayerTrace& layer = layer_of(id, &i);
  if (layer.query.data == nullptr)
    throw Error(
        fmt::format("{}: this trace holds given weights, no queries and keys", to_string(id)));
  HeadView view;
  view.query = layer.query.f32().data() + i * layer.queries * layer.dim;
  view.key =
      layer.key.f32().data() + static_cast<std::size_t>(layer.kv_of[i]) * layer.keys * layer.dim;
  view.lse = reinterpret_cast<const double*>(layer.lse.data) + i * layer.queries;
  const std::vector<std::uint8_t>& valid = columns().key_valid;
  view.key_valid = valid.empty() ? nullptr : valid.data();
  view.queries = layer.queries;
  view.keys = layer.keys;
  view.dim = layer.dim;
  view.score = layer.score;
  view.terms = terms_of(layer).of_head(static_cast<std::int64_t>(i), layer.queries, layer.keys);
  const std::lock_guard lock(checked_->mutex);
  if (!checked_->heads.insert(id).second) return view;
  for (std::int64_t q = 0; q < view.queries; ++q)
    if (!(view.lse[q] < std::numeric_limits<double>::infinity())) {
      checked_->heads.erase(id);
      throw Error::at(file, fmt::format("layers.{}.lse: head {}, query {}", id.layer, id.head, q),
                      "a finite log-sum-exp, or -inf", fmt::format("{}", view.lse[q]));
    }
  return view;
}

const float* Trace::values(HeadId id) const {
  std::size_t i = 0;
  const LayerTrace& layer = layer_of(id, &i);
  if (layer.value.data == nullptr) return nullptr;
  return layer.value.f32().data() +
         static_cast<std::size_t>(layer.kv_of[i]) * layer.keys * layer.value_dim;
}

namespace {

// Rows `chosen` of the first axis of a view, copied when they are not all of it.
TensorView select(const TensorView& view, const std::vector<std::size_t>& chosen,
                  std::vector<std::shared_ptr<const void>>* owners) {
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
  owners->push_back(std::move(copy));
  return {view.dtype, std::move(shape), out};
}

}  // namespace

LayerTrace with_heads(const LayerTrace& layer, const std::vector<int>& heads,
                      std::vector<std::shared_ptr<const void>>* owners) {
  LayerTrace out = layer;
  out.head_ids = heads;
  out.kv_of.clear();
  std::vector<std::size_t> rows, key_rows;
  for (const int head : heads) {
    const auto at = std::lower_bound(layer.head_ids.begin(), layer.head_ids.end(), head);
    if (at == layer.head_ids.end() || *at != head)
      throw Error(fmt::format("{}: expected one of the heads {} of layer {}",
                              to_string(HeadId{layer.layer, head}), fmt::join(layer.head_ids, ", "),
                              layer.layer),
                  Error::Kind::kUsage);
    rows.push_back(static_cast<std::size_t>(at - layer.head_ids.begin()));
    if (layer.kv_of.empty()) continue;
    const auto key_row = static_cast<std::size_t>(layer.kv_of[rows.back()]);
    const auto known = std::find(key_rows.begin(), key_rows.end(), key_row);
    out.kv_of.push_back(static_cast<int>(known - key_rows.begin()));
    if (known == key_rows.end()) key_rows.push_back(key_row);
  }
  for (const LayerArray& array : kLayerArrays)
    if (array.axis != FirstAxis::kOther)
      out.*array.view =
          select(layer.*array.view, array.axis == FirstAxis::kKeyHead ? key_rows : rows, owners);
  return out;
}

void keep_heads(Trace* trace, const std::vector<HeadId>& heads) {
  for (const HeadId id : heads)
    if (!trace->has(id)) static_cast<void>(trace->map(id));  // throws: says what is there
  for (auto it = trace->layers.begin(); it != trace->layers.end();) {
    std::vector<int> ids;
    for (const int head : it->second.head_ids)
      if (std::find(heads.begin(), heads.end(), HeadId{it->first, head}) != heads.end())
        ids.push_back(head);
    if (ids.empty()) {
      it = trace->layers.erase(it);
      continue;
    }
    std::vector<std::shared_ptr<const void>> owners;
    it->second = with_heads(it->second, ids, &owners);
    for (auto& owner : owners) trace->keep(std::move(owner));
    ++it;
  }
}

}  // namespace regard
