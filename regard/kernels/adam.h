// SPDX-License-Identifier: Apache-2.0
// One step of AdamW over an array (Kingma & Ba 2015; Loshchilov & Hutter 2019).
#pragma once

#include <cstdint>

namespace regard::kernels {

// What a step multiplies by, the same for every element.
struct AdamStep {
  float beta1, beta2, rest1, rest2;  // rest: 1 - beta
  float keep;                        // of the value: 1 - rate * decay
  float rate;                        // divided by 1 - beta1^t
  float root;                        // 1 / sqrt(1 - beta2^t)
  float epsilon;
  float clip;  // multiplies the gradient
};

// g = clip * gradient; first = beta1 first + rest1 g; second = beta2 second + rest2 g^2;
// value = keep value - rate first / (root sqrt(second) + epsilon); gradient = 0. In this thread.
void adam_step(const AdamStep& step, std::int64_t count, float* value, float* gradient,
               float* first, float* second);

}  // namespace regard::kernels
