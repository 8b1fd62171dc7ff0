// SPDX-License-Identifier: Apache-2.0
// A checkpoint's tensors as they are before training.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "regard/checkpoint/checkpoint.h"

namespace regard {
namespace {

constexpr double kDeviation = 0.02;

// Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators" (SplitMix64).
class Random {
 public:
  // A stream of its own for each name, so that the order of tensors in a file does not matter.
  Random(std::uint64_t seed, std::string_view name) : state_(seed) {
    for (const char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  // In (0, 1].
  double uniform() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>(((z ^ (z >> 31)) >> 11) + 1) * 0x1p-53;
  }

 private:
  std::uint64_t state_;
};

// Box and Muller 1958: two independent normal numbers from two uniform ones.
void draw_normal(Random random, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const double radius = kDeviation * std::sqrt(-2 * std::log(random.uniform()));
    const double angle = 2 * std::numbers::pi * random.uniform();
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < out.size()) out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

bool counts(DType dtype) {
  return dtype == DType::kI64 || dtype == DType::kI32 || dtype == DType::kI16 ||
         dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kBool;
}

}  // namespace

void Checkpoint::draw_at_random(std::uint64_t seed) {
  drawn_.reserve(entries_.size());
  drawn_views_.reserve(entries_.size());  // entries point into it
  for (Entry& entry : entries_) {
    const TensorView& trained = *entry.view;
    if (counts(trained.dtype)) continue;
    Tensor tensor(trained.shape);
    if (trained.shape.size() >= 2)
      draw_normal(Random(seed, entry.name), tensor.span());
    else
      std::ranges::fill(tensor.span(), entry.name.ends_with("bias") ? 0.0f : 1.0f);
    drawn_.push_back(std::move(tensor));
    drawn_views_.push_back(
        {DType::kF32, trained.shape, reinterpret_cast<const std::byte*>(drawn_.back().data())});
    entry.view = &drawn_views_.back();
  }
}

}  // namespace regard
