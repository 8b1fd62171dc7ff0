// SPDX-License-Identifier: Apache-2.0
// ScoreSpec: which keys a query sees, and its form in a trace file.
#include "regard/attention/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/platform/error.h"
#include "regard/platform/json.h"

namespace regard {

ScoreSpec::Range ScoreSpec::visible(std::int64_t q, std::int64_t queries, std::int64_t keys) const {
  const std::int64_t position = q + keys - queries;
  Range range{0, keys};
  if (causal) range.end = std::clamp<std::int64_t>(position + 1, 0, keys);
  if (window > 0) {
    range.begin = std::clamp<std::int64_t>(position - window + 1, 0, range.end);
    range.end = std::clamp<std::int64_t>(position + window, range.begin, range.end);
  }
  return range;
}

std::string to_json(const ScoreSpec& spec) {
  return fmt::format(R"({{"scale": {}, "cap": {}, "causal": {}, "window": {}}})", spec.scale,
                     spec.cap, spec.causal, spec.window);
}

ScoreSpec score_spec_from_json(std::string_view json, const std::string& file,
                               const std::string& place) {
  const JsonDocument document = JsonDocument::parse(json, file + ": " + place, true);
  ScoreSpec spec;
  document.root().for_each_member([&](std::string_view key, Json value) {
    if (key == "scale") {
      spec.scale = static_cast<float>(value.number());
    } else if (key == "cap") {
      spec.cap = static_cast<float>(value.number());
    } else if (key == "causal") {
      spec.causal = value.boolean();
    } else if (key == "window") {
      spec.window = value.integer();
    } else {
      throw Error::at(file, place, "scale, cap, causal, window", key);
    }
  });
  if (!std::isfinite(spec.scale) || !(spec.cap >= 0) || !std::isfinite(spec.cap) ||
      spec.window < 0 || spec.window > (std::int64_t{1} << 40))
    throw Error::at(file, place, "a finite scale, cap >= 0 and window >= 0", json);
  return spec;
}

}  // namespace regard
