// SPDX-License-Identifier: Apache-2.0
// Softmax of dense rows (for predictions; attention has its own, fused).
#pragma once

#include <cstdint>

namespace regard::kernels {

// y = exp(x - lse) over the last axis. x, y: [rows, width]; y may be x. lse: [rows] natural
// log-sum-exp, or null. A row of only -inf becomes zeros with lse -inf.
void softmax(const float* x, std::int64_t rows, std::int64_t width, float* y, double* lse);

}  // namespace regard::kernels
