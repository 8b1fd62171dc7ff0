// SPDX-License-Identifier: Apache-2.0
// What JSON documents share, and fields of CSV.
#include "regard/render/writer.h"

namespace regard {

void put_units(Writer& out, const std::vector<Unit>& units) {
  out.list(units, [&](const Unit& unit) {
    out.text("\n{\"text\":");
    out.quoted(unit.text);
    out.text(fmt::format(",\"start\":{},\"end\":{},\"tokens\":", unit.span.start, unit.span.end));
    out.list(unit.tokens, [&](std::int64_t token) { out.text(fmt::format("{}", token)); });
    out.text("}");
  });
}

void put_notes(Writer& out, const std::vector<std::string>& notes) {
  out.text(",\n\"notes\":");
  out.list(notes, [&](const std::string& note) { out.quoted(note); });
}

void put_text(Writer& out, const std::string& text, const std::optional<std::string>& pair) {
  out.text("\"text\":");
  out.quoted(text);
  if (!pair) return;
  out.text(",\n\"pair\":");
  out.quoted(*pair);
}

std::string csv_field(std::string_view text) {
  std::string field(text);
  if (field.size() > 1 && std::string_view("=+-@\t\r").find(field[0]) != std::string_view::npos) {
    field.insert(0, 1, '\'');
  }
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string out = "\"";
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace regard
