// SPDX-License-Identifier: Apache-2.0
// The page: its files as they were built from web/, what it is told of a trace (docs/api.md), and a
// page on disk that holds its runs.
// Thread safety: the structs are plain values; the functions may be called from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regard/analysis/head_measures.h"
#include "regard/render/data.h"
#include "regard/session/checkpoints.h"
#include "regard/session/session.h"

namespace regard {

inline constexpr int kPageFormat = 1;

// In the program's memory, as long as the process lives.
struct PageFiles {
  std::string_view html;    // asks for page.css and page.js
  std::string_view style;   // page.css
  std::string_view script;  // page.js
  std::string_view lesson;  // the lesson's text as HTML, for readers without scripts
  std::string_view runs;    // [{"text", "untrained"}, ..]: what the lesson on disk needs
};
const PageFiles& page_files();

// {"format", "id", "model", "sides", "layers", "blockEdge", "choice", "links", "notes"}; weights
// and arrays are asked for separately. Throws Error when the trace holds no head.
void write_trace_info(const Session& session, const Trace& trace, std::string_view id,
                      const Sink& sink);
// [{"head", "entropy", ..}, ..]
void write_measures(AttentionKind kind, const std::vector<HeadMeasures>& measures,
                    const Sink& sink);

// A run in a written page.
struct PageRun {
  const Trace* trace = nullptr;
  bool untrained = false;  // weights were drawn at random
  // Of which checkpoint it is: the page shows those of one text in their order.
  std::optional<RunCheckpoint> checkpoint = std::nullopt;
};
struct PageOptions {
  bool lesson = false;  // opens with the lesson
};
// The runs that a lesson on disk holds, those of `text` (when it is not empty) first.
std::vector<RunRequest> lesson_runs(const std::string& model, const std::string& text);

// One HTML file with script, style and the runs' trace files: it needs no network and asks for
// none. Size: about 4/3 of the traces' files. REQUIRES: runs not empty.
void write_page(const Session& session, const std::vector<PageRun>& runs,
                const PageOptions& options, const Sink& sink);

}  // namespace regard
