// SPDX-License-Identifier: Apache-2.0
#include "regard/kernels/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "regard/kernels/testing.h"
#include "regard/platform/error.h"

namespace regard::kernels {
namespace {

class Matmul : public OnEveryInstructionSet {};
INSTANTIATE_TEST_SUITE_P(, Matmul, testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param; });

struct Case {
  std::int64_t rows, in, out;
  DType dtype = DType::kF32;
  bool transposed = false, bias = true;
  std::int64_t x_pad = 0, y_pad = 0;
  std::size_t misaligned = 0;  // bytes
  float scale = 1.0f;
};

// Weight elements whose 16-bit forms are exact: bfloat16 keeps the upper half of a float, and
// float16 holds multiples of 2^-8 below 4 exactly.
float representable(float value, DType dtype) {
  if (dtype == DType::kBF16) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    bits &= 0xFFFF0000u;
    std::memcpy(&value, &bits, 4);
  } else if (dtype == DType::kF16) {
    value = std::round(std::fmin(std::fmax(value, -3.9f), 3.9f) * 256.0f) / 256.0f;
  }
  return value;
}

void put(std::byte* at, float value, DType dtype) {
  if (dtype == DType::kF32) {
    std::memcpy(at, &value, 4);
    return;
  }
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  std::uint16_t half = static_cast<std::uint16_t>(bits >> 16);
  if (dtype == DType::kF16) {
    half = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
    if (value != 0.0f)  // a normal half: exponents differ by 127 - 15
      half = static_cast<std::uint16_t>(half | (((bits & 0x7FFFFFFFu) - (112u << 23)) >> 13));
  }
  std::memcpy(at, &half, 2);
}

void check(const Case& c) {
  SCOPED_TRACE(testing::Message() << c.rows << " x " << c.in << " x " << c.out << " "
                                  << name_of(c.dtype) << (c.transposed ? " transposed" : ""));
  const std::int64_t x_stride = c.in + c.x_pad, y_stride = c.out + c.y_pad;
  const auto xv = normal_floats(c.rows * x_stride, 1, c.scale);
  auto wv = normal_floats(c.in * c.out, 2);
  const auto bv = normal_floats(c.out, 3, c.scale);

  const auto size = static_cast<std::int64_t>(size_of(c.dtype));
  // The weights end `misaligned` bytes before an unreadable page, x and the bias right before one.
  GuardedMemory weights(static_cast<std::size_t>(c.in * c.out * size) + c.misaligned);
  GuardedMemory x(static_cast<std::size_t>(((c.rows - 1) * x_stride + c.in) * 4));
  GuardedMemory bias(static_cast<std::size_t>(c.out * 4));
  GuardedMemory y(static_cast<std::size_t>(((c.rows - 1) * y_stride + c.out) * 4));
  std::memcpy(x.data(), xv.data(), static_cast<std::size_t>(((c.rows - 1) * x_stride + c.in) * 4));
  std::memcpy(bias.data(), bv.data(), static_cast<std::size_t>(c.out * 4));
  for (std::int64_t o = 0; o < c.out; ++o) {
    for (std::int64_t k = 0; k < c.in; ++k) {
      float& w = wv[static_cast<std::size_t>(o * c.in + k)];
      w = representable(w, c.dtype);
      put(weights.data() + (c.transposed ? k * c.out + o : o * c.in + k) * size, w, c.dtype);
    }
  }
  const std::int64_t y_size = (c.rows - 1) * y_stride + c.out;
  for (std::int64_t i = 0; i < y_size; ++i) y.floats()[i] = 12345.0f;

  Weight weight{{c.dtype, c.transposed ? Shape{c.in, c.out} : Shape{c.out, c.in}, weights.data()},
                c.transposed,
                c.bias ? bias.floats() : nullptr};
  matmul(x.floats(), c.rows, x_stride, weight, y.floats(), y_stride);

  for (std::int64_t r = 0; r < c.rows; ++r) {
    for (std::int64_t o = 0; o < c.out; ++o) {
      const float start = c.bias ? bv[static_cast<std::size_t>(o)] : 0.0f;
      float fused = start, separate = start;
      double exact = start, magnitude = std::abs(start);
      for (std::int64_t k = 0; k < c.in; ++k) {
        const float a = xv[static_cast<std::size_t>(r * x_stride + k)];
        const float b = wv[static_cast<std::size_t>(o * c.in + k)];
        fused = std::fma(a, b, fused);
        separate = separate + a * b;
        exact += static_cast<double>(a) * b;
        magnitude += std::abs(static_cast<double>(a) * b);
      }
      const float got = y.floats()[r * y_stride + o];
      ASSERT_NEAR(got, exact, magnitude * static_cast<double>(c.in + 1) * 0x1p-24) << r << " " << o;
      ASSERT_TRUE(got == fused || got == separate)
          << "not the ascending chain at row " << r << ", output " << o;
    }
    for (std::int64_t o = c.out; o < y_stride && r + 1 < c.rows; ++o)
      ASSERT_EQ(y.floats()[r * y_stride + o], 12345.0f) << "written between rows";
  }
}

TEST_P(Matmul, SumsAlongKInAscendingOrderForEveryShapeTypeAndLayout) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16})
    for (const bool transposed : {false, true})
      for (const std::int64_t rows : {1, 2, 5, 6, 7, 8, 9, 12, 13, 17, 33, 67})
        for (const auto& [in, out] : {std::pair{1, 1}, {3, 5}, {67, 17}, {13, 67}, {64, 48}})
          check({.rows = rows, .in = in, .out = out, .dtype = dtype, .transposed = transposed});
}

TEST_P(Matmul, ContinuesAcrossBlocksOfKAndRows) {
  check({.rows = 20, .in = 801, .out = 51});
  check({.rows = 3, .in = 1537, .out = 51});
  check({.rows = 261, .in = 401, .out = 37});
  check({.rows = 261, .in = 401, .out = 37, .transposed = true});
  check({.rows = 20, .in = 801, .out = 51, .dtype = DType::kBF16});
}

TEST_P(Matmul, WithoutRowsOrOutputsTouchesNothingAndWithoutInputsIsAnError) {
  const std::vector<float> w(64, 1.0f);
  float y = 7.0f;
  for (const bool transposed : {false, true}) {
    Weight weight;
    weight.transposed = transposed;
    const auto shaped = [&](std::int64_t out, std::int64_t in) {
      weight.data = {DType::kF32, transposed ? Shape{in, out} : Shape{out, in},
                     reinterpret_cast<const std::byte*>(w.data())};
    };
    shaped(8, 8);
    matmul(w.data(), 0, 8, weight, &y, 8);
    shaped(0, 8);
    for (const std::int64_t rows : {1, 17}) matmul(w.data(), rows, 0, weight, &y, 0);
    EXPECT_EQ(y, 7.0f);
    shaped(1, 0);
    EXPECT_THROW(matmul(w.data(), 1, 0, weight, &y, 1), Error);
  }
}

TEST_P(Matmul, HonoursStridesAndUnalignedWeights) {
  for (const std::size_t misaligned : {1u, 2u, 3u})
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16})
      for (const bool transposed : {false, true})
        for (const std::int64_t rows : {1, 19, 260})
          check({.rows = rows,
                 .in = 21,
                 .out = 23,
                 .dtype = dtype,
                 .transposed = transposed,
                 .bias = rows != 19,
                 .x_pad = 3,
                 .y_pad = 5,
                 .misaligned = misaligned});
}

TEST_P(Matmul, KeepsHugeAndTinyMagnitudes) {
  check({.rows = 9, .in = 31, .out = 19, .scale = 1e36f});
  check({.rows = 9, .in = 31, .out = 19, .scale = 1e-30f});
}

TEST_P(Matmul, GivesARowTheSameBitsWhateverItsNeighbours) {
  constexpr std::int64_t kIn = 517, kOut = 70;
  const auto w = normal_floats(kIn * kOut, 5);
  const auto x = normal_floats(300 * kIn, 6);
  const Weight weight{{DType::kF32, {kOut, kIn}, reinterpret_cast<const std::byte*>(w.data())}};
  std::vector<float> alone(kOut), together(300 * kOut);
  for (const std::int64_t rows : {2, 16, 40, 255, 256, 300}) {
    matmul(x.data(), rows, kIn, weight, together.data(), kOut);
    for (const std::int64_t row : {std::int64_t{0}, rows / 2, rows - 1}) {
      matmul(x.data() + row * kIn, 1, kIn, weight, alone.data(), kOut);
      EXPECT_EQ(std::memcmp(alone.data(), together.data() + row * kOut, kOut * 4), 0) << rows;
    }
  }
}

TEST_P(Matmul, KeepsNaNInItsOwnRow) {
  for (const std::int64_t rows : {5, 18, 258}) {
    auto x = normal_floats(rows * 9, 1);
    const auto w = normal_floats(9 * 21, 2);
    x[2 * 9 + 4] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> y(static_cast<std::size_t>(rows * 21));
    matmul(x.data(), rows, 9,
           {{DType::kF32, {21, 9}, reinterpret_cast<const std::byte*>(w.data())}}, y.data(), 21);
    for (std::int64_t i = 0; i < rows * 21; ++i)
      ASSERT_EQ(std::isnan(y[static_cast<std::size_t>(i)]), i / 21 == 2) << i;
  }
}

TEST_P(Matmul, ExpandsEveryHalfExactly) {
  // All 65,536 halves as one column, times 1: the value is sign * 2^(e-25) * (1024 + m), or
  // sign * 2^-24 * m for e = 0.
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  std::vector<float> y(65536);
  for (const bool transposed : {false, true}) {
    const float one = 1.0f;
    matmul(&one, 1, 1,
           {{DType::kF16, transposed ? Shape{1, 65536} : Shape{65536, 1},
             reinterpret_cast<const std::byte*>(halves.data())},
            transposed},
           y.data(), 65536);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const int exponent = (i >> 10) & 31, mantissa = static_cast<int>(i & 1023);
      if (exponent == 31 && mantissa != 0) {
        ASSERT_TRUE(std::isnan(y[i])) << i;
        continue;
      }
      double expected =
          exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
      if (exponent == 31) expected = std::numeric_limits<double>::infinity();
      ASSERT_EQ(y[i], (i & 0x8000) != 0 ? -expected : expected) << i;
    }
  }
}

TEST(MatmulArguments, RefusesATypeThatIsNoWeight) {
  const std::int64_t numbers[4] = {};
  float y[2];
  const float x[2] = {};
  EXPECT_THROW(
      matmul(x, 1, 2, {{DType::kI64, {2, 2}, reinterpret_cast<const std::byte*>(numbers)}}, y, 2),
      Error);
}

}  // namespace
}  // namespace regard::kernels
