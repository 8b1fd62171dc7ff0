// SPDX-License-Identifier: Apache-2.0
// The terms of one row of attention: docs/mathematics.md, "Logit" to "Output".
#include "regard/analysis/explain.h"

#include <fmt/format.h>

#include <cmath>

#include "regard/platform/cpu.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

// Instruction sets whose multiply-add rounds once (score-inl.h).
bool fused_multiply_add() {
  const std::string set = instruction_set();
  return set.starts_with("avx") || set.starts_with("neon") || set.starts_with("sve");
}

}  // namespace

Explanation explain(const Trace& trace, HeadId head, std::int64_t token) {
  const HeadView view = trace.head(head);
  if (token < 0 || token >= view.queries)
    throw Error(fmt::format("token of {}: expected 0 to {}, found {}", to_string(head),
                            view.queries - 1, token),
                Error::Kind::kUsage);
  const AttentionMap map = trace.map(head);
  const float* values = trace.values(head);
  const std::int64_t value_dim = values == nullptr ? 0 : trace.layers.at(head.layer).value_dim;
  const bool fused = fused_multiply_add();

  Explanation out;
  out.head = head;
  out.query_index = token;
  out.dim = view.dim;
  out.score = view.score;
  out.lse = view.lse[token];
  out.query.assign(view.query + token * view.dim, view.query + (token + 1) * view.dim);
  std::vector<double> output(static_cast<std::size_t>(value_dim), 0.0);
  for (std::int64_t k = 0; k < view.keys; ++k) {
    Explanation::Step step;
    step.token = k;
    step.key.assign(view.key + k * view.dim, view.key + (k + 1) * view.dim);
    float dot = 0;
    for (std::size_t i = 0; i < step.key.size(); ++i) {
      const float product = out.query[i] * step.key[i];
      step.product.push_back(product);
      dot = fused ? std::fma(out.query[i], step.key[i], dot) : dot + product;
    }
    step.dot = static_cast<double>(dot);
    step.scaled = static_cast<double>(map.logit(token, k));
    step.masked = std::isinf(step.scaled) && step.scaled < 0;
    step.weight = step.masked ? 0.0 : std::exp(step.scaled - out.lse);
    if (values != nullptr) {
      step.value.assign(values + k * value_dim, values + (k + 1) * value_dim);
      for (std::size_t i = 0; i < step.value.size(); ++i) {
        const double term = step.weight * static_cast<double>(step.value[i]);
        step.weighted.push_back(static_cast<float>(term));
        output[i] += term;
      }
    }
    out.steps.push_back(std::move(step));
  }
  out.output.assign(output.begin(), output.end());
  return out;
}

}  // namespace regard
