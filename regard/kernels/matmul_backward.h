// SPDX-License-Identifier: Apache-2.0
// Gradients of y = x W^T + b, and of a table's rows.
#pragma once

#include <cstdint>

#include "regard/kernels/matmul.h"

namespace regard::kernels {

// dx [rows, in] = dy W. dy: [rows, out], dense, as dx. Throws like matmul().
void matmul_backward_input(const float* dy, std::int64_t rows, const Weight& weight, float* dx);

// dw += the gradient by W, laid out as weight.data, and db [out] += the column sums of dy; db may
// be null. x: [rows, in] and dy: [rows, out], dense. Sums run over rows in ascending order whatever
// the number of threads. Only the shape of `weight` is looked at.
void matmul_backward_weight(const float* x, const float* dy, std::int64_t rows,
                            const Weight& weight, float* dw, float* db);

// table[index[r]] += dy[r] for r in ascending order. dy: [rows, width], table: [.., width]; rows of
// a negative index are left out.
void embedding_backward(const std::int64_t* index, std::int64_t rows, std::int64_t width,
                        const float* dy, float* table);

}  // namespace regard::kernels
