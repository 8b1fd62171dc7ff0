// SPDX-License-Identifier: Apache-2.0
// An attention with its gradients, for the tests of backward.h.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "regard/attention/backward.h"

namespace regard {

// Inputs by part, an attention over them, and where its gradients go.
struct GradientRun {
  std::map<std::string, std::vector<float>> array, gradient;
  std::vector<std::int32_t> slot;
  std::vector<float> slopes, out, out_gradient;
  std::vector<double> lse;
  std::vector<std::uint8_t> valid;
  AttentionInput in;

  void point() {
    const auto at = [&](const char* part) -> const float* {
      const auto found = array.find(part);
      return found == array.end() ? nullptr : found->second.data();
    };
    in.query = at("query"), in.key = at("key"), in.value = at("value");
    in.terms.bias = at("bias"), in.terms.sinks = at("sinks");
    in.terms.query_relative = at("query_relative"), in.terms.key_relative = at("key_relative");
    in.terms.slot = slot.empty() ? nullptr : slot.data();
    in.terms.slopes = slopes.empty() ? nullptr : slopes.data();
    in.key_valid = valid.empty() ? nullptr : valid.data();
  }

  void backward() {
    point();
    out.assign(static_cast<std::size_t>(in.queries * in.heads * in.value_dim), 0.0f);
    lse.assign(static_cast<std::size_t>(in.heads * in.queries), 0.0);
    attention_forward(in, {out.data(), lse.data()});
    const auto room = [&](const char* part) -> float* {
      if (!array.contains(part)) return nullptr;
      // Whatever was there is overwritten.
      gradient[part].assign(array[part].size(), std::numeric_limits<float>::quiet_NaN());
      return gradient[part].data();
    };
    attention_backward(in, {out.data(), lse.data(), out_gradient.data()},
                       {room("query"), room("key"), room("value"), room("bias"), room("sinks"),
                        room("query_relative"), room("key_relative")});
  }
};

}  // namespace regard
