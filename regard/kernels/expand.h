// SPDX-License-Identifier: Apache-2.0
// Rows of weights as floats, whatever type they are stored in: what the matrix product and the
// embeddings read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "regard/tensor/dtype.h"

namespace regard::kernels {

// Whether expand_rows knows the type.
bool can_expand(DType type);

// out[r * out_stride + i] = element i of row r, exactly, for r in [0, rows) and i in [0, count).
// source: the first element of the first row, at any alignment; rows lie row_bytes apart.
// REQUIRES: can_expand(type); source at the beginning of a block and `count` a multiple of
// block_of(type).elements; for kMXFP4Split `scales`, the first block's, with the rows' scales
// scale_row_bytes apart. Reads only the bytes of those elements.
// Quantised values are those of the gguf package's dequantisation, bit for bit.
void expand_rows(DType type, const std::byte* source, std::int64_t row_bytes, std::int64_t rows,
                 std::int64_t count, float* out, std::int64_t out_stride,
                 const std::byte* scales = nullptr, std::int64_t scale_row_bytes = 0);

}  // namespace regard::kernels
