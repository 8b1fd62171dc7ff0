// SPDX-License-Identifier: Apache-2.0
#include "regard/kernels/expand.h"

#include <gtest/gtest.h>

#include <cstring>

#include "regard/kernels/testing.h"

namespace regard::kernels {
namespace {

class Expand : public OnEveryInstructionSet {};
INSTANTIATE_TEST_SUITE_P(, Expand, testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param; });

// Rows with their values in binary16, bfloat16 and binary32; patterns from IEEE 754.
struct Pattern {
  DType type;
  std::uint32_t bits;
  float value;
};
constexpr Pattern kPatterns[] = {
    {DType::kF16, 0x3C00, 1.0f},
    {DType::kF16, 0xC000, -2.0f},
    {DType::kF16, 0x0001, 0x1p-24f},
    {DType::kF16, 0x7BFF, 65504.0f},
    {DType::kBF16, 0x3F80, 1.0f},
    {DType::kBF16, 0xC020, -2.5f},
    {DType::kF32, 0x3F800001, 1.0f + 0x1p-23f},
    {DType::kF32, 0x00000001, 0x1p-149f},
};

TEST_P(Expand, GivesEveryElementOfEveryRowAndWritesNothingElse) {
  constexpr std::int64_t kRows = 3, kPad = 1, kOutStride = 60;
  for (const Pattern& pattern : kPatterns) {
    for (const std::int64_t count : {1, 4, 7, 16, 33, 57}) {
      const auto size = static_cast<std::int64_t>(size_of(pattern.type));
      const std::int64_t row_bytes = count * size + kPad;  // so that later rows lie unaligned
      GuardedMemory source(static_cast<std::size_t>(row_bytes * (kRows - 1) + count * size));
      for (std::int64_t r = 0; r < kRows; ++r)
        for (std::int64_t i = 0; i < count; ++i)
          std::memcpy(source.data() + r * row_bytes + i * size, &pattern.bits,
                      static_cast<std::size_t>(size));
      std::vector<float> out(kRows * kOutStride, 7.0f);
      expand_rows(pattern.type, source.data(), row_bytes, kRows, count, out.data(), kOutStride);
      for (std::int64_t i = 0; i < kRows * kOutStride; ++i)
        ASSERT_EQ(out[static_cast<std::size_t>(i)], i % kOutStride < count ? pattern.value : 7.0f)
            << name_of(pattern.type) << " " << count << " " << i;
    }
  }
}

TEST(ExpandTypes, KnowsTheTypesOfWeightsOnly) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) EXPECT_TRUE(can_expand(type));
  for (const DType type : {DType::kF64, DType::kI64, DType::kBool}) EXPECT_FALSE(can_expand(type));
}

}  // namespace
}  // namespace regard::kernels
