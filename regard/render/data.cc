// SPDX-License-Identifier: Apache-2.0
// Views and explanations as JSON (RFC 8259) and CSV (RFC 4180), streamed: no document is ever
// held whole. Floats are printed with the fewest digits that read back to the same float.
#include "regard/render/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "regard/platform/error.h"
#include "regard/render/labels.h"
#include "regard/render/writer.h"

namespace regard {
namespace {

void put_tokens(Writer& out, const std::vector<Token>& tokens, bool pair) {
  out.list(tokens, [&](const Token& token) {
    out.text(fmt::format("\n{{\"id\":{},\"text\":", token.id));
    out.quoted(token.text);
    out.text(fmt::format(",\"start\":{},\"end\":{}", token.span.start, token.span.end));
    if (pair) {
      out.text(token.sequence < 0 ? std::string(",\"sequence\":null")
                                  : fmt::format(",\"sequence\":{}", token.sequence));
    }
    out.text("}");
  });
}

// The rows of a map that is held, or computed some at a time.
template <typename Visit>
void for_each_row(const HeadMap& map, const Visit& visit) {
  constexpr std::int64_t kRows = 64;
  std::vector<float> rows;
  if (map.read) rows.resize(static_cast<std::size_t>(std::min(kRows, map.rows) * map.columns));
  for (std::int64_t row = 0; row < map.rows; ++row) {
    if (map.read && row % kRows == 0) map.read(row, std::min(map.rows, row + kRows), rows.data());
    visit(row, map.read ? rows.data() + row % kRows * map.columns
                        : map.weights.data() + row * map.columns);
  }
}

void put_heads(Writer& out, const std::vector<HeadMap>& heads) {
  out.list(heads, [&](const HeadMap& map) {
    if (map.id) {
      out.text(fmt::format("\n{{\"layer\":{},\"head\":{}", map.id->layer, map.id->head));
    } else {
      out.text("\n{\"layer\":null,\"head\":null,\"of\":");
      out.list(map.of, [&](HeadId id) { out.quoted(to_string(id)); });
    }
    out.text(",\"why\":");
    out.quoted(map.why);
    out.text(",\"weights\":[");
    for_each_row(map, [&](std::int64_t row, const float* weights) {
      out.text(row > 0 ? ",\n" : "\n");
      out.numbers(weights, static_cast<std::size_t>(map.columns));
    });
    out.text("]}");
  });
}

void put_side(Writer& out, const UnitSide& side, Level level) {
  out.text("\"tokens\":");
  put_tokens(out, side.tokens, side.pair.has_value());
  out.text(",\n\"words\":");
  put_units(out, side.words);
  if (level == Level::kSentence) {
    out.text(",\n\"sentences\":");
    put_units(out, side.units);
  }
}

}  // namespace

void write_json(const View& view, const Sink& sink) {
  Writer out(sink);
  put_source(out, view);
  out.text(",\n\"level\":");
  out.quoted(name_of(view.level));
  out.text(",\n");
  put_side(out, view, view.level);
  if (view.keys_side) {
    out.text(",\n\"columns\":{");
    put_text(out, view.keys_side->text, view.keys_side->pair);
    out.text(",\n");
    put_side(out, *view.keys_side, view.level);
    out.text("}");
  }
  out.text(",\n\"heads\":");
  put_heads(out, view.heads);
  out.text(",\n\"links\":");
  out.list(view.links, [&](const Link& link) {
    out.text(fmt::format("\n{{\"query\":{},\"key\":{},\"weight\":", link.query, link.key));
    out.number(link.weight);
    out.text(fmt::format(",\"head\":\"{}\"}}", to_string(link.head)));
  });
  put_notes(out, view.notes);
  out.text("}\n");
  out.flush();
}

void write_csv(const View& view, const Sink& sink, bool to_terminal) {
  if (view.heads.empty()) throw Error("CSV: the view has no map");
  const HeadMap& map = view.heads.front();
  Writer out(sink);
  const auto label = [&](const UnitSide& side, std::int64_t unit) {
    const std::string& text = side.units.at(static_cast<std::size_t>(unit)).text;
    return csv_field(to_terminal ? one_line(text) : text);
  };
  out.text("query (attends from) \\ key (attended to)");
  for (std::int64_t column = 0; column < map.columns; ++column) {
    out.text(",");
    out.text(label(view.columns(), column));
  }
  for_each_row(map, [&](std::int64_t row, const float* weights) {
    out.text("\r\n");
    out.text(label(view, row));
    for (std::int64_t column = 0; column < map.columns; ++column) {
      out.text(",");
      out.number(weights[column]);
    }
  });
  out.text("\r\n");
  out.flush();
}

void write_json(const Trace& trace, const Explanation& explanation, const Sink& sink) {
  Writer out(sink);
  const auto floats = [&](std::string_view key, const std::vector<float>& values) {
    out.text(key);
    out.numbers(values.data(), values.size());
  };
  put_source(out, trace);
  out.text(",\n\"tokens\":");
  put_tokens(out, trace.tokens, trace.pair.has_value());
  if (trace.keys_side) {
    out.text(",\n\"columns\":{");
    put_text(out, trace.keys_side->text, trace.keys_side->pair);
    out.text(",\n\"tokens\":");
    put_tokens(out, trace.keys_side->tokens, trace.keys_side->pair.has_value());
    out.text("}");
  }
  out.text(fmt::format(",\n\"layer\":{},\"head\":{},\"query_index\":{},\"dim\":{}",
                       explanation.head.layer, explanation.head.head, explanation.query_index,
                       explanation.dim));
  out.text(",\n\"score\":");
  out.text(to_json(explanation.score));
  out.text(",\n\"lse\":");
  out.number(explanation.lse);
  floats(",\n\"query\":", explanation.query);
  out.text(",\n\"steps\":");
  out.list(explanation.steps, [&](const Explanation::Step& step) {
    out.text(fmt::format("\n{{\"token\":{}", step.token));
    floats(",\"key\":", step.key);
    floats(",\"product\":", step.product);
    out.text(",\"dot\":");
    out.number(step.dot);
    out.text(",\"scaled\":");
    out.number(step.scaled);
    out.text(step.masked ? ",\"masked\":true,\"weight\":" : ",\"masked\":false,\"weight\":");
    out.number(step.weight);
    floats(",\"value\":", step.value);
    floats(",\"weighted\":", step.weighted);
    out.text("}");
  });
  floats(",\n\"output\":", explanation.output);
  put_notes(out, trace.notes);
  out.text("}\n");
  out.flush();
}

}  // namespace regard
