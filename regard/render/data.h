// SPDX-License-Identifier: Apache-2.0
// Views as data: JSON, CSV and NPY. Numbers do not depend on the locale and read back to the same
// float. NPY: numpy/lib/format.py, version 1.0.
// Thread safety: the structs are plain values, as safe as a std::vector.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "regard/analysis/explain.h"
#include "regard/analysis/view.h"

namespace regard {

using Sink = std::function<void(std::string_view bytes)>;

inline constexpr int kJsonFormat = 1;

// {"format", "model", ["kind"], "text", ["pair"], "level", "tokens", "words", ["columns"], "heads",
// "links", "notes"}. "kind" of encoder-decoder models. "columns": {"text", "tokens", "words", ..}
// of what the rows attend to where that is another text.
void write_json(const View& view, const Sink& sink);
// First map: a header row "query (attends from) \ key (attended to)" then the keys; a line a query.
// A label of several characters that begins like a spreadsheet's formula (= + - @) gets an
// apostrophe before it. to_terminal: labels as one_line() writes them, so that none is a command.
void write_csv(const View& view, const Sink& sink, bool to_terminal = false);
void write_json(const Trace& trace, const Explanation& explanation, const Sink& sink);

// Header of a little-endian float32 C-order array; the data follows as raw bytes.
std::string npy_header(std::span<const std::int64_t> shape);
// Dense weights [layer, head, query, key] of all layers x heads given, streamed row by row.
// Throws Error (usage) when `heads` is no product of layers and heads.
void write_npy(const Trace& trace, const std::vector<HeadId>& heads, const Sink& sink);

// An array read from a .npy file of float16, float32, float64 or integers, C or Fortran order, as
// float32. Throws Error naming the place.
struct NpyArray {
  Shape shape;
  std::vector<float> data;
};
NpyArray read_npy(const std::string& path);

}  // namespace regard
