// SPDX-License-Identifier: Apache-2.0
// Measures of heads from their maps (attention_map.h), and the links that stand out.
#include "regard/analysis/head_measures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "regard/analysis/head_choice.h"
#include "regard/platform/error.h"

namespace regard {

std::vector<HeadMeasures> measure_heads(const Trace& trace, const std::vector<HeadId>& heads,
                                        const Progress& progress, const CancelToken* cancel) {
  std::vector<std::uint8_t> special;
  for (const Token& token : trace.columns().tokens) special.push_back(token.special ? 1 : 0);
  const bool one_text = !trace.keys_side.has_value();
  std::vector<HeadMeasures> out;
  for (const HeadId head : heads) {
    const MapMeasures map = trace.map(head).measures(special, cancel);
    HeadMeasures one{.head = head,
                     .entropy = map.entropy,
                     .distance = map.distance,
                     .previous = map.previous,
                     .next = map.next,
                     .same = map.same,
                     .first = map.first,
                     .special = map.marked,
                     .link = std::nullopt};
    if (!one_text)
      one.distance = one.previous = one.next = one.same = std::numeric_limits<double>::quiet_NaN();
    out.push_back(one);
    if (progress) progress(static_cast<double>(out.size()) / static_cast<double>(heads.size()));
  }
  const std::vector<Unit> rows = words_of(trace, trace), columns = words_of(trace, trace.columns());
  const std::vector<std::optional<Link>> links =
      strongest_link_of_each(trace, heads, {rows, columns}, cancel);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].link = links[i];
  return out;
}

void sort_heads(std::string_view measure, std::vector<HeadMeasures>* heads) {
  const auto* known = std::find_if(std::begin(kMeasures), std::end(kMeasures),
                                   [&](const MeasureName& entry) { return entry.name == measure; });
  if (known == std::end(kMeasures) && measure != "link") {
    std::string names;
    for (const MeasureName& entry : kMeasures) names += fmt::format("{}, ", entry.name);
    throw Error(fmt::format("sort: expected {}or link, found {}", names, measure),
                Error::Kind::kUsage);
  }
  const auto value = [&](const HeadMeasures& head) {
    if (known == std::end(kMeasures))
      return head.link ? static_cast<double>(head.link->weight) : -1;
    const double number = head.*known->value;
    return std::isnan(number) ? -1 : number;
  };
  std::stable_sort(heads->begin(), heads->end(), [&](const HeadMeasures& a, const HeadMeasures& b) {
    return value(a) > value(b);
  });
}

}  // namespace regard
