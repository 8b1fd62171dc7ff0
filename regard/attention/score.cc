// SPDX-License-Identifier: Apache-2.0
// ScoreSpec: which keys a query sees, and its form in a trace file; the score in double precision.
#include "regard/attention/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "regard/attention/score-inl.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"

namespace regard {
namespace {

constexpr std::array<std::string_view, 3> kAlibiNames = {"none", "distance", "falcon"};

Alibi alibi_named(const Json& value) {
  const auto found = std::find(kAlibiNames.begin(), kAlibiNames.end(), value.string());
  if (found == kAlibiNames.end()) throw value.wrong("none, distance or falcon");
  return static_cast<Alibi>(found - kAlibiNames.begin());
}

}  // namespace

ScoreSpec::Range ScoreSpec::visible(std::int64_t q, std::int64_t queries, std::int64_t keys) const {
  const std::int64_t position = q + keys - queries;
  Range range{0, keys};
  if (causal) range.end = std::clamp<std::int64_t>(std::max(position + 1, prefix), 0, keys);
  if (window > 0) {
    range.begin = std::clamp<std::int64_t>(position - window + 1, 0, range.end);
    range.end = std::clamp<std::int64_t>(position + window, range.begin, range.end);
  }
  if (chunk > 0) {
    // Positions before the first key (more queries than keys) are of no chunk.
    const std::int64_t first = position < 0 ? 0 : position / chunk * chunk;
    const std::int64_t last = position < 0 ? 0 : std::min(keys, first + chunk);
    range.begin = std::clamp(std::max(range.begin, first), std::int64_t{0}, keys);
    range.end = std::clamp(std::min(range.end, last), range.begin, keys);
  }
  return range;
}

std::string to_json(const ScoreSpec& spec) {
  return fmt::format(R"({{"scale": {}, "cap": {}, "causal": {}, "window": {}, "chunk": {}, )"
                     R"("prefix": {}, "alibi": "{}"}})",
                     spec.scale, spec.cap, spec.causal, spec.window, spec.chunk, spec.prefix,
                     kAlibiNames.at(static_cast<std::size_t>(spec.alibi)));
}

ScoreSpec score_spec_from_json(std::string_view json, const std::string& file,
                               const std::string& place) {
  const JsonDocument document = JsonDocument::parse(json, file + ": " + place, true);
  ScoreSpec spec;
  const auto length = [](const Json& value) {
    const std::int64_t n = value.integer();
    if (n < 0 || n > (std::int64_t{1} << 40)) throw value.wrong("a length, 0 for none");
    return n;
  };
  document.root().for_each_member([&](std::string_view key, Json value) {
    if (key == "scale") {
      spec.scale = static_cast<float>(value.number());
      if (!std::isfinite(spec.scale)) throw value.wrong("a finite number");
    } else if (key == "cap") {
      spec.cap = static_cast<float>(value.number());
      if (!(spec.cap >= 0) || !std::isfinite(spec.cap)) throw value.wrong("a cap, 0 for none");
    } else if (key == "causal") {
      spec.causal = value.boolean();
    } else if (key == "window") {
      spec.window = length(value);
    } else if (key == "chunk") {
      spec.chunk = length(value);
    } else if (key == "prefix") {
      spec.prefix = length(value);
    } else if (key == "alibi") {
      spec.alibi = alibi_named(value);
    } else {
      throw Error::at(file, place,
                      "scale, cap, causal, window, chunk, prefix, alibi (is this from a newer "
                      "Regard?)",
                      key);
    }
  });
  return spec;
}

ScoreTerms ScoreTerms::of_head(std::int64_t head, std::int64_t queries, std::int64_t keys) const {
  ScoreTerms one = *this;
  if (slopes != nullptr) one.slopes = slopes + head;
  if (sinks != nullptr) one.sinks = sinks + head;
  if (bias != nullptr) one.bias = bias + head * (2 * bias_reach + 1);
  if (query_relative != nullptr) one.query_relative = query_relative + head * queries * slots;
  if (key_relative != nullptr) one.key_relative = key_relative + head * keys * slots;
  return one;
}

double reference_logit(const HeadView& head, std::int64_t q, std::int64_t k) {
  return HWY_NAMESPACE::scalar_logit<double>(head, q, k);
}

}  // namespace regard
