// SPDX-License-Identifier: Apache-2.0
// Measures of heads as text, JSON and CSV.
#include "regard/render/measures.h"

#include <fmt/format.h>

#include <cmath>

#include "regard/render/labels.h"
#include "regard/render/lines.h"
#include "regard/render/writer.h"

namespace regard {
namespace {

std::string_view word_at(const std::vector<Unit>& words, std::int64_t index) {
  return words.at(static_cast<std::size_t>(index)).text;
}

std::string cell(double value, int digits) {
  return std::isnan(value) ? fmt::format("{:>9}", "-") : fmt::format("{:9.{}f}", value, digits);
}

}  // namespace

std::string terminal_measures(const Trace& trace, const std::vector<HeadMeasures>& heads,
                              const TerminalStyle& style) {
  const std::vector<Unit> rows = words_of(trace, trace), columns = words_of(trace, trace.columns());
  std::string out;
  add_wrapped(
      &out,
      fmt::format("{}, {} heads, {} tokens. Means over the rows (queries): entropy in bits, "
                  "distance to the keys in tokens, and the weight of the previous, the next "
                  "and the same token, of the first and of all special ones; last the "
                  "strongest content link, query -> key.",
                  one_line(trace.model), heads.size(), trace.tokens.size()),
      columns_of(style));
  std::string titles = fmt::format("{:<8}", "head");
  for (const MeasureName& measure : kMeasures) titles += fmt::format("{:>9}", measure.name);
  add_line(&out, titles + "  link");
  for (const HeadMeasures& head : heads) {
    std::string line = fmt::format("{:<8}", to_string(head.head));
    for (const MeasureName& measure : kMeasures)
      line += cell(head.*measure.value, measure.value == &HeadMeasures::distance ? 1 : 3);
    if (head.link)
      line += fmt::format("  {} -> {} {:.2f}", one_line(word_at(rows, head.link->query)),
                          one_line(word_at(columns, head.link->key)), head.link->weight);
    add_line(&out, line);
  }
  for (const std::string& note : trace.notes)
    add_wrapped(&out, "note: " + one_line(note), columns_of(style));
  return out;
}

void write_json(const Trace& trace, const std::vector<HeadMeasures>& heads, const Sink& sink) {
  Writer out(sink);
  put_source(out, trace);
  out.text(",\n\"words\":");
  put_units(out, words_of(trace, trace));
  if (trace.keys_side) {
    out.text(",\n\"columns\":{");
    put_text(out, trace.keys_side->text, trace.keys_side->pair);
    out.text(",\n\"words\":");
    put_units(out, words_of(trace, *trace.keys_side));
    out.text("}");
  }
  out.text(",\n\"heads\":");
  out.list(heads, [&](const HeadMeasures& head) {
    out.text(fmt::format("\n{{\"layer\":{},\"head\":{}", head.head.layer, head.head.head));
    for (const MeasureName& measure : kMeasures) {
      out.text(fmt::format(",\"{}\":", measure.name));
      out.number(head.*measure.value);
    }
    if (!head.link) return out.text(",\"link\":null}");
    out.text(fmt::format(",\"link\":{{\"query\":{},\"key\":{},\"weight\":", head.link->query,
                         head.link->key));
    out.number(head.link->weight);
    out.text("}}");
  });
  put_notes(out, trace.notes);
  out.text("}\n");
  out.flush();
}

void write_csv(const Trace& trace, const std::vector<HeadMeasures>& heads, const Sink& sink) {
  const std::vector<Unit> rows = words_of(trace, trace), columns = words_of(trace, trace.columns());
  Writer out(sink);
  out.text("head");
  for (const MeasureName& measure : kMeasures) out.text(fmt::format(",{}", measure.name));
  out.text(",link query,link key,link weight\r\n");
  for (const HeadMeasures& head : heads) {
    out.text(to_string(head.head));
    for (const MeasureName& measure : kMeasures) {
      const double value = head.*measure.value;
      out.text(std::isnan(value) ? std::string(",") : fmt::format(",{}", value));
    }
    out.text(head.link ? fmt::format(",{},{},{}\r\n", csv_field(word_at(rows, head.link->query)),
                                     csv_field(word_at(columns, head.link->key)), head.link->weight)
                       : std::string(",,,\r\n"));
  }
  out.flush();
}

}  // namespace regard
