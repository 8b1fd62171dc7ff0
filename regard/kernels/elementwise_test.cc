// SPDX-License-Identifier: Apache-2.0
// Activations, softmax, normalisations and rotations against the formula in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "regard/kernels/activation.h"
#include "regard/kernels/normalize.h"
#include "regard/kernels/rotary.h"
#include "regard/kernels/softmax.h"
#include "regard/kernels/testing.h"

namespace regard::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class Elementwise : public OnEveryInstructionSet {};
INSTANTIATE_TEST_SUITE_P(, Elementwise, testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param; });

TEST_P(Elementwise, ActivationsAreWithinTheirBoundsEverywhere) {
  std::vector<float> points;
  for (int i = -100000; i <= 100000; ++i) points.push_back(static_cast<float>(i) * 1e-4f);
  for (int e = -120; e <= 120; ++e)
    for (const float sign : {1.0f, -1.0f}) points.push_back(sign * std::ldexp(1.37f, e));
  points.insert(points.end(), {0.0f, -0.0f, 87.0f, -87.0f, 88.5f, -88.5f, 1e3f, -1e3f});
  for (const Activation kind : kAll) {
    std::vector<float> got = points;
    activate(kind, got.data(), static_cast<std::int64_t>(got.size()));
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double expected = formula(kind, static_cast<double>(points[i]));
      const double error = std::abs(static_cast<double>(got[i]) - expected);
      ASSERT_TRUE(error <= 2e-7 || error <= 1e-6 * std::abs(expected))
          << static_cast<int>(kind) << " at " << points[i] << ": " << got[i] << ", not "
          << expected;
    }
  }
}

TEST_P(Elementwise, ActivationsTouchExactlyTheirElementsAndKeepNaN) {
  for (std::int64_t count = 1; count <= 67; ++count) {
    for (const Activation kind : kAll) {
      GuardedMemory memory(static_cast<std::size_t>(count + 1) * 4);
      memory.floats()[0] = -3.0f;  // the element before
      for (std::int64_t i = 1; i <= count; ++i) memory.floats()[i] = kNaN;
      activate(kind, memory.floats() + 1, count);
      EXPECT_EQ(memory.floats()[0], -3.0f);
      for (std::int64_t i = 1; i <= count; ++i) ASSERT_TRUE(std::isnan(memory.floats()[i]));
    }
  }
}

TEST(ActivationNames, AreThoseOfConfigurationFiles) {
  EXPECT_EQ(activation_named("gelu"), Activation::kGelu);
  EXPECT_EQ(activation_named("gelu_new"), Activation::kGeluTanh);
  EXPECT_EQ(activation_named("gelu_pytorch_tanh"), Activation::kGeluTanh);
  EXPECT_EQ(activation_named("relu"), Activation::kRelu);
  EXPECT_EQ(activation_named("silu"), Activation::kSilu);
  EXPECT_EQ(activation_named("swish"), Activation::kSilu);
  EXPECT_EQ(activation_named("tanh"), Activation::kTanh);
  EXPECT_EQ(activation_named("GELU"), std::nullopt);
}

TEST_P(Elementwise, SoftmaxRowsAndTheirLogSumExpsMatchDouble) {
  for (const float scale : {1.0f, 30.0f, 1e4f}) {
    for (const std::int64_t width : {1, 2, 7, 8, 9, 31, 67, 1000, 5003}) {
      constexpr std::int64_t kRows = 3;
      const auto x = normal_floats(kRows * width, 7, scale);
      GuardedMemory memory(static_cast<std::size_t>(kRows * width) * 4);
      std::copy(x.begin(), x.end(), memory.floats());
      double lse[kRows];
      softmax(memory.floats(), kRows, width, memory.floats(), lse);
      for (std::int64_t r = 0; r < kRows; ++r) {
        const float* row = x.data() + r * width;
        const double top = static_cast<double>(*std::max_element(row, row + width));
        double total = 0.0;
        for (std::int64_t i = 0; i < width; ++i) total += std::exp(double{row[i]} - top);
        EXPECT_NEAR(lse[r], top + std::log(total), 1e-6);
        for (std::int64_t i = 0; i < width; ++i) {
          const double expected = std::exp(double{row[i]} - top) / total;
          // x - top is rounded to float once, which the exponential turns into a relative error.
          const double rounding = (top - double{row[i]}) * 0x1p-24;
          ASSERT_NEAR(memory.floats()[r * width + i], expected,
                      (1e-6 + rounding) * expected + 1e-37);
        }
      }
    }
  }
}

TEST_P(Elementwise, SoftmaxOfOnlyMinusInfinityIsZerosAndNaNSpoilsItsRow) {
  for (const std::int64_t width : {1, 5, 16, 37}) {
    std::vector<float> x(static_cast<std::size_t>(2 * width), -kInfinity);
    x[static_cast<std::size_t>(2 * width - 1)] = kNaN;
    double lse[2];
    softmax(x.data(), 2, width, x.data(), lse);
    EXPECT_EQ(lse[0], -std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::isnan(lse[1]));
    for (std::int64_t i = 0; i < width; ++i) {
      EXPECT_EQ(x[static_cast<std::size_t>(i)], 0.0f);
      EXPECT_TRUE(std::isnan(x[static_cast<std::size_t>(width + i)]));
    }
  }
  float x[] = {0.0f, -kInfinity, 0.0f, -kInfinity};
  softmax(x, 1, 4, x, nullptr);
  EXPECT_EQ(x[0], 0.5f);
  EXPECT_EQ(x[1], 0.0f);  // exactly
}

TEST_P(Elementwise, LayerNormMatchesDouble) {
  struct Input {
    float mean, deviation;
  };
  for (const auto& [mean, deviation] :
       {Input{0.0f, 1.0f}, {100.0f, 1.0f}, {-3.0f, 1e-3f}, {0.0f, 1e30f}}) {
    for (std::int64_t width = 1; width <= 384; width = width < 67 ? width + 1 : width + 317) {
      constexpr std::int64_t kRows = 2;
      auto x = normal_floats(kRows * width, 8, deviation);
      for (float& v : x) v += mean;
      const auto gain = normal_floats(width, 9), bias = normal_floats(width, 10);
      GuardedMemory in(static_cast<std::size_t>(kRows * width) * 4);
      GuardedMemory out(static_cast<std::size_t>(kRows * width) * 4);
      std::copy(x.begin(), x.end(), in.floats());
      layer_norm(in.floats(), kRows, width, gain.data(), bias.data(), 1e-12f, out.floats());
      for (std::int64_t r = 0; r < kRows; ++r) {
        const float* row = x.data() + r * width;
        double average = 0.0, variance = 0.0;
        for (std::int64_t i = 0; i < width; ++i)
          average += double{row[i]} / static_cast<double>(width);
        for (std::int64_t i = 0; i < width; ++i)
          variance += std::pow(double{row[i]} - average, 2) / static_cast<double>(width);
        for (std::int64_t i = 0; i < width; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const double scaled =
              (double{row[i]} - average) / std::sqrt(variance + double{1e-12f}) * double{gain[at]};
          const double expected = scaled + double{bias[at]};
          const double allowed =
              1e-6 * (std::abs(scaled) + std::abs(double{bias[at]}) + std::abs(double{gain[at]}));
          ASSERT_NEAR(out.floats()[r * width + i], expected, allowed) << width << " " << mean;
        }
      }
    }
  }
}

TEST_P(Elementwise, RmsNormMatchesDoubleAlsoInPlace) {
  for (const float magnitude : {1e-3f, 1.0f, 1e10f}) {
    for (std::int64_t width = 1; width <= 384; width = width < 67 ? width + 1 : width + 317) {
      constexpr std::int64_t kRows = 2;
      const auto x = normal_floats(kRows * width, 11, magnitude), gain = normal_floats(width, 12);
      GuardedMemory memory(x.size() * 4);
      std::copy(x.begin(), x.end(), memory.floats());
      rms_norm(memory.floats(), kRows, width, gain.data(), 1e-6f, memory.floats());
      for (std::int64_t r = 0; r < kRows; ++r) {
        double squares = 0.0;
        for (std::int64_t i = 0; i < width; ++i)
          squares += std::pow(double{x[static_cast<std::size_t>(r * width + i)]}, 2);
        const double root = std::sqrt(squares / static_cast<double>(width) + double{1e-6f});
        for (std::int64_t i = 0; i < width; ++i) {
          const double expected = double{x[static_cast<std::size_t>(r * width + i)]} / root *
                                  double{gain[static_cast<std::size_t>(i)]};
          ASSERT_NEAR(memory.floats()[r * width + i], expected, 1e-6 * std::abs(expected))
              << width << " " << magnitude;
        }
      }
    }
  }
}

TEST_P(Elementwise, GatedActivationsAreTheActivationTimesTheOther) {
  for (std::int64_t count = 1; count <= 67; ++count) {
    const auto x = normal_floats(count, 13, 3.0f), up = normal_floats(count, 14, 100.0f);
    for (const Activation kind : kAll) {
      GuardedMemory gate(x.size() * 4), other(x.size() * 4);
      std::copy(x.begin(), x.end(), gate.floats());
      std::copy(up.begin(), up.end(), other.floats());
      activate_gated(kind, gate.floats(), other.floats(), count);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double active = formula(kind, double{x[i]}), by = double{up[i]};
        ASSERT_NEAR(gate.floats()[i], active * by,
                    std::abs(by) * std::max(2e-7, 1e-6 * std::abs(active)) * 1.1)
            << static_cast<int>(kind) << " at " << x[i];
        ASSERT_EQ(other.floats()[i], up[i]);
      }
    }
  }
}

TEST_P(Elementwise, RotationTurnsPairsByTheirAngleAndLeavesTheRest) {
  constexpr std::int64_t kRows = 3, kFirst = 1000;
  for (std::int64_t pairs = 1; pairs <= 40; ++pairs) {
    for (const bool neighbours : {false, true}) {
      const std::int64_t dim = 2 * pairs + pairs % 3;
      std::vector<float> frequencies;
      for (std::int64_t i = 0; i < pairs; ++i)
        frequencies.push_back(
            std::pow(10000.0f, -static_cast<float>(i) / static_cast<float>(pairs)));
      const std::size_t cells = static_cast<std::size_t>(kRows * pairs) * 4;
      GuardedMemory cosine(cells), sine(cells);
      rotary_table(frequencies, kFirst, kRows, 1.5f, cosine.floats(), sine.floats());
      const auto x = normal_floats(kRows * dim, 15);
      GuardedMemory turned(x.size() * 4);
      std::copy(x.begin(), x.end(), turned.floats());
      rotate(turned.floats(), kRows, dim, pairs, neighbours, cosine.floats(), sine.floats());
      for (std::int64_t r = 0; r < kRows; ++r) {
        const float* before = x.data() + r * dim;
        const float* after = turned.floats() + r * dim;
        for (std::int64_t i = 0; i < pairs; ++i) {
          // The angle in fp32, as the contract says.
          const float angle =
              frequencies[static_cast<std::size_t>(i)] * static_cast<float>(kFirst + r);
          const double c = 1.5 * std::cos(double{angle}), s = 1.5 * std::sin(double{angle});
          ASSERT_NEAR(cosine.floats()[r * pairs + i], c, 1e-6);
          ASSERT_NEAR(sine.floats()[r * pairs + i], s, 1e-6);
          const std::int64_t a = neighbours ? 2 * i : i, b = neighbours ? 2 * i + 1 : i + pairs;
          const double first = double{before[a]}, second = double{before[b]};
          const double allowed = 3e-6 * (std::abs(first) + std::abs(second));
          ASSERT_NEAR(after[a], first * c - second * s, allowed) << pairs << neighbours;
          ASSERT_NEAR(after[b], second * c + first * s, allowed) << pairs << neighbours;
        }
        for (std::int64_t i = 2 * pairs; i < dim; ++i) ASSERT_EQ(after[i], before[i]);
      }
    }
  }
}

TEST_P(Elementwise, LayerNormKeepsNaNInItsRowAndWorksInPlace) {
  std::vector<float> x = {1.0f, kNaN, 3.0f, 1.0f, 2.0f, 3.0f};
  const float gain[] = {1.0f, 1.0f, 2.0f};
  layer_norm(x.data(), 2, 3, gain, nullptr, 0.0f, x.data());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(x[static_cast<std::size_t>(i)]));
  // mean 2, variance 2/3: deviations -1, 0, 1 times sqrt(3/2).
  EXPECT_FLOAT_EQ(x[3], -1.2247449f);
  EXPECT_EQ(x[4], 0.0f);
  EXPECT_FLOAT_EQ(x[5], 2.4494897f);
}

TEST_P(Elementwise, RmsNormIsTheFormulaInDoublePrecision) {
  for (const std::int64_t width : {1, 7, 64, 576}) {
    for (const float scale : {1e-3f, 1.0f, 1e18f}) {
      const std::vector<float> x = normal_floats(3 * width, 5, scale);
      const std::vector<float> gain = normal_floats(width, 6);
      std::vector<float> y(x.size());
      rms_norm(x.data(), 3, width, gain.data(), 1e-6f, y.data());
      for (std::int64_t r = 0; r < 3; ++r) {
        double squares = 0;
        for (std::int64_t i = 0; i < width; ++i)
          squares += std::pow(static_cast<double>(x[static_cast<std::size_t>(r * width + i)]), 2);
        const double root = std::sqrt(squares / static_cast<double>(width) + 1e-6);
        for (std::int64_t i = 0; i < width; ++i) {
          const auto at = static_cast<std::size_t>(r * width + i);
          const double expected =
              static_cast<double>(x[at]) / root * static_cast<double>(gain[at % gain.size()]);
          ASSERT_NEAR(y[at], expected, 1e-6 * std::max(1.0, std::abs(expected)));
        }
      }
    }
  }
}

TEST_P(Elementwise, GatedActivationsMultiply) {
  const std::vector<float> up = normal_floats(1003, 8), gate = normal_floats(1003, 9);
  std::vector<float> got = gate;
  activate_gated(Activation::kSilu, got.data(), up.data(), 1003);
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], formula(Activation::kSilu, gate[i]) * static_cast<double>(up[i]), 2e-6);
}

// A pair is a complex number times e^(i angle).
TEST_P(Elementwise, RotaryTurnsPairs) {
  for (const bool neighbours : {false, true}) {
    for (const std::int64_t pairs : {1, 5, 16}) {
      const std::int64_t dim = 2 * pairs + 3, rows = 4;
      std::vector<float> frequencies, x = normal_floats(rows * dim, 10);
      for (std::int64_t i = 0; i < pairs; ++i)
        frequencies.push_back(1.0f / static_cast<float>(i + 1));
      std::vector<float> cosine(static_cast<std::size_t>(rows * pairs)), sine(cosine);
      rotary_table(frequencies, 100, rows, 1.5f, cosine.data(), sine.data());
      std::vector<float> turned = x;
      rotate(turned.data(), rows, dim, pairs, neighbours, cosine.data(), sine.data());
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t i = 0; i < pairs; ++i) {
          const auto a = static_cast<std::size_t>(r * dim + (neighbours ? 2 * i : i));
          const std::size_t b = neighbours ? a + 1 : a + static_cast<std::size_t>(pairs);
          const double angle =
              static_cast<double>(frequencies[static_cast<std::size_t>(i)] * (100.0f + r));
          const double c = 1.5 * std::cos(angle), s = 1.5 * std::sin(angle);
          ASSERT_NEAR(turned[a], x[a] * c - x[b] * s, 1e-6);
          ASSERT_NEAR(turned[b], x[b] * c + x[a] * s, 1e-6);
        }
        for (std::int64_t i = 2 * pairs; i < dim; ++i)
          ASSERT_EQ(turned[static_cast<std::size_t>(r * dim + i)],
                    x[static_cast<std::size_t>(r * dim + i)]);
      }
    }
  }
}

}  // namespace
}  // namespace regard::kernels
