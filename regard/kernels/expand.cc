// SPDX-License-Identifier: Apache-2.0
// Rows of weights as floats.
#include "regard/kernels/expand.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/expand.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/kernels/load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {

void expand_rows_of(DType type, const std::byte* source, std::int64_t row_bytes, std::int64_t rows,
                    std::int64_t count, float* out, std::int64_t out_stride) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::byte* const row = source + r * row_bytes;
    switch (type) {
      case DType::kF16:
        convert_row<DType::kF16>(row, count, out + r * out_stride);
        break;
      case DType::kBF16:
        convert_row<DType::kBF16>(row, count, out + r * out_stride);
        break;
      default:
        convert_row<DType::kF32>(row, count, out + r * out_stride);
    }
  }
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(expand_rows_of);

bool can_expand(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

void expand_rows(DType type, const std::byte* source, std::int64_t row_bytes, std::int64_t rows,
                 std::int64_t count, float* out, std::int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(expand_rows_of)(type, source, row_bytes, rows, count, out, out_stride);
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
