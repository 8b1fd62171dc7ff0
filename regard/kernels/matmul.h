// SPDX-License-Identifier: Apache-2.0
// y = x W^T + b, the product of every projection.
#pragma once

#include <cstdint>

#include "regard/tensor/tensor.h"

namespace regard::kernels {

// A weight as it lies in its file.
// Thread safety: read-only.
struct Weight {
  TensorView data;              // [out, in], any type that expand_rows knows (expand.h), row-major;
  bool transposed = false;      //   or [in, out] when transposed (GPT-2's Conv1D; not quantised)
  const float* bias = nullptr;  // [out], or none
  std::int64_t out() const { return data.shape[transposed ? 1 : 0]; }
  std::int64_t in() const { return data.shape[transposed ? 0 : 1]; }
};

// y[i, o] = bias[o] + sum over k of x[i, k] * W[o, k], accumulated along k in ascending order in
// fp32, whatever the number of rows, so that a row's result does not depend on its neighbours.
// x: [rows, in] with row stride x_stride; y: [rows, out] with row stride y_stride (elements).
// Weights stay where they are: a panel at a time is expanded to fp32 and packed on its way into
// the product. Threads: parallel over panels (threads.h). Throws Error when the weight has not two
// axes, is of an unknown type, without inputs, or quantised with rows that are no whole number of
// blocks.
void matmul(const float* x, std::int64_t rows, std::int64_t x_stride, const Weight& weight,
            float* y, std::int64_t y_stride);

}  // namespace regard::kernels
