// SPDX-License-Identifier: Apache-2.0
// The environment, read once. Cache folder: XDG Base Directory Specification 0.8. The hub's
// variables: huggingface_hub, constants.py.
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

std::string find_hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (std::string folder = variable(name); !folder.empty()) return folder;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home + "/hub";
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty())
    return xdg + "/huggingface/hub";
  if (const std::string home = variable("HOME"); !home.empty())
    return home + "/.cache/huggingface/hub";
  return {};
}

HubSettings hub_settings() {
  HubSettings hub;
  hub.cache_folder = find_hub_cache();
  hub.endpoint = variable("HF_ENDPOINT");
  if (hub.endpoint.empty()) hub.endpoint = "https://huggingface.co";
  while (hub.endpoint.ends_with('/')) hub.endpoint.pop_back();
  hub.token = variable("HF_TOKEN");
  std::string offline = variable("HF_HUB_OFFLINE");
  for (char& c : offline)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  hub.offline = offline == "1" || offline == "ON" || offline == "YES" || offline == "TRUE";
  hub.timeout = static_cast<int>(integer("HF_HUB_DOWNLOAD_TIMEOUT", 1, 86400).value_or(10));
  return hub;
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
  settings.ask_key = variable("REGARD_ASK_KEY");
  settings.temporary = variable("TMPDIR");
  if (settings.temporary.empty()) settings.temporary = "/tmp";
  settings.hub = hub_settings();
  return settings;
}

}  // namespace regard
