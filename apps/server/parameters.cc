// SPDX-License-Identifier: Apache-2.0
#include "apps/server/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "apps/server/http_message.h"

namespace regard::server {
namespace {

[[noreturn]] void wrong(std::string_view name, std::string_view expected, std::string_view found) {
  throw Failure{400, fmt::format("{}: expected {}, found {}", name, expected, found)};
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Parameters::Parameters(const std::map<std::string, std::string>& values,
                       const std::vector<std::string_view>& known)
    : values_(values) {
  for (const auto& [name, value] : values)
    if (std::find(known.begin(), known.end(), name) == known.end())
      wrong("address", fmt::format("only the parameters {}", fmt::join(known, ", ")), name);
}

std::string Parameters::text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

std::int64_t Parameters::whole(const std::string& name, std::int64_t least, std::int64_t most,
                               std::optional<std::int64_t> otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end() && otherwise) return *otherwise;
  const std::string expected = fmt::format("a whole number from {} to {}", least, most);
  if (found == values_.end()) wrong(name, expected, "none");
  const auto value = number<std::int64_t>(found->second);
  if (!value || *value < least || *value > most) wrong(name, expected, found->second);
  return *value;
}

double Parameters::share(const std::string& name, double otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  const auto value = number<double>(found->second);
  if (!value || !(*value > 0 && *value <= 1))
    wrong(name, "a share above 0 and at most 1", found->second);
  return *value;
}

bool Parameters::flag(const std::string& name, bool otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  if (found->second != "true" && found->second != "false")
    wrong(name, "true or false", found->second);
  return found->second == "true";
}

void Parameters::range(const std::string& name, std::int64_t end, std::int64_t* first,
                       std::int64_t* last) const {
  *first = 0;
  *last = end;
  const auto found = values_.find(name);
  if (found == values_.end()) return;
  const std::string& text = found->second;
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto a = number<std::int64_t>(std::string_view(text).substr(0, colon));
  const auto b =
      number<std::int64_t>(std::string_view(text).substr(std::min(text.size(), colon + 1)));
  if (!a || !b || *a < 0 || *a >= *b || *b > end)
    wrong(name, fmt::format("first:end within 0:{}, not empty", end), text);
  *first = *a;
  *last = *b;
}

TileSize Parameters::tile_size(const AttentionMap& map) const {
  const std::int64_t most = std::max(map.rows(), map.columns());
  const auto found = values_.find("cell");
  if (found == values_.end()) return whole("size", 1, most);
  if (has("size")) wrong("cell", "either a size or a cell", "both");
  const std::string_view text = found->second;
  const std::size_t comma = std::min(text.find(','), text.size());
  const auto height = number<std::int64_t>(text.substr(0, comma));
  const auto width = number<std::int64_t>(text.substr(std::min(text.size(), comma + 1)));
  if (!height || !width || *height < 1 || *width < 1 || *height > most || *width > most)
    wrong("cell", fmt::format("height,width of 1 to {} tokens each", most), text);
  return {*height, *width};
}

HeadId Parameters::head(const Trace& trace) const {
  const std::vector<HeadId> found = heads(trace);
  if (found.size() > 1) wrong("head", "one name like L3H1", text("head", ""));
  return found.front();
}

std::vector<HeadId> Parameters::heads(const Trace& trace) const {
  const std::string kind = text("kind", std::string(name_of(trace.kind)));
  if (kind != name_of(trace.kind)) wrong("kind", name_of(trace.kind), kind);
  const std::string names = text("head", "");
  std::vector<HeadId> found;
  for (std::size_t from = 0; from <= names.size();) {
    const std::size_t comma = std::min(names.find(',', from), names.size());
    const std::string name = names.substr(from, comma - from);
    const auto head = head_named(name);
    if (!head) wrong("head", "a name like L3H1", name);
    if (!trace.has(*head)) throw Failure{404, fmt::format("head {}: not in this trace", name)};
    found.push_back(*head);
    from = comma + 1;
  }
  return found;
}

}  // namespace regard::server
