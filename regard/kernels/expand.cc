// SPDX-License-Identifier: Apache-2.0
// Rows of weights as floats: a function for each type, chosen once for all rows.
#include "regard/kernels/expand.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/expand.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/kernels/dequantize-inl.h"
#include "regard/kernels/load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {

template <DType kType>
void expand_row(const std::byte* row, const std::byte*, std::int64_t count, float* out) {
  if constexpr (kType == DType::kF32 || kType == DType::kF16 || kType == DType::kBF16) {
    convert_row<kType>(row, count, out);
  } else {
    dequantize_row<kType>(row, count, out);
  }
}

template <>
void expand_row<DType::kMXFP4Split>(const std::byte* row, const std::byte* scales,
                                    std::int64_t count, float* out) {
  dequantize_split_row(row, scales, count, out);
}

using ExpandRow = void (*)(const std::byte*, const std::byte*, std::int64_t, float*);

ExpandRow row_function(DType type) {
  switch (type) {
#define REGARD_TYPE(name) \
  case DType::name:       \
    return expand_row<DType::name>;
    REGARD_TYPE(kF32)
    REGARD_TYPE(kF16)
    REGARD_TYPE(kBF16)
    REGARD_TYPE(kQ4_0)
    REGARD_TYPE(kQ4_1)
    REGARD_TYPE(kQ5_0)
    REGARD_TYPE(kQ5_1)
    REGARD_TYPE(kQ8_0)
    REGARD_TYPE(kQ2_K)
    REGARD_TYPE(kQ3_K)
    REGARD_TYPE(kQ4_K)
    REGARD_TYPE(kQ5_K)
    REGARD_TYPE(kQ6_K)
    REGARD_TYPE(kIQ4_NL)
    REGARD_TYPE(kMXFP4)
    REGARD_TYPE(kMXFP4Split)
#undef REGARD_TYPE
    default:
      return nullptr;
  }
}

void expand_rows_of(DType type, const std::byte* source, std::int64_t row_bytes, std::int64_t rows,
                    std::int64_t count, float* out, std::int64_t out_stride,
                    const std::byte* scales, std::int64_t scale_row_bytes) {
  const ExpandRow expand = row_function(type);
  for (std::int64_t r = 0; r < rows; ++r)
    expand(source + r * row_bytes, scales == nullptr ? nullptr : scales + r * scale_row_bytes,
           count, out + r * out_stride);
}

}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace regard::kernels {

HWY_EXPORT(expand_rows_of);

bool can_expand(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16 || !is_plain(type);
}

void expand_rows(DType type, const std::byte* source, std::int64_t row_bytes, std::int64_t rows,
                 std::int64_t count, float* out, std::int64_t out_stride, const std::byte* scales,
                 std::int64_t scale_row_bytes) {
  HWY_DYNAMIC_DISPATCH(expand_rows_of)
  (type, source, row_bytes, rows, count, out, out_stride, scales, scale_row_bytes);
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
