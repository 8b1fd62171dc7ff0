// SPDX-License-Identifier: Apache-2.0
// What the page asks of a trace in numbers and pictures: tiles, a token worked through, exports.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/server/api.h"
#include "regard/analysis/explain.h"
#include "regard/analysis/long_text.h"
#include "regard/platform/error.h"
#include "regard/render/data.h"
#include "regard/render/links_picture.h"
#include "regard/render/measures.h"
#include "regard/render/picture.h"
#include "regard/render/writer.h"

namespace regard::server {
namespace {

constexpr std::int64_t kMostCells = std::int64_t{1} << 22;     // of one tile
constexpr std::int64_t kQuick = std::int64_t{1} << 21;         // weights recomputed at once
constexpr std::int64_t kMostExported = std::int64_t{1} << 26;  // weights of one file
constexpr std::size_t kMostSteps = 4096;                       // keys of one explanation

std::string head_json(const Trace& trace, HeadId head) {
  return fmt::format(R"({{"kind":"{}","layer":{},"head":{}}})", name_of(trace.kind), head.layer,
                     head.head);
}

std::string explanation_json(const Trace& trace, const Explanation& explanation) {
  std::string json;
  const Sink sink = [&](std::string_view bytes) { json += bytes; };
  Writer out(sink);
  const auto floats = [&](std::string_view key, const std::vector<float>& values) {
    out.text(key);
    out.numbers(values.data(), values.size());
  };
  out.text(fmt::format(R"({{"head":{},"queryIndex":{},"score":{},"lse":)",
                       head_json(trace, explanation.head), explanation.query_index,
                       to_json(explanation.score)));
  out.number(explanation.lse);
  floats(",\"query\":", explanation.query);
  out.text(",\"steps\":");
  out.list(explanation.steps, [&](const Explanation::Step& step) {
    out.text(fmt::format("{{\"token\":{}", step.token));
    floats(",\"key\":", step.key);
    out.text(",\"dot\":");
    out.number(step.dot);
    out.text(",\"logit\":");
    out.number(step.scaled);
    out.text(fmt::format(",\"masked\":{},\"weight\":", step.masked));
    out.number(step.weight);
    floats(",\"value\":", step.value);
    out.text("}");
  });
  floats(",\"output\":", explanation.output);
  out.text("}");
  out.flush();
  return json;
}

struct ExportFormat {
  std::string_view name, type;
};
constexpr ExportFormat kFormats[] = {
    {"png", "image/png"},         {"svg", "image/svg+xml"},
    {"pdf", "application/pdf"},   {"csv", "text/csv; charset=utf-8"},
    {"json", "application/json"}, {"npy", "application/octet-stream"}};

// Weights that are written one by one are counted first.
void check_exported(std::size_t units, std::size_t heads) {
  const double weights =
      static_cast<double>(units) * static_cast<double>(units) * static_cast<double>(heads);
  if (weights > static_cast<double>(kMostExported))
    throw Failure{413,
                  fmt::format("export: expected at most {} weights, found {:.0f}; `regard show` "
                              "writes as many as you like",
                              kMostExported, weights)};
}

// The lock, once it is free; Error kCancelled before.
std::unique_lock<std::timed_mutex> wait_for(std::timed_mutex& mutex, const CancelToken* cancel) {
  std::unique_lock lock(mutex, std::defer_lock);
  while (!lock.try_lock_for(std::chrono::milliseconds(50))) cancel->check();
  return lock;
}

}  // namespace

void Api::tile(const Trace& trace, const Request& request, Exchange& exchange) {
  const Parameters given(request.query,
                         {"kind", "head", "rows", "cols", "size", "cell", "pool", "exact"});
  const AttentionMap map = trace.map(given.head(trace));
  Region region{};
  given.range("rows", map.rows(), &region.row_begin, &region.row_end);
  given.range("cols", map.columns(), &region.column_begin, &region.column_end);
  const TileSize size = given.tile_size(map);
  const Pool pool = pool_named(given.text("pool", "mean"));
  const auto [rows, columns] = AttentionMap::shape(region, size);
  if (rows > kMostCells / columns)
    throw Failure{413, fmt::format("tile: expected at most {} cells, found {} x {}", kMostCells,
                                   rows, columns)};
  const bool large = map.recomputed(region, size) > kQuick;
  const bool exact = given.flag("exact", true) || !large || !map.overview();
  AttentionMap::Tile cells;
  if (!exact) {
    cells = map.estimate(region, size, pool);
  } else if (large) {
    // One at a time, so that small ones are not kept waiting.
    const std::unique_lock lock = wait_for(large_, exchange.cancel());
    cells = map.tile(region, size, pool, exchange.cancel());
  } else {
    cells = map.tile(region, size, pool, exchange.cancel());
  }
  exchange.send(
      200,
      {{"Content-Type", "application/octet-stream"},
       {"X-Regard-Shape", fmt::format("{},{}", cells.rows, cells.columns)},
       {"X-Regard-Exact", exact ? "true" : "false"}},
      {reinterpret_cast<const char*>(cells.cells.data()), cells.cells.size() * sizeof(float)});
}

void Api::explain_token(const Trace& trace, const Request& request, Exchange& exchange) {
  const Parameters given(request.query, {"kind", "head", "token"});
  const HeadId head = given.head(trace);
  const std::int64_t token = given.whole("token", 0, trace.map(head).rows() - 1);
  exchange.send(200, {{"Content-Type", "application/json"}},
                explanation_json(trace, explain(trace, head, token, kMostSteps)));
}

void Api::write_export(StoredTrace& stored, const Request& request, Exchange& exchange) {
  const Trace& trace = stored.trace();
  const Parameters given(request.query, {"kind", "head", "view", "format", "level", "scale", "word",
                                         "top", "specials", "sinks", "part", "keepMass", "dark"});
  const std::vector<HeadId> chosen = given.heads(trace);
  const std::string shown = given.text("view", "heatmap");
  if (shown != "heatmap" && shown != "row" && shown != "heads" && shown != "links")
    throw Failure{400, fmt::format("view: expected heatmap, row, heads or links, found {}", shown)};
  const std::string name = given.text("format", "png");
  const auto* format = std::find_if(std::begin(kFormats), std::end(kFormats),
                                    [&](const ExportFormat& one) { return one.name == name; });
  if (format == std::end(kFormats))
    throw Failure{400,
                  fmt::format("format: expected png, svg, pdf, csv, json or npy, found {}", name)};
  const Headers headers = {
      {"Content-Type", std::string(format->type)},
      {"Content-Disposition", fmt::format("attachment; filename=\"regard-{}-{}.{}\"", shown,
                                          to_string(chosen.front()), name)}};
  const Sink piece = [&](std::string_view bytes) {
    exchange.cancel()->check();
    exchange.piece(bytes);
  };
  const bool all = shown == "heads";

  if (all && (name == "csv" || name == "json")) {
    const std::vector<HeadMeasures>& measures = stored.measures(exchange.cancel());
    exchange.begin(200, headers);
    return name == "csv" ? write_csv(trace, measures, piece) : write_json(trace, measures, piece);
  }
  if (name == "npy") {
    const std::vector<HeadId> heads = all ? trace.heads() : chosen;
    check_exported(trace.tokens.size(), heads.size());
    exchange.begin(200, headers);
    return write_npy(trace, heads, piece);
  }

  ViewRequest wanted;
  wanted.level = level_named(given.text("level", "word"));
  wanted.specials = given.flag("specials", true);
  wanted.sinks = given.flag("sinks", true);
  wanted.part = part_named(given.text("part", "all"));
  if (given.has("keepMass") && given.share("keepMass", 1) < 1)
    wanted.keep_mass = given.share("keepMass", 1);
  const std::int64_t units = static_cast<std::int64_t>(units_of(trace, wanted.level).size());
  if (given.has("word")) wanted.word = fmt::format("@{}", given.whole("word", 0, units - 1));
  if (shown == "row" && !wanted.word)
    throw Failure{400, "word: expected the index of a unit for the view row, found none"};
  if (all)
    wanted.all_heads = true;
  else
    wanted.heads = chosen;
  const bool links = shown == "links";
  wanted.mean = !all && !links && chosen.size() > 1;
  wanted.stream = name == "csv" || name == "json";
  PictureStyle style;
  style.scale = scale_named(given.text("scale", "linear"));
  style.top = top_named(given.text("top", "map"));
  style.dark = given.flag("dark", false);
  if (wanted.stream) check_exported(static_cast<std::size_t>(units), 1);
  const View view = session_.view(trace, wanted, exchange.cancel());
  if (name == "csv" || name == "json") {
    exchange.begin(200, headers);
    return name == "csv" ? write_csv(view, piece) : write_json(view, piece);
  }
  if (all) style.kind = PictureKind::kAllHeads;
  if (shown == "row") {
    if (!view.row) throw Failure{400, "word: expected a unit that is shown, found a special token"};
    style.kind = PictureKind::kRow;
    style.row = *view.row;
  }
  const PictureFormat picture = name == "png"   ? PictureFormat::kPng
                                : name == "svg" ? PictureFormat::kSvg
                                                : PictureFormat::kPdf;
  exchange.send(200, headers,
                links ? draw_links(view, picture, style) : draw(view, picture, style));
}

}  // namespace regard::server
