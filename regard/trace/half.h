// SPDX-License-Identifier: Apache-2.0
// Arrays of floats that are halves (IEEE 754 binary16): in a file they take two bytes each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace regard {

// The numbers' halves when each is one, else nothing. Stops at the first that is none.
std::optional<std::vector<std::uint16_t>> as_halves(std::span<const float> numbers);

}  // namespace regard
