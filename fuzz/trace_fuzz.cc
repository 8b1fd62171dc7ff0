// SPDX-License-Identifier: Apache-2.0
// Opens any bytes as a trace and looks at every head of it: only regard::Error may escape.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "regard/platform/error.h"
#include "regard/trace/trace.h"

namespace {

void look(const regard::Trace& trace, regard::HeadId id) {
  const regard::AttentionMap map = trace.map(id);
  const std::int64_t rows = map.rows(), columns = map.columns();
  std::vector<float> row(static_cast<std::size_t>(columns)), column(static_cast<std::size_t>(rows));
  map.row(rows - 1, row);
  map.column(columns - 1, column);
  for (const auto pool : {regard::Pool::kMax, regard::Pool::kMean})
    for (const std::int64_t size : {1, 3, 512}) map.tile({0, rows, 0, columns}, size, pool);
  if (map.overview()) map.estimate({rows / 2, rows, 0, columns}, 2, regard::Pool::kSum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int descriptor = ::memfd_create("trace", MFD_CLOEXEC);
  if (descriptor < 0 || ::write(descriptor, data, size) != static_cast<ssize_t>(size))
    __builtin_trap();
  try {
    const regard::Trace trace = regard::read_trace("/proc/self/fd/" + std::to_string(descriptor));
    for (const regard::HeadId id : trace.heads()) {
      try {
        look(trace, id);
        trace.values(id);
      } catch (const regard::Error&) {
      }
    }
  } catch (const regard::Error&) {
  }
  ::close(descriptor);
  return 0;
}
