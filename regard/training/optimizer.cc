// SPDX-License-Identifier: Apache-2.0
// The steps of AdamW, as torch.optim.AdamW takes them.
#include "regard/training/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "regard/kernels/adam.h"
#include "regard/platform/error.h"
#include "regard/platform/threads.h"

namespace regard {
namespace {

constexpr std::int64_t kBlock = 16384;

std::int64_t blocks_of(std::int64_t size) { return (size + kBlock - 1) / kBlock; }

// Sums of squares in eight chains, so that the compiler makes vectors of them.
double squares_of(const float* x, std::int64_t count) {
  constexpr std::int64_t kChains = 8;
  double sums[kChains] = {};
  std::int64_t i = 0;
  for (; i + kChains <= count; i += kChains)
    for (std::int64_t j = 0; j < kChains; ++j)
      sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  for (; i < count; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

double rate_at(const ScheduleOptions& s, std::int64_t step) {
  if (step <= s.warm_up) return s.rate * static_cast<double>(step) / static_cast<double>(s.warm_up);
  const double held =
      std::max(static_cast<double>(s.warm_up), s.hold * static_cast<double>(s.steps));
  const double falls = static_cast<double>(s.steps) - held;
  const double past = static_cast<double>(step) - held;
  if (past <= 0 || falls <= 0) return s.rate;
  const double share = std::min(1.0, past / falls);
  const double left =
      s.curve == Curve::kCosine ? 0.5 + 0.5 * std::cos(std::numbers::pi * share) : 1 - share;
  return s.rate * (s.last + (1 - s.last) * left);
}

AdamW::AdamW(Trainable* model, const OptimizerOptions& options)
    : model_(*model),
      options_(options),
      first_(Tensor::zeros({std::ssize(model->values())})),
      second_(Tensor::zeros({std::ssize(model->values())})) {}

double AdamW::step(double rate) {
  const std::span<float> gradients = model_.gradients();
  const std::int64_t size = std::ssize(gradients);
  std::vector<double> squares(static_cast<std::size_t>(blocks_of(size)));
  parallel_for(blocks_of(size), [&](std::int64_t block) {
    squares[static_cast<std::size_t>(block)] =
        squares_of(gradients.data() + block * kBlock, std::min(kBlock, size - block * kBlock));
  });
  double total = 0;
  for (const double square : squares) total += square;
  const double norm = std::sqrt(total);
  if (!std::isfinite(norm)) {
    const auto bad =
        std::find_if(gradients.begin(), gradients.end(), [](float g) { return !std::isfinite(g); });
    throw Error::at("", model_.parameter_at(bad - gradients.begin()).name, "a finite gradient",
                    "a NaN or infinity");
  }
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double clip = options_.clip > 0 ? std::min(1.0, options_.clip / (norm + 1e-6)) : 1.0;
  kernels::AdamStep factors{};
  factors.beta1 = static_cast<float>(options_.beta1);
  factors.beta2 = static_cast<float>(options_.beta2);
  factors.rest1 = static_cast<float>(1 - options_.beta1);
  factors.rest2 = static_cast<float>(1 - options_.beta2);
  factors.rate = static_cast<float>(rate / (1 - std::pow(options_.beta1, t)));
  factors.root = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
  factors.epsilon = static_cast<float>(options_.epsilon);
  factors.clip = static_cast<float>(clip);
  // Pieces of at most kBlock, each of one parameter.
  struct Piece {
    std::int64_t offset, count;
    bool decays;
  };
  std::vector<Piece> pieces;
  for (const Parameter& parameter : model_.parameters()) {
    const std::int64_t count = element_count(parameter.shape);
    const bool decays = options_.decay_all || parameter.shape.size() > 1;
    for (std::int64_t at = 0; at < count; at += kBlock)
      pieces.push_back({parameter.offset + at, std::min(kBlock, count - at), decays});
  }
  const auto shrunk = static_cast<float>(1 - rate * options_.decay);
  parallel_for(std::ssize(pieces), [&](std::int64_t i) {
    const Piece& piece = pieces[static_cast<std::size_t>(i)];
    kernels::AdamStep own = factors;
    own.keep = piece.decays ? shrunk : 1.0f;
    kernels::adam_step(own, piece.count, model_.values().data() + piece.offset,
                       gradients.data() + piece.offset, first_.data() + piece.offset,
                       second_.data() + piece.offset);
  });
  return norm;
}

}  // namespace regard
