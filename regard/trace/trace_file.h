// SPDX-License-Identifier: Apache-2.0
// A trace whose file is mapped already, or lies in memory.
#pragma once

#include "regard/platform/mapped_file.h"
#include "regard/trace/trace.h"

namespace regard {

// As read_trace() of a path; the trace keeps the file.
Trace read_trace(MappedFile file);

}  // namespace regard
