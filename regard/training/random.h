// SPDX-License-Identifier: Apache-2.0
// Random numbers whose state is four words, so that a run can be continued where it stopped, and
// which are the same on every machine.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace regard {

// xoshiro256** (Blackman & Vigna 2021), seeded by splitmix64.
// Thread safety: one caller at a time.
class Random {
 public:
  using State = std::array<std::uint64_t, 4>;
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9E3779B97F4A7C15u;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
      word = z ^ (z >> 31);
    }
  }
  explicit Random(const State& state) : state_(state) {}
  const State& state() const { return state_; }

  std::uint64_t next() {
    const auto turned = [](std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); };
    const std::uint64_t result = turned(state_[1] * 5, 7) * 9, t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = turned(state_[3], 45);
    return result;
  }
  // In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  // In [0, count). REQUIRES: count > 0.
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(uniform() * static_cast<double>(count));
  }
  // Box & Muller 1958.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  State state_;
};

}  // namespace regard
