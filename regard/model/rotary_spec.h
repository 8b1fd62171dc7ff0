// SPDX-License-Identifier: Apache-2.0
// Rotary positions as data, with what stretches them for long texts.
#pragma once

#include <cstdint>
#include <vector>

namespace regard {

// Rotary positions (Su et al. 2021) and what stretches them.
struct RotarySpec {
  bool neighbours = false;         // pairs (2i, 2i + 1); else (i, i + pairs)
  std::vector<float> frequencies;  // [pairs], radians a position
  float magnitude = 1;             // multiplies cosine and sine
  // Longrope: texts of more than `original` tokens turn at these instead, at every position.
  std::vector<float> long_frequencies;
  std::int64_t original = 0;
  // Dynamic: for n > original tokens base becomes base * (factor n / original - (factor - 1)) ^
  // (dims / (dims - 2)).
  double dynamic_factor = 0, base = 0;

  bool operator==(const RotarySpec&) const = default;
};

// The frequencies for a text of n tokens.
std::vector<float> frequencies_for(const RotarySpec& spec, std::int64_t tokens);

}  // namespace regard
