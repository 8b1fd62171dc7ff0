// SPDX-License-Identifier: Apache-2.0
// The arrays of a layer's record: their names in a trace file and what their first axis is.
#pragma once

#include <array>
#include <string_view>

#include "regard/trace/trace.h"

namespace regard {

enum class FirstAxis { kHead, kKeyHead, kOther };

struct LayerArray {
  std::string_view name;  // layers.{l}.{name}
  TensorView LayerTrace::* view;
  FirstAxis axis;
};

inline constexpr std::array<LayerArray, 14> kLayerArrays = {{
    {"query", &LayerTrace::query, FirstAxis::kHead},
    {"key", &LayerTrace::key, FirstAxis::kKeyHead},
    {"value", &LayerTrace::value, FirstAxis::kKeyHead},
    {"lse", &LayerTrace::lse, FirstAxis::kHead},
    {"overview_sum", &LayerTrace::overview_sum, FirstAxis::kHead},
    {"overview_max", &LayerTrace::overview_max, FirstAxis::kHead},
    {"alibi_slopes", &LayerTrace::alibi_slopes, FirstAxis::kHead},
    {"sinks", &LayerTrace::sinks, FirstAxis::kHead},
    {"bias", &LayerTrace::bias, FirstAxis::kHead},
    {"query_relative", &LayerTrace::query_relative, FirstAxis::kHead},
    {"key_relative", &LayerTrace::key_relative, FirstAxis::kHead},
    {"relative_slot", &LayerTrace::relative_slot, FirstAxis::kOther},
    {"blocks", &LayerTrace::blocks, FirstAxis::kOther},
    {"weights", &LayerTrace::weights, FirstAxis::kHead},
}};

}  // namespace regard
