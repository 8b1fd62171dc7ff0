// SPDX-License-Identifier: Apache-2.0
// Tensors by name, sorted: what a reader of weights gives, a million of them if need be.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "regard/tensor/tensor.h"

namespace regard {

// The name lies in the reader's memory.
struct NamedTensor {
  std::string_view name;
  TensorView view;
};

// Sorts by name. Returns a name that two tensors have, if any.
inline std::optional<std::string_view> sort_by_name(std::vector<NamedTensor>* tensors) {
  std::sort(tensors->begin(), tensors->end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(
      tensors->begin(), tensors->end(),
      [](const NamedTensor& a, const NamedTensor& b) { return a.name == b.name; });
  if (twice == tensors->end()) return std::nullopt;
  return twice->name;
}

}  // namespace regard
