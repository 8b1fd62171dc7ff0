// SPDX-License-Identifier: Apache-2.0
// What the page is told of a trace, and the page that holds its runs: docs/api.md.
#include "regard/session/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/render/picture.h"

namespace regard {
namespace {

constexpr std::size_t kLinks = 24;

// "[", visit of each element with commas between, "]".
template <typename Range, typename Visit>
std::string list_of(const Range& range, const Visit& visit) {
  std::string out = "[";
  for (const auto& element : range) {
    if (out.size() > 1) out += ',';
    out += visit(element);
  }
  return out + ']';
}

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : std::string("null");
}

std::string head_json(AttentionKind kind, HeadId head) {
  return fmt::format(R"({{"kind":"{}","layer":{},"head":{}}})", name_of(kind), head.layer,
                     head.head);
}

std::string token_json(const Token& token) {
  return fmt::format(R"({{"id":{},"text":{},"start":{},"end":{},"sequence":{},"special":{}}})",
                     token.id, json_quoted(token.text), token.span.start, token.span.end,
                     token.sequence, token.special);
}

std::string unit_json(const Unit& unit) {
  return fmt::format(
      R"({{"text":{},"start":{},"end":{},"sequence":{},"special":{},"wordlike":{},"tokens":{}}})",
      json_quoted(unit.text), unit.span.start, unit.span.end, unit.sequence, unit.special,
      unit.wordlike,
      list_of(unit.tokens, [](std::int64_t token) { return fmt::format("{}", token); }));
}

bool ready_made(const LayerTrace& layer) { return layer.weights.data != nullptr; }

// labels: of ready-made weights, one a token; there are no words.
void write_side(const TokenSide& side, std::string_view name, bool labels, const Sink& sink) {
  sink(fmt::format(R"({{"name":"{}","text":{},"pair":{},"tokens":)", name, json_quoted(side.text),
                   side.pair ? json_quoted(*side.pair) : "null"));
  sink(list_of(side.tokens, token_json));
  sink(",\"words\":");
  sink(list_of(units_of(side, labels ? Level::kToken : Level::kWord), unit_json));
  sink(",\"sentences\":");
  sink(list_of(units_of(side, labels ? Level::kToken : Level::kSentence), unit_json));
  sink(fmt::format(",\"generated\":{}}}",
                   static_cast<std::int64_t>(side.tokens.size()) - side.generated));
}

void write_sides(const Trace& trace, const Sink& sink) {
  const bool labels = !trace.layers.empty() && ready_made(trace.layers.begin()->second);
  const bool decoder = trace.kind == AttentionKind::kDecoder || trace.kind == AttentionKind::kCross;
  write_side(trace,
             decoder                                 ? "decoder"
             : trace.kind == AttentionKind::kEncoder ? "encoder"
                                                     : "text",
             labels, sink);
  if (!trace.keys_side) return;
  sink(",");
  write_side(*trace.keys_side, "encoder", labels, sink);
}

// key_side: index of the columns' side.
std::string layer_json(AttentionKind kind, int key_side, const LayerTrace& layer) {
  return fmt::format(
      R"({{"kind":"{}","layer":{},"heads":{},"query":0,"key":{},"dim":{},"valueDim":{},"score":{}}})",
      name_of(kind), layer.layer,
      list_of(layer.head_ids, [](int head) { return fmt::format("{}", head); }), key_side,
      layer.dim, layer.value.data != nullptr ? layer.value_dim : 0,
      ready_made(layer) ? "null" : to_json(layer.score));
}

std::string link_json(AttentionKind kind, const Link& link) {
  return fmt::format(R"({{"query":{},"key":{},"weight":{},"head":{}}})", link.query, link.key,
                     number(static_cast<double>(link.weight)), head_json(kind, link.head));
}

std::string measures_json(AttentionKind kind, const HeadMeasures& one) {
  return fmt::format(
      R"({{"head":{},"entropy":{},"distance":{},"previous":{},"next":{},"same":{},"first":{},"special":{},"link":{}}})",
      head_json(kind, one.head), number(one.entropy), number(one.distance), number(one.previous),
      number(one.next), number(one.same), number(one.first), number(one.special),
      one.link ? fmt::format(R"({{"query":{},"key":{},"weight":{}}})", one.link->query,
                             one.link->key, number(static_cast<double>(one.link->weight)))
               : std::string("null"));
}

// RFC 4648, section 4, of bytes that come in pieces.
class Base64 {
 public:
  explicit Base64(const Sink& sink) : sink_(sink) {}
  void write(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() / 3 * 4 + 8);
    for (const char c : bytes) {
      held_ = held_ << 8 | static_cast<unsigned char>(c);
      if (++count_ == 3) put(4, &out);
    }
    sink_(out);
  }
  void finish() {
    if (count_ == 0) return;
    std::string out;
    const int digits = count_ + 1;
    held_ <<= 8 * (3 - count_);
    put(digits, &out);
    out.append(static_cast<std::size_t>(4 - digits), '=');
    sink_(out);
  }

 private:
  void put(int digits, std::string* out) {
    static constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < digits; ++i) *out += kDigits[held_ >> (18 - 6 * i) & 63];
    held_ = 0;
    count_ = 0;
  }

  const Sink& sink_;
  std::uint32_t held_ = 0;
  int count_ = 0;
};

// JSON in a script element: no tag can begin in it. JSON's escapes mean the same to its reader.
std::string for_script(std::string_view json) {
  std::string out;
  for (const char c : json) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

// Cuts `whole` at `mark`; what comes before goes to the sink, what comes after is returned.
std::string_view put_until(std::string_view whole, std::string_view mark, const Sink& sink) {
  const std::size_t at = whole.find(mark);
  if (at == std::string_view::npos)
    throw Error(fmt::format("page: expected {} in index.html, found none", mark));
  sink(whole.substr(0, at));
  return whole.substr(at + mark.size());
}

void put_run(const Session& session, const PageRun& run, const std::string& id, const Sink& sink) {
  const Trace& trace = *run.trace;
  sink(fmt::format("<script type=\"application/json\" data-trace=\"data-{}\">", id));
  const auto safe = [&](std::string_view json) { sink(for_script(json)); };
  sink(fmt::format("{{\"untrained\":{},", run.untrained));
  if (run.checkpoint) sink("\"checkpoint\":" + to_json(*run.checkpoint) + ",");
  sink("\"info\":");
  write_trace_info(session, trace, id, safe);
  sink(",\"measures\":");
  write_measures(trace.kind, measure_heads(trace, trace.heads()), safe);
  sink(fmt::format("}}</script>\n<script type=\"application/octet-stream\" id=\"data-{}\">", id));
  Base64 base64(sink);
  write_trace(trace, [&](std::string_view bytes) { base64.write(bytes); });
  base64.finish();
  sink("</script>\n");
}

// What a reader without scripts sees: the picture and its table.
void put_still(const Session& session, const Trace& trace, bool lesson, const Sink& sink) {
  if (lesson) sink(page_files().lesson);
  ViewRequest request;
  request.links = 0;
  const View view = session.view(trace, request);
  PictureStyle style;
  style.source_date = 0;
  // A larger map is an image: a rectangle for every cell would be more than the trace.
  constexpr std::size_t kMostRows = 64;
  const std::vector<Unit>& columns = view.columns().units;
  const bool large = std::max(view.units.size(), columns.size()) > kMostRows;
  sink("<figure>");
  if (large) {
    sink("<img alt=\"The attention map of this run\" src=\"data:image/png;base64,");
    Base64 base64(sink);
    base64.write(draw(view, PictureFormat::kPng, style));
    base64.finish();
    sink("\" />");
  } else {
    std::string svg = draw(view, PictureFormat::kSvg, style);
    if (const std::size_t at = svg.find("<svg"); at != std::string::npos) svg.erase(0, at);
    sink(svg);
  }
  sink("</figure>\n");
  if (large) return;
  const HeadMap& map = view.heads.front();
  sink("<table><tr><th></th>");
  for (const Unit& unit : columns) sink("<th>" + escaped(unit.text) + "</th>");
  sink("</tr>\n");
  for (std::size_t i = 0; i < view.units.size(); ++i) {
    sink("<tr><th>" + escaped(view.units[i].text) + "</th>");
    for (std::size_t j = 0; j < columns.size(); ++j)
      sink(fmt::format("<td>{:.3f}</td>", map.weights[i * columns.size() + j]));
    sink("</tr>\n");
  }
  sink("</table>\n");
}

}  // namespace

void write_trace_info(const Session& session, const Trace& trace, std::string_view id,
                      const Sink& sink) {
  ViewRequest request;
  request.links = kLinks;
  request.stream = true;
  request.one_head = true;
  const View view = session.view(trace, request);
  const HeadMap& chosen = view.heads.front();
  std::string mean;
  if (trace.preferred.size() > 1 && std::all_of(trace.preferred.begin(), trace.preferred.end(),
                                                [&](HeadId one) { return trace.has(one); }))
    mean = ",\"mean\":" +
           list_of(trace.preferred, [&](HeadId one) { return head_json(trace.kind, one); });
  sink(fmt::format(R"({{"format":{},"id":{},"model":{},"sides":[)", kPageFormat, json_quoted(id),
                   json_quoted(trace.model)));
  write_sides(trace, sink);
  sink("],\"layers\":");
  sink(list_of(trace.layers, [&](const auto& entry) {
    return layer_json(trace.kind, trace.keys_side ? 1 : 0, entry.second);
  }));
  sink(fmt::format(
      R"(,"blockEdge":{},"choice":{{"head":{}{},"why":{}}},"links":{},"notes":{}}})",
      trace.layers.begin()->second.block_edge, head_json(trace.kind, chosen.id.value()), mean,
      json_quoted(chosen.why),
      list_of(view.links, [&](const Link& link) { return link_json(trace.kind, link); }),
      list_of(view.notes, [](const std::string& note) { return json_quoted(note); })));
}

void write_measures(AttentionKind kind, const std::vector<HeadMeasures>& measures,
                    const Sink& sink) {
  sink(list_of(measures, [&](const HeadMeasures& one) { return measures_json(kind, one); }));
}

std::vector<RunRequest> lesson_runs(const std::string& model, const std::string& text) {
  std::vector<RunRequest> runs;
  const auto add = [&](const std::string& words, bool untrained) {
    RunRequest run;
    run.model = model;
    run.text = words;
    run.untrained = untrained;
    runs.push_back(std::move(run));
  };
  if (!text.empty()) {
    add(text, false);
    add(text, true);
  }
  const auto document = JsonDocument::parse(page_files().runs, "lesson_runs.json");
  document.root().for_each_element([&](std::size_t, Json run) {
    const std::string words(run.at("text").string());
    if (words != text) add(words, run.at("untrained").boolean());
  });
  return runs;
}

void write_page(const Session& session, const std::vector<PageRun>& runs,
                const PageOptions& options, const Sink& sink) {
  const PageFiles& files = page_files();
  constexpr std::string_view kPolicy =
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src "
      "'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; form-action 'none'; "
      "base-uri 'none'\" />";
  std::string_view rest =
      put_until(files.html, "<link rel=\"stylesheet\" href=\"page.css\" />", sink);
  sink(kPolicy);
  if (options.lesson) sink("<meta name=\"regard-start\" content=\"lesson\" />");
  sink("<style>");
  sink(files.style);
  sink("</style>");
  rest = put_until(rest, "<!-- still -->", sink);
  put_still(session, *runs.front().trace, options.lesson, sink);
  rest = put_until(rest, "<script type=\"module\" src=\"page.js\"></script>", sink);
  for (std::size_t i = 0; i < runs.size(); ++i)
    put_run(session, runs[i], fmt::format("{}", i + 1), sink);
  sink("<script type=\"module\">");
  sink(files.script);
  sink("</script>");
  sink(rest);
}

}  // namespace regard
