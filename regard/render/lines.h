// SPDX-License-Identifier: Apache-2.0
// Lines that every view in the terminal has: the wrapped caption, what was found, the notes.
#pragma once

#include <cstddef>
#include <string>

#include "regard/render/terminal.h"

namespace regard {

// The style's columns, at least 20; 0: no limit.
std::size_t columns_of(const TerminalStyle& style);
// The line without blanks at its end.
void add_line(std::string* out, std::string line);
// Broken at blanks to at most `columns`, lines after the first indented; 0: not broken.
void add_wrapped(std::string* out, const std::string& text, std::size_t columns);
// The links, one a line under a heading, and the notes.
void add_findings(std::string* out, const View& view, const TerminalStyle& style);

}  // namespace regard
