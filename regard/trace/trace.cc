// SPDX-License-Identifier: Apache-2.0
// Finding a head's record inside a trace.
#include "regard/trace/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "regard/platform/error.h"

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
  return AttentionMap(head(id));
}

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
  view.key_valid = key_valid.empty() ? nullptr : key_valid.data();
  view.queries = layer.queries;
  view.keys = layer.keys;
  view.dim = layer.dim;
  view.score = layer.score;
  return view;
}

const float* Trace::values(HeadId id) const {
  std::size_t i = 0;
  const LayerTrace& layer = layer_of(id, &i);
  if (layer.value.data == nullptr) return nullptr;
  return layer.value.f32().data() +
         static_cast<std::size_t>(layer.kv_of[i]) * layer.keys * layer.value_dim;
}

}  // namespace regard
