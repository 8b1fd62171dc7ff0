// SPDX-License-Identifier: Apache-2.0
// Weights before training: their distribution, and that they depend on seed and name alone.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "regard/checkpoint/checkpoint.h"
#include "regard/platform/testing.h"

namespace regard {
namespace {

struct Files {
  TemporaryFolder folder;
  std::vector<float> matrix = std::vector<float>(400 * 100, 7.0f), bias = {7, 7}, gain = {7, 7};
  std::vector<std::int64_t> ids = {3, 1};

  std::string write(const std::string& name, bool swapped) const {
    const auto view = [](DType type, Shape shape, const auto& values) {
      return TensorView{type, std::move(shape), reinterpret_cast<const std::byte*>(values.data())};
    };
    std::vector<SafetensorsEntry> entries = {{"a.weight", view(DType::kF32, {400, 100}, matrix)},
                                             {"b.weight", view(DType::kF32, {400, 100}, matrix)},
                                             {"norm.bias", view(DType::kF32, {2}, bias)},
                                             {"norm.weight", view(DType::kF32, {2}, gain)},
                                             {"position_ids", view(DType::kI64, {2}, ids)}};
    if (swapped) std::swap(entries[0], entries[1]);
    const std::string path = (folder.path() / name).string();
    write_safetensors(path, entries, {});
    return path;
  }
};

TEST(Untrained, MatricesAreNormalWithTheUsualDeviationAndVectorsNeutral) {
  const Files files;
  Checkpoint checkpoint = Checkpoint::open(files.write("m.safetensors", false));
  checkpoint.draw_at_random(0);
  const auto values = checkpoint.find("a.weight")->f32();
  ASSERT_EQ(values.size(), 40000u);
  double sum = 0, squares = 0, fourth = 0;
  for (const float x : values) {
    sum += x;
    squares += static_cast<double>(x) * x;
    fourth += std::pow(static_cast<double>(x), 4);
  }
  const double variance = squares / 40000;
  EXPECT_NEAR(sum / 40000, 0, 5 * 0.02 / 200);  // five standard errors
  EXPECT_NEAR(std::sqrt(variance), 0.02, 5 * 0.02 / std::sqrt(80000.0));
  EXPECT_NEAR(fourth / 40000 / (variance * variance), 3, 0.13);  // a normal distribution's kurtosis
  EXPECT_EQ(checkpoint.find("norm.bias")->f32()[1], 0.0f);
  EXPECT_EQ(checkpoint.find("norm.weight")->f32()[1], 1.0f);
  EXPECT_EQ(checkpoint.find("position_ids")->dtype, DType::kI64);
}

TEST(Untrained, TheSameSeedAndNameGiveTheSameNumbersWhateverTheOrderInTheFile) {
  const Files files;
  Checkpoint one = Checkpoint::open(files.write("1.safetensors", false));
  Checkpoint two = Checkpoint::open(files.write("2.safetensors", true));
  Checkpoint other = Checkpoint::open(files.write("3.safetensors", false));
  one.draw_at_random(0);
  two.draw_at_random(0);
  other.draw_at_random(1);
  const auto first = [](const Checkpoint& from, const char* name) {
    const auto values = from.find(name)->f32();
    return std::vector<float>(values.begin(), values.begin() + 16);
  };
  EXPECT_EQ(first(one, "a.weight"), first(two, "a.weight"));
  EXPECT_EQ(first(one, "b.weight"), first(two, "b.weight"));
  EXPECT_NE(first(one, "a.weight"), first(one, "b.weight"));
  EXPECT_NE(first(one, "a.weight"), first(other, "a.weight"));
}

}  // namespace
}  // namespace regard
