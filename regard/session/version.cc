// SPDX-License-Identifier: Apache-2.0
// What `regard --version` prints. Library versions are those of the headers compiled against.
#include <cairo.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hwy/highway.h>
#include <pango/pango-features.h>
#include <simdjson.h>
#include <unicode/uvernum.h>

#include "regard/platform/cpu.h"
#include "regard/session/session.h"

#ifndef REGARD_VERSION
#define REGARD_VERSION "0.1.0"
#endif
#ifndef REGARD_COMMIT
#define REGARD_COMMIT "unknown"
#endif

namespace regard {

std::string version_report() {
  return fmt::format(
      "regard {}\n"
      "commit {}\n"
      "instruction set {} (of {})\n"
      "Highway {}.{}.{}\n"
      "simdjson {}.{}.{}\n"
      "ICU {}\n"
      "fmt {}.{}.{}\n"
      "Cairo {}\n"
      "Pango {}\n",
      REGARD_VERSION, REGARD_COMMIT, instruction_set(), fmt::join(instruction_sets(), ", "),
      HWY_MAJOR, HWY_MINOR, HWY_PATCH, int{simdjson::SIMDJSON_VERSION_MAJOR},
      int{simdjson::SIMDJSON_VERSION_MINOR}, int{simdjson::SIMDJSON_VERSION_REVISION},
      U_ICU_VERSION, FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100,
      CAIRO_VERSION_STRING, PANGO_VERSION_STRING);
}

}  // namespace regard
