// SPDX-License-Identifier: Apache-2.0
// Shapes, conversions and buffers.
#include "regard/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "regard/platform/error.h"

namespace regard {
namespace {

// The elements as floats, from a copy one byte off every alignment.
template <typename T>
std::vector<float> converted(DType type, const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T) + 1);
  std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(T));
  TensorView view{type, {static_cast<std::int64_t>(values.size())}, bytes.data() + 1};
  std::vector<float> out(values.size());
  convert_to_f32(view, out);
  return out;
}

TEST(Shape, CountsElementsAndRefusesNegativeAndHugeOnes) {
  EXPECT_EQ(element_count(Shape{}), 1);
  EXPECT_EQ(element_count(Shape{2, 3, 4}), 24);
  EXPECT_EQ(element_count(Shape{1ll << 62, 1ll << 62, 0}), 0);
  EXPECT_THROW(element_count(Shape{-1}), Error);
  EXPECT_THROW(element_count(Shape{1ll << 32, 1ll << 31}), Error);
  EXPECT_EQ(to_string(Shape{2, 3, 4}), "[2, 3, 4]");
  EXPECT_EQ(to_string(Shape{}), "[]");
}

TEST(DType, OfABlockHasNoBytesOfOneElement) {
  EXPECT_EQ(name_of(DType::kQ6_K), "Q6_K");
  EXPECT_EQ(block_of(DType::kQ6_K).elements, 256u);
  EXPECT_EQ(block_of(DType::kQ6_K).bytes, 210u);
  EXPECT_FALSE(is_plain(DType::kMXFP4));
  EXPECT_THROW(size_of(DType::kQ4_0), Error);
  const std::byte block[18] = {};
  std::vector<float> out(32);
  EXPECT_THROW(convert_to_f32({DType::kQ4_0, {32}, block}, out), Error);
}

TEST(ByteCount, CountsWholeBlocksAndNeverWraps) {
  EXPECT_EQ(byte_count(Shape{}, DType::kF32), 4u);
  EXPECT_EQ(byte_count(Shape{2, 3}, DType::kF16), 12u);
  EXPECT_EQ(byte_count(Shape{3, 64}, DType::kQ4_0), 3u * 2 * 18);
  EXPECT_EQ(byte_count(Shape{2, 512}, DType::kQ4_K), 2u * 2 * 144);
  EXPECT_EQ(byte_count(Shape{1ll << 62, 0, 1ll << 62}, DType::kF64), 0u);
  EXPECT_FALSE(byte_count(Shape{64, 3}, DType::kQ4_0));
  EXPECT_FALSE(byte_count(Shape{}, DType::kQ8_0));
  EXPECT_FALSE(byte_count(Shape{-1}, DType::kU8));
  EXPECT_FALSE(byte_count(Shape{1ll << 62}, DType::kF32));
  EXPECT_FALSE(byte_count(Shape{1ll << 32, 1ll << 32}, DType::kU8));
}

TEST(DType, HasTheNamesAndSizesOfSafetensors) {
  for (const char* name : {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}) {
    ASSERT_TRUE(dtype_named(name)) << name;
    EXPECT_EQ(name_of(*dtype_named(name)), name);
  }
  EXPECT_FALSE(dtype_named("F8_E4M3"));
  EXPECT_EQ(size_of(DType::kBF16), 2u);
  EXPECT_EQ(size_of(DType::kI64), 8u);
  EXPECT_FALSE(dtype_named("Q4_0"));
}

TEST(Convert, ReadsHalfPrecisionExactly) {
  const auto half = converted<std::uint16_t>(
      DType::kF16, {0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x8000, 0x7c00, 0x7e00});
  EXPECT_EQ(half[0], 1.0f);
  EXPECT_EQ(half[1], -2.0f);
  EXPECT_EQ(half[2], 65504.0f);
  EXPECT_EQ(half[3], 0x1p-24f);
  EXPECT_EQ(half[4], 1023 * 0x1p-24f);
  EXPECT_EQ(half[5], 0x1p-14f);
  EXPECT_TRUE(half[6] == 0 && std::signbit(half[6]));
  EXPECT_TRUE(std::isinf(half[7]));
  EXPECT_TRUE(std::isnan(half[8]));
  EXPECT_EQ(converted<std::uint16_t>(DType::kBF16, {0x3f80, 0xc040}),
            (std::vector<float>{1.0f, -3.0f}));
}

TEST(Convert, ReadsIntegersAndDoublesUnaligned) {
  EXPECT_EQ(converted<float>(DType::kF32, {1.5f}), std::vector<float>{1.5f});
  EXPECT_EQ(converted<double>(DType::kF64, {-0.25}), std::vector<float>{-0.25f});
  EXPECT_EQ(converted<std::int64_t>(DType::kI64, {-5}), std::vector<float>{-5.0f});
  EXPECT_EQ(converted<std::int8_t>(DType::kI8, {-128}), std::vector<float>{-128.0f});
  EXPECT_EQ(converted<std::uint8_t>(DType::kU8, {255}), std::vector<float>{255.0f});
  EXPECT_EQ(converted<std::uint8_t>(DType::kBool, {0, 1}), (std::vector<float>{0.0f, 1.0f}));
}

TEST(View, GivesFloatsOnlyWhenTypeAndAlignmentAllow) {
  alignas(4) std::byte bytes[9] = {};
  EXPECT_EQ((TensorView{DType::kF32, {2}, bytes}.f32().size()), 2u);
  EXPECT_THROW((TensorView{DType::kF32, {2}, bytes + 1}.f32()), Error);
  EXPECT_THROW((TensorView{DType::kI32, {2}, bytes}.f32()), Error);
}

TEST(Buffer, IsAlignedZeroedAndEmptyWhenAnAxisIsZero) {
  const Buffer<double> zeros = Buffer<double>::zeros({3, 5});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(zeros.data()) % 64, 0u);
  for (const double x : zeros.span()) EXPECT_EQ(x, 0.0);
  EXPECT_TRUE(Tensor({0, 4}).empty());
  EXPECT_THROW(Buffer<double>({1ll << 62}), Error);
}

}  // namespace
}  // namespace regard
