// SPDX-License-Identifier: Apache-2.0
// Normalisations over the last axis.
#pragma once

#include <cstdint>

namespace regard::kernels {

// Layer normalisation (Ba et al. 2016): y = (x - mean) / sqrt(variance + epsilon) * gain + bias,
// variance over n (not n - 1). x, y: [rows, width], dense; y may be x. bias may be null.
void layer_norm(const float* x, std::int64_t rows, std::int64_t width, const float* gain,
                const float* bias, float epsilon, float* y);

// Root-mean-square normalisation (Zhang & Sennrich 2019): y = x / sqrt(mean(x^2) + epsilon) * gain.
// x, y: [rows, width], dense; y may be x.
void rms_norm(const float* x, std::int64_t rows, std::int64_t width, const float* gain,
              float epsilon, float* y);

// Backward of both. x: what was normalised; dy: the gradient by y. Adds the gradients by gain and
// bias to dgain and dbias [width], which may be null, and writes the gradient by x to dx, or adds
// it there. dx may be dy. Sums over rows are taken in one order whatever the number of threads.
void layer_norm_backward(const float* x, std::int64_t rows, std::int64_t width, const float* gain,
                         float epsilon, const float* dy, bool add, float* dx, float* dgain,
                         float* dbias);
void rms_norm_backward(const float* x, std::int64_t rows, std::int64_t width, const float* gain,
                       float epsilon, const float* dy, bool add, float* dx, float* dgain);

}  // namespace regard::kernels
