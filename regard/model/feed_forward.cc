// SPDX-License-Identifier: Apache-2.0
// The MLP of a layer, and mixtures of experts (Shazeer et al. 2017; Jiang et al. 2024).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "regard/model/pass.h"

namespace regard {
namespace {

// Rows of a product at a time, so that an MLP's wide middle stays small.
constexpr std::int64_t kRows = 2048;

// gpt-oss: both clamped, up + 1, gate * sigmoid(alpha gate). Elements lie `step` apart; out may be
// gates when step is 1.
void gate_clamped(const float* gates, const float* ups, std::int64_t step, std::int64_t count,
                  const ExpertsSpec& spec, float* out) {
  const float clamp = spec.clamp;
  for (std::int64_t i = 0; i < count; ++i) {
    const float gate = std::min(gates[i * step], clamp);
    const float up = std::clamp(ups[i * step], -clamp, clamp);
    out[i] = (up + 1) * gate / (1 + std::exp(-spec.alpha * gate));
  }
}

// y [rows, width] = down(activation(..)). observer: null for experts.
void mlp(const StackSpec& stack, const MlpWeights& w, const float* x, std::int64_t rows, float* y,
         Observer* observer = nullptr, int layer = 0) {
  const auto show = [&](Point point, Tensor* values, std::int64_t now) {
    if (observer != nullptr)
      observer->at(point, layer, {values->data(), {now, values->shape()[1]}});
  };
  const bool turns = stack.experts && stack.experts->interleaved && !present(w.gate);
  const std::int64_t width = w.down.out(), in = w.up.in(), middle = w.up.out();
  Tensor up({std::min(rows, kRows), middle}), gate;
  if (present(w.gate)) gate = Tensor({std::min(rows, kRows), middle});
  if (turns) gate = Tensor({std::min(rows, kRows), middle / 2});
  for (std::int64_t first = 0; first < rows; first += kRows) {
    const std::int64_t now = std::min(kRows, rows - first);
    product(x + first * in, now, w.up, up.data());
    show(Point::kMlpUp, &up, now);
    const float* inner = up.data();
    const float clamp = stack.experts ? stack.experts->clamp : 0;
    if (turns) {
      gate_clamped(up.data(), up.data() + 1, 2, now * middle / 2, *stack.experts, gate.data());
      inner = gate.data();
    } else if (present(w.gate)) {
      product(x + first * in, now, w.gate, gate.data());
      show(Point::kMlpGate, &gate, now);
      if (clamp > 0)
        gate_clamped(gate.data(), up.data(), 1, now * middle, *stack.experts, gate.data());
      else
        kernels::activate_gated(stack.activation, gate.data(), up.data(), now * middle);
      inner = gate.data();
    } else {
      kernels::activate(stack.activation, up.data(), now * middle);
    }
    product(inner, now, w.down, y + first * width);
  }
}

struct Choice {
  std::int64_t token;
  float weight;
};

// For each expert the tokens that chose it.
std::vector<std::vector<Choice>> route(const ExpertsSpec& spec, const float* logits,
                                       std::int64_t tokens) {
  std::vector<std::vector<Choice>> out(static_cast<std::size_t>(spec.count));
  std::vector<std::int64_t> order(static_cast<std::size_t>(spec.count));
  for (std::int64_t t = 0; t < tokens; ++t) {
    const float* row = logits + t * spec.count;
    std::iota(order.begin(), order.end(), 0);
    const auto chosen = order.begin() + spec.chosen;
    std::partial_sort(order.begin(), chosen, order.end(), [&](std::int64_t a, std::int64_t b) {
      return row[a] != row[b] ? row[a] > row[b] : a < b;
    });
    const double top = row[order[0]];
    double sum = 0;
    const bool all = spec.router == Router::kSoftmaxAll && !spec.renormalise;
    for (auto e = order.begin(); e != (all ? order.end() : chosen); ++e)
      sum += std::exp(static_cast<double>(row[*e]) - top);
    for (auto e = order.begin(); e != chosen; ++e)
      out[static_cast<std::size_t>(*e)].push_back(
          {t, static_cast<float>(std::exp(static_cast<double>(row[*e]) - top) / sum)});
  }
  return out;
}

}  // namespace

void feed_forward(const Pass& pass, int layer, const LayerWeights& w, const Tensor& x,
                  Tensor* out) {
  const StackSpec& stack = pass.stack;
  const std::int64_t n = x.shape()[0], width = x.shape()[1];
  if (!stack.layer[static_cast<std::size_t>(layer)].experts)
    return mlp(stack, w.mlp, x.data(), n, out->data(), pass.records_cross ? nullptr : pass.observer,
               layer);

  Tensor logits({n, stack.experts->count});
  product(x.data(), n, w.router, logits.data());
  std::fill(out->span().begin(), out->span().end(), 0.0f);
  const auto choices = route(*stack.experts, logits.data(), n);
  for (std::size_t e = 0; e < choices.size(); ++e) {
    const auto rows = std::ssize(choices[e]);
    if (rows == 0) continue;
    Tensor in({rows, width}), done({rows, width});
    for (std::int64_t i = 0; i < rows; ++i)
      std::copy_n(x.data() + choices[e][static_cast<std::size_t>(i)].token * width, width,
                  in.data() + i * width);
    mlp(stack, w.experts[e], in.data(), rows, done.data());
    for (std::int64_t i = 0; i < rows; ++i) {
      const Choice& choice = choices[e][static_cast<std::size_t>(i)];
      float* to = out->data() + choice.token * width;
      for (std::int64_t k = 0; k < width; ++k) to[k] += choice.weight * done.data()[i * width + k];
    }
  }
}

}  // namespace regard
