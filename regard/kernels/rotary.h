// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding (Su et al. 2021): pairs of a vector's elements turn by an angle that
// grows with the position.
#pragma once

#include <cstdint>
#include <span>

namespace regard::kernels {

// cosine, sine: [rows, frequencies], of the angle frequency * (first + row), times `magnitude`.
// The angle is rounded to fp32, as in the frameworks in which the models were trained.
void rotary_table(std::span<const float> frequencies, std::int64_t first, std::int64_t rows,
                  float magnitude, float* cosine, float* sine);

// Turns the first 2 * pairs elements of each row in place. x: [rows, dim], dense; tables [rows,
// pairs]. A pair is (i, i + pairs), or (2 i, 2 i + 1) when `neighbours`:
//   first' = first * cosine - second * sine, second' = second * cosine + first * sine
void rotate(float* x, std::int64_t rows, std::int64_t dim, std::int64_t pairs, bool neighbours,
            const float* cosine, const float* sine);

// Backward, in place: turns the gradient by the rotated rows into that by the rows.
//   first = first' * cosine + second' * sine, second = second' * cosine - first' * sine
void rotate_backward(float* gradient, std::int64_t rows, std::int64_t dim, std::int64_t pairs,
                     bool neighbours, const float* cosine, const float* sine);

}  // namespace regard::kernels
