// SPDX-License-Identifier: Apache-2.0
// Measures of heads as a table for a terminal, as JSON and as CSV. Their words are those of
// words_of().
#pragma once

#include <string>
#include <vector>

#include "regard/analysis/head_measures.h"
#include "regard/render/data.h"
#include "regard/render/terminal.h"

namespace regard {

// A line a head, in the order given, with what the columns mean above.
std::string terminal_measures(const Trace& trace, const std::vector<HeadMeasures>& heads,
                              const TerminalStyle& style);
// {"format", "model", "text", ["pair"], "words", ["columns": of two texts], "heads": [{"layer",
// "head", "entropy", .., "link": {"query", "key", "weight"} or null}], "notes"}. A measure that
// there is none of is null.
void write_json(const Trace& trace, const std::vector<HeadMeasures>& heads, const Sink& sink);
// "head,entropy,..,link query,link key,link weight", a line a head; what there is none of is empty.
void write_csv(const Trace& trace, const std::vector<HeadMeasures>& heads, const Sink& sink);

}  // namespace regard
