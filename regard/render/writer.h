// SPDX-License-Identifier: Apache-2.0
// Writing JSON (RFC 8259) and CSV (RFC 4180) piece by piece.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/analysis/view.h"
#include "regard/platform/json.h"
#include "regard/render/data.h"

namespace regard {

// Collects small pieces and hands them on in large ones.
class Writer {
 public:
  explicit Writer(const Sink& sink) : sink_(sink) {}
  void text(std::string_view bytes) {
    buffer_ += bytes;
    if (buffer_.size() >= 1 << 16) flush();
  }
  void flush() {
    if (!buffer_.empty()) sink_(buffer_);
    buffer_.clear();
  }
  // JSON and CSV have no word for what is not finite.
  template <typename Float>
  void number(Float value) {
    text(std::isfinite(value) ? fmt::format("{}", value) : std::string("null"));
  }
  void quoted(std::string_view value) { text(json_quoted(value)); }
  template <typename Float>
  void numbers(const Float* values, std::size_t count) {
    text("[");
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) text(",");
      number(values[i]);
    }
    text("]");
  }
  // "[", visit of each element with commas between, "]".
  template <typename Range, typename Visit>
  void list(const Range& range, const Visit& visit) {
    text("[");
    bool first = true;
    for (const auto& element : range) {
      if (!first) text(",");
      first = false;
      visit(element);
    }
    text("]");
  }

 private:
  const Sink& sink_;
  std::string buffer_;
};

void put_text(Writer& out, const std::string& text, const std::optional<std::string>& pair);
void put_units(Writer& out, const std::vector<Unit>& units);
void put_notes(Writer& out, const std::vector<std::string>& notes);

// What is the same at the head of every document: of a view or a trace.
template <typename Source>
void put_source(Writer& out, const Source& source) {
  out.text(fmt::format("{{\"format\":{},\"model\":", kJsonFormat));
  out.quoted(source.model);
  if (source.kind != AttentionKind::kSelf) {
    out.text(",\n\"kind\":");
    out.quoted(name_of(source.kind));
  }
  out.text(",\n");
  put_text(out, source.text, source.pair);
}

// Quoted where RFC 4180 asks for it; an apostrophe before what a spreadsheet would run as a formula
// (OWASP, "CSV injection"). A lone sign is no formula.
std::string csv_field(std::string_view text);

}  // namespace regard
