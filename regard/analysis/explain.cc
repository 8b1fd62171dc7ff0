// SPDX-License-Identifier: Apache-2.0
// The terms of one row of attention: docs/mathematics.md, "Logit" to "Output".
#include "regard/analysis/explain.h"

#include <fmt/format.h>

#include <cmath>

#include "regard/platform/error.h"

namespace regard {
Explanation explain(const Trace& trace, HeadId head, std::int64_t token) {
  const HeadView view = trace.head(head);
  if (token < 0 || token >= view.queries)
    throw Error(fmt::format("token of {}: expected 0 to {}, found {}", to_string(head),
                            view.queries - 1, token),
                Error::Kind::kUsage);
  const AttentionMap map = trace.map(head);
  const float* values = trace.values(head);
  const std::int64_t value_dim = values == nullptr ? 0 : trace.layers.at(head.layer).value_dim;
  // Scale 1, no cap, no mask: its logits are the dot products, added up by the score's own code.
  HeadView bare = view;
  bare.score = ScoreSpec{};
  bare.terms = ScoreTerms{};
  bare.key_valid = nullptr;
  const AttentionMap dots(bare);

  Explanation out;
  out.head = head;
  out.query_index = token;
  out.dim = view.dim;
  out.score = view.score;
  out.lse = view.lse[token];
  out.query.assign(view.query + token * view.dim, view.query + (token + 1) * view.dim);
  std::vector<float> dot(static_cast<std::size_t>(view.keys)), logit(dot.size());
  dots.logits(token, dot);
  map.logits(token, logit);
  std::vector<double> output(static_cast<std::size_t>(value_dim), 0.0);
  for (std::int64_t k = 0; k < view.keys; ++k) {
    Explanation::Step step;
    step.token = k;
    step.key.assign(view.key + k * view.dim, view.key + (k + 1) * view.dim);
    for (std::size_t i = 0; i < step.key.size(); ++i)
      step.product.push_back(out.query[i] * step.key[i]);
    step.dot = static_cast<double>(dot[static_cast<std::size_t>(k)]);
    step.scaled = static_cast<double>(logit[static_cast<std::size_t>(k)]);
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
