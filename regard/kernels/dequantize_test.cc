// SPDX-License-Identifier: Apache-2.0
// Quantised blocks against the dequantisation of the gguf package and of transformers, bit for bit
// (tests/golden/weights, made by tools/make_weights_golden.py).
#include <gtest/gtest.h>

#include <cstring>

#include "regard/checkpoint/checkpoint.h"
#include "regard/kernels/expand.h"
#include "regard/kernels/matmul.h"
#include "regard/kernels/testing.h"

namespace regard::kernels {
namespace {

const std::string kFolder = std::string(REGARD_SOURCE_DIR) + "/tests/golden/weights/";
constexpr DType kBlockTypes[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,   DType::kQ5_1,
                                 DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,
                                 DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kMXFP4};
constexpr DType kOtherTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

class Dequantize : public OnEveryInstructionSet {
 protected:
  const Checkpoint types_ = Checkpoint::open(kFolder + "types.gguf");
  const Checkpoint expected_ = Checkpoint::open(kFolder + "types.safetensors");

  std::vector<float> expected(std::string_view name) const {
    const TensorView view = *expected_.find(name);
    std::vector<float> values(static_cast<std::size_t>(view.size()));
    convert_to_f32(view, values);
    return values;
  }
  static std::int64_t row_bytes(const TensorView& view) {
    return static_cast<std::int64_t>(*byte_count(Shape{view.shape.back()}, view.dtype));
  }
};
INSTANTIATE_TEST_SUITE_P(, Dequantize, testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param; });

// Bit patterns, so that -0 is not 0.
std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  std::memcpy(bits.data(), values.data(), values.size() * sizeof(float));
  return bits;
}

TEST_P(Dequantize, GivesTheBitsOfTheGgufPackageForEveryType) {
  std::vector<DType> types(std::begin(kBlockTypes), std::end(kBlockTypes));
  types.insert(types.end(), std::begin(kOtherTypes), std::end(kOtherTypes));
  for (const DType type : types) {
    const TensorView view = types_.at(name_of(type), Shape{3, 512});
    ASSERT_EQ(view.dtype, type);
    ASSERT_TRUE(can_expand(type));
    // From a copy that ends at an unreadable page.
    GuardedMemory source(*byte_count(view.shape, type));
    std::memcpy(source.data(), view.data, *byte_count(view.shape, type));
    std::vector<float> out(3 * 520, 7.0f);
    expand_rows(type, source.data(), row_bytes(view), 3, 512, out.data(), 520);
    const std::vector<float> want = expected(name_of(type));
    for (std::int64_t r = 0; r < 3; ++r) {
      const auto begin = out.begin() + r * 520;
      EXPECT_EQ(bits_of({begin, begin + 512}),
                bits_of({want.begin() + r * 512, want.begin() + (r + 1) * 512}))
          << name_of(type) << " row " << r;
      EXPECT_EQ(begin[512], 7.0f);
    }
  }
}

TEST_P(Dequantize, StartsAtAnyBlock) {
  for (const DType type : kBlockTypes) {
    const TensorView view = *types_.find(name_of(type));
    const TypeBlock block = block_of(type);
    std::vector<float> out(block.elements);
    expand_rows(type, view.data + block.bytes, row_bytes(view), 1,
                static_cast<std::int64_t>(block.elements), out.data(), 0);
    const std::vector<float> want = expected(name_of(type));
    const auto begin = want.begin() + static_cast<std::ptrdiff_t>(block.elements);
    EXPECT_EQ(bits_of(out), bits_of({begin, begin + static_cast<std::ptrdiff_t>(block.elements)}))
        << name_of(type);
  }
}

TEST_P(Dequantize, GivesTransformersValuesOfBlocksAndScales) {
  const TensorView view = expected_.at("mxfp4", Shape{2, 3, 128});
  ASSERT_EQ(view.dtype, DType::kF32);
  const TensorView blocks = *expected_.find("mxfp4_blocks");
  const TensorView scales = *expected_.find("mxfp4_scales");
  std::vector<float> out(6 * 128);
  expand_rows(DType::kMXFP4Split, blocks.data, 64, 6, 128, out.data(), 128, scales.data, 4);
  EXPECT_EQ(out, expected("mxfp4"));
}

// y of a product with W as it is stored, and of one with W expanded.
void expect_same_product(const TensorView& stored, const std::vector<float>& expanded) {
  const std::int64_t out = stored.shape[0], in = stored.shape[1];
  for (const std::int64_t rows : {1, 3, 20}) {
    const std::vector<float> x = normal_floats(rows * in, 5, 1e-3f);
    std::vector<float> y(static_cast<std::size_t>(rows * out)), want = y;
    Weight weight;
    weight.data = stored;
    matmul(x.data(), rows, in, weight, y.data(), out);
    weight.data = {DType::kF32, stored.shape, reinterpret_cast<const std::byte*>(expanded.data())};
    matmul(x.data(), rows, in, weight, want.data(), out);
    EXPECT_EQ(bits_of(y), bits_of(want)) << name_of(stored.dtype) << " " << rows;
  }
}

// Rows of 1,024 in which the golden rows of 512 stand in changing order, no two neighbours alike,
// so that an element of another row or column than was asked for shows.
void expect_same_product_of_many_blocks(const TensorView& golden, const std::vector<float>& want) {
  constexpr std::int64_t kOut = 99, kHalf = 512;
  const std::size_t half_bytes = *byte_count(golden.shape, golden.dtype) / 3;
  std::vector<std::byte> stored;
  std::vector<float> expanded;
  for (std::int64_t r = 0; r < kOut; ++r)
    for (const std::int64_t half : {r % 3, (r + r / 3 % 2 + 1) % 3}) {
      const std::byte* bytes = golden.data + static_cast<std::size_t>(half) * half_bytes;
      stored.insert(stored.end(), bytes, bytes + half_bytes);
      const auto begin = want.begin() + half * kHalf;
      expanded.insert(expanded.end(), begin, begin + kHalf);
    }
  expect_same_product({golden.dtype, {kOut, 2 * kHalf}, stored.data()}, expanded);
}

TEST_P(Dequantize, OnTheWayIntoAProductChangesNothing) {
  for (const DType type : kBlockTypes) {
    expect_same_product(*types_.find(name_of(type)), expected(name_of(type)));
    expect_same_product_of_many_blocks(*types_.find(name_of(type)), expected(name_of(type)));
  }
  const TensorView blocks = *expected_.find("mxfp4_blocks");
  expect_same_product(
      {DType::kMXFP4Split, {6, 128}, blocks.data, expected_.find("mxfp4_scales")->data},
      expected("mxfp4"));
}

}  // namespace
}  // namespace regard::kernels
