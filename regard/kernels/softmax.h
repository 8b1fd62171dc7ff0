// SPDX-License-Identifier: Apache-2.0
// Softmax of dense rows (for predictions; attention has its own, fused), and its cross-entropy.
#pragma once

#include <cstdint>

namespace regard::kernels {

// y = exp(x - lse) over the last axis. x, y: [rows, width]; y may be x. lse: [rows] natural
// log-sum-exp, or null. A row of only -inf becomes zeros with lse -inf.
void softmax(const float* x, std::int64_t rows, std::int64_t width, float* y, double* lse);

// The sum over rows of lse - logits[target], the cross-entropy of a softmax. logits [rows, width]
// become its gradient times `weight`: weight * (softmax - 1 at the target). target: [rows], each in
// [0, width).
double cross_entropy(float* logits, std::int64_t rows, std::int64_t width,
                     const std::int64_t* target, float weight);

}  // namespace regard::kernels
