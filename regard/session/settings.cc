// SPDX-License-Identifier: Apache-2.0
// The environment, read once. Cache folder: XDG Base Directory Specification 0.8.
#include "regard/session/settings.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "regard/platform/error.h"

namespace regard {
namespace {

// An empty variable counts as unset.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::optional<std::int64_t> integer(const char* name, std::int64_t least, std::int64_t most) {
  const std::string text = variable(name);
  if (text.empty()) return std::nullopt;
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < least || value > most)
    throw Error(fmt::format("{}: expected a whole number from {} to {}, found \"{}\"", name, least,
                            most, text),
                Error::Kind::kUsage);
  return value;
}

std::string find_cache_folder() {
  if (std::string own = variable("REGARD_CACHE"); !own.empty()) return own;
  // The specification says that a relative path is to be ignored.
  if (const std::string xdg = variable("XDG_CACHE_HOME"); xdg.starts_with('/'))
    return xdg + "/regard";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/regard";
  return {};
}

}  // namespace

Settings Settings::from_environment() {
  Settings settings;
  settings.model = variable("REGARD_MODEL");
  settings.cache_folder = find_cache_folder();
  settings.instruction_set = variable("REGARD_ISA");
  settings.threads = static_cast<int>(integer("REGARD_THREADS", 1, 4096).value_or(0));
  settings.source_date = integer("SOURCE_DATE_EPOCH", 0, 253402300799);  // the year 9999
  settings.no_colour = !variable("NO_COLOR").empty();
  settings.colour_term = variable("COLORTERM");
  settings.term = variable("TERM");
  return settings;
}

}  // namespace regard
