// SPDX-License-Identifier: Apache-2.0
// Comparisons in the terminal, as JSON and as CSV.
#include "regard/render/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/render/labels.h"
#include "regard/render/lines.h"
#include "regard/render/paint.h"
#include "regard/render/writer.h"

namespace regard {
namespace {

constexpr std::size_t kListed = 12;

std::vector<std::string> one_lines(const std::vector<std::string>& names) {
  std::vector<std::string> lines;
  for (const std::string& name : names) lines.push_back(one_line(name));
  return lines;
}

float largest(const std::vector<float>& values) {
  float top = 0;
  for (const float value : values) top = std::max(top, std::isnan(value) ? 0 : std::abs(value));
  return top;
}

void put_axis(Writer& out, const std::vector<Pairing>& pairings,
              const std::vector<std::string>& names) {
  std::size_t i = 0;
  out.list(pairings, [&](const Pairing& pair) {
    const auto index = [](std::int64_t at) { return at < 0 ? "null" : fmt::to_string(at); };
    out.text(fmt::format("\n{{\"first\":{},\"second\":{},\"same\":{},\"text\":", index(pair.a),
                         index(pair.b), pair.same));
    out.quoted(names[i++]);
    out.text("}");
  });
}

void put_matrix(Writer& out, const std::vector<float>& values, std::size_t columns) {
  out.text("[");
  for (std::size_t at = 0; at < values.size(); at += columns) {
    out.text(at > 0 ? ",\n" : "\n");
    out.numbers(values.data() + at, columns);
  }
  out.text("]");
}

}  // namespace

std::string terminal_comparison(const Comparison& comparison, const TerminalStyle& style) {
  const std::vector<std::string> rows = one_lines(comparison.row_names);
  const std::vector<std::string> columns = one_lines(comparison.column_names);
  const float top = std::max(largest(comparison.weights[0]), largest(comparison.weights[1]));
  const float apart = largest(comparison.difference);
  std::string out;
  const auto grid = [&](const std::string& title, const std::vector<float>& values, float darkest) {
    add_wrapped(&out, title, columns_of(style));
    add_grid(
        &out, rows, columns,
        [&](std::size_t row, std::size_t column) {
          const float value = values[row * columns.size() + column];
          if (std::isnan(value)) return GridCell{"", 0};
          return GridCell{short_number(value), scaled(std::abs(value), darkest, style.scale)};
        },
        style);
    out += '\n';
  };
  for (int side : {0, 1})
    grid(fmt::format("{}: {}, {}", side == 0 ? "first" : "second", one_line(comparison.model[side]),
                     comparison.head[side]),
         comparison.weights[side], top);
  grid("second minus first; darker is a larger difference either way", comparison.difference,
       apart);
  add_line(&out, emphasised("largest differences: query -> key, first, second, difference", 1,
                            style.colours));
  for (const Difference& one : largest_differences(comparison, kListed))
    add_line(&out,
             fmt::format("{} -> {} {:.2f} {:.2f} {:+.2f}", rows[static_cast<std::size_t>(one.row)],
                         columns[static_cast<std::size_t>(one.column)], one.first, one.second,
                         one.second - one.first));
  for (const std::string& note : comparison.notes)
    add_wrapped(&out, "note: " + one_line(note), columns_of(style));
  return out;
}

void write_json(const Comparison& comparison, const Sink& sink) {
  Writer out(sink);
  const auto both = [&](std::string_view key, const std::string(&values)[2]) {
    out.text(fmt::format(",\n\"{}\":[", key));
    out.quoted(values[0]);
    out.text(",");
    out.quoted(values[1]);
    out.text("]");
  };
  out.text(fmt::format("{{\"format\":{}", kJsonFormat));
  both("models", comparison.model);
  both("texts", comparison.text);
  both("heads", comparison.head);
  out.text(fmt::format(",\n\"level\":\"{}\",\n\"rows\":", name_of(comparison.level)));
  put_axis(out, comparison.rows, comparison.row_names);
  out.text(",\n\"columns\":");
  put_axis(out, comparison.columns, comparison.column_names);
  const std::size_t columns = comparison.columns.size();
  out.text(",\n\"first\":");
  put_matrix(out, comparison.weights[0], columns);
  out.text(",\n\"second\":");
  put_matrix(out, comparison.weights[1], columns);
  out.text(",\n\"difference\":");
  put_matrix(out, comparison.difference, columns);
  put_notes(out, comparison.notes);
  out.text("}\n");
  out.flush();
}

void write_csv(const Comparison& comparison, const Sink& sink) {
  Writer out(sink);
  out.text("query (attends from),key (attended to),first,second,difference\r\n");
  const std::size_t columns = comparison.columns.size();
  for (std::size_t at = 0; at < comparison.difference.size(); ++at) {
    out.text(csv_field(comparison.row_names[at / columns]) + "," +
             csv_field(comparison.column_names[at % columns]));
    for (const std::vector<float>* values :
         {&comparison.weights[0], &comparison.weights[1], &comparison.difference}) {
      out.text(",");
      if (!std::isnan((*values)[at])) out.number((*values)[at]);
    }
    out.text("\r\n");
  }
  out.flush();
}

}  // namespace regard
