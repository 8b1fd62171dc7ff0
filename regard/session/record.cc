// SPDX-License-Identifier: Apache-2.0
// Recording into a file layer by layer.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "regard/attention/forward.h"
#include "regard/model/half_observer.h"
#include "regard/model/observer.h"
#include "regard/platform/error.h"
#include "regard/session/prepared.h"
#include "regard/trace/trace_writer.h"

namespace regard {
namespace {

// Heads and key heads that are recorded, over all layers.
struct Recorded {
  std::int64_t layers = 0, heads = 0, kv_heads = 0;
};

Recorded recorded(const RunRequest& request, const std::vector<int>& layers,
                  const StackSpec& spec) {
  const std::int64_t kv_heads = spec.kv_heads;
  const auto count = static_cast<std::int64_t>(layers.empty() ? spec.layers : layers.size());
  if (request.heads.empty()) return {count, count * spec.heads, count * kv_heads};
  std::set<HeadId> heads, kv;
  for (const HeadId id : request.heads) {
    if (id.head < 0 || id.head >= spec.heads)
      throw Error(fmt::format("{}: the model has heads 0 to {}", to_string(id), spec.heads - 1),
                  Error::Kind::kUsage);
    heads.insert(id);
    kv.insert({id.layer, static_cast<int>(id.head / (spec.heads / kv_heads))});
  }
  return {count, static_cast<std::int64_t>(heads.size()), static_cast<std::int64_t>(kv.size())};
}

// Bytes of the arrays that every layer has; a bias table or the like is small beside them.
std::uint64_t layers_size(const Recorded& what, std::int64_t queries, std::int64_t keys,
                          std::int64_t dim, bool half) {
  const std::int64_t edge = overview_edge(std::max(queries, keys));
  const std::int64_t blocks = ((queries + edge - 1) / edge) * ((keys + edge - 1) / edge);
  const std::int64_t number = half ? 2 : 4;
  const std::int64_t head = queries * dim * number + queries * 8 + 2 * blocks * 4;
  return static_cast<std::uint64_t>(what.heads * head + what.kv_heads * 2 * keys * dim * number);
}

}  // namespace

std::uint64_t Session::record(const RunRequest& request, const std::string& path,
                              const std::function<void(const RecordPlan&)>& announce,
                              const Progress& progress, const CancelToken* cancel) {
  // A pipe or device takes bytes in their order only, so everything is held first.
  std::error_code code;
  const std::filesystem::file_status status = std::filesystem::status(path, code);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
      !std::filesystem::is_directory(status)) {
    const Trace trace = run(request, progress, cancel);
    announce({static_cast<std::int64_t>(trace.tokens.size()),
              static_cast<std::int64_t>(trace.columns().tokens.size()),
              static_cast<std::int64_t>(trace.heads().size()),
              static_cast<std::int64_t>(trace.layers.size()), trace_file_size(trace), trace.notes});
    write_trace(trace, path);
    return trace_file_size(trace);
  }

  const Prepared prepared = prepare(request, progress, cancel);
  const StackSpec& spec = prepared.stack();
  const Recorded what = recorded(request, prepared.layers, spec);
  const auto tokens = static_cast<std::int64_t>(prepared.trace.tokens.size());
  const auto keys = static_cast<std::int64_t>(prepared.trace.columns().tokens.size());
  RecordPlan plan{tokens,
                  keys,
                  what.heads,
                  what.layers,
                  trace_file_size(prepared.trace) +
                      layers_size(what, tokens, keys, spec.head_dim, request.half),
                  prepared.trace.notes};
  TraceWriter writer(path, prepared.trace, static_cast<std::size_t>(what.layers), plan.bytes);
  announce(plan);
  StreamRecorder recorder(&writer, prepared.layers, request.heads);
  HalfObserver half(&recorder);
  Observer* const observer = request.half ? static_cast<Observer*>(&half) : &recorder;
  prepared.model->forward(prepared.input, observer, progress, cancel);
  writer.commit();
  return writer.bytes();
}

}  // namespace regard
