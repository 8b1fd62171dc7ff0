// SPDX-License-Identifier: Apache-2.0
// The terms of one row of attention: docs/mathematics.md, "Logit" to "Output".
#include "regard/analysis/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "regard/platform/error.h"

namespace regard {
namespace {

// Keys of the largest logits, ascending; all of them when there are no more than `most`, or it is
// 0.
std::vector<std::int64_t> heaviest(const std::vector<float>& logits, std::size_t most) {
  std::vector<std::int64_t> keys(logits.size());
  std::iota(keys.begin(), keys.end(), std::int64_t{0});
  if (most == 0 || most >= keys.size()) return keys;
  const auto cut = keys.begin() + static_cast<std::ptrdiff_t>(most);
  std::nth_element(keys.begin(), cut, keys.end(), [&](std::int64_t a, std::int64_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  keys.erase(cut, keys.end());
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

Explanation explain(const Trace& trace, HeadId head, std::int64_t token, std::size_t most) {
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
  const auto weight_of = [&](std::int64_t k) {
    return std::exp(static_cast<double>(logit[static_cast<std::size_t>(k)]) - out.lse);
  };
  for (std::int64_t k = 0; values != nullptr && k < view.keys; ++k) {
    if (std::isinf(logit[static_cast<std::size_t>(k)])) continue;  // masked
    const double weight = weight_of(k);
    for (std::int64_t i = 0; i < value_dim; ++i)
      output[static_cast<std::size_t>(i)] +=
          weight * static_cast<double>(values[k * value_dim + i]);
  }
  for (const std::int64_t k : heaviest(logit, most)) {
    Explanation::Step step;
    step.token = k;
    step.key.assign(view.key + k * view.dim, view.key + (k + 1) * view.dim);
    for (std::size_t i = 0; i < step.key.size(); ++i)
      step.product.push_back(out.query[i] * step.key[i]);
    step.dot = static_cast<double>(dot[static_cast<std::size_t>(k)]);
    step.scaled = static_cast<double>(logit[static_cast<std::size_t>(k)]);
    step.masked = std::isinf(step.scaled) && step.scaled < 0;
    step.weight = step.masked ? 0.0 : weight_of(k);
    if (values != nullptr) {
      step.value.assign(values + k * value_dim, values + (k + 1) * value_dim);
      for (const float value : step.value)
        step.weighted.push_back(static_cast<float>(step.weight * static_cast<double>(value)));
    }
    out.steps.push_back(std::move(step));
  }
  out.output.assign(output.begin(), output.end());
  return out;
}

}  // namespace regard
