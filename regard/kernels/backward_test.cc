// SPDX-License-Identifier: Apache-2.0
// Gradients of kernels against finite differences of their formulas in double precision, on every
// instruction set of the machine.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "regard/kernels/activation.h"
#include "regard/kernels/adam.h"
#include "regard/kernels/matmul_backward.h"
#include "regard/kernels/normalize.h"
#include "regard/kernels/rotary.h"
#include "regard/kernels/softmax.h"
#include "regard/kernels/testing.h"
#include "regard/platform/threads.h"

namespace regard::kernels {
namespace {

class Backward : public OnEveryInstructionSet {};
INSTANTIATE_TEST_SUITE_P(, Backward, testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param; });

using Doubles = std::vector<double>;

Doubles doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }

// d loss / d x[i] by central differences.
double slope_at(Doubles x, std::size_t i, const std::function<double(const Doubles&)>& loss) {
  const double before = x[i], h = 1e-5 * std::max(1.0, std::abs(before));
  x[i] = before + h;
  const double high = loss(x);
  x[i] = before - h;
  return (high - loss(x)) / (2 * h);
}

void expect_slopes(const std::vector<float>& gradient, const std::vector<float>& x,
                   const std::function<double(const Doubles&)>& loss, const char* what) {
  ASSERT_EQ(gradient.size(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = slope_at(doubles(x), i, loss);
    ASSERT_NEAR(gradient[i], expected, 4e-6 * (1 + std::abs(expected))) << what << " " << i;
  }
}

TEST_P(Backward, OfActivationsIsTheSlopeTimesTheGradient) {
  for (const Activation kind : kAll) {
    std::vector<float> x = normal_floats(101, 1, 3.0f);
    const std::vector<float> before = x, dy = normal_floats(101, 2);
    std::vector<float> dx = dy;
    activate_backward(kind, x.data(), dx.data(), 101);
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(x[i], formula(kind, before[i]), 1e-6 * (1 + std::abs(before[i])));
    expect_slopes(
        dx, before,
        [&](const Doubles& at) {
          double loss = 0;
          for (std::size_t i = 0; i < at.size(); ++i) loss += formula(kind, at[i]) * dy[i];
          return loss;
        },
        "activation");
  }
}

TEST_P(Backward, OfGatedUnitsReachesGateAndUp) {
  for (const Activation kind : kAll) {
    const std::vector<float> gate = normal_floats(37, 1, 2.0f), up = normal_floats(37, 2);
    const std::vector<float> dy = normal_floats(37, 3);
    std::vector<float> dgate = gate, dup = up, out = dy;
    activate_gated_backward(kind, dgate.data(), dup.data(), out.data(), 37);
    const auto loss = [&](const Doubles& g, const Doubles& u) {
      double sum = 0;
      for (std::size_t i = 0; i < g.size(); ++i) sum += formula(kind, g[i]) * u[i] * dy[i];
      return sum;
    };
    for (std::size_t i = 0; i < out.size(); ++i)
      EXPECT_NEAR(out[i], formula(kind, gate[i]) * static_cast<double>(up[i]), 1e-5);
    expect_slopes(dgate, gate, [&](const Doubles& g) { return loss(g, doubles(up)); }, "gate");
    expect_slopes(dup, up, [&](const Doubles& u) { return loss(doubles(gate), u); }, "up");
  }
}

TEST_P(Backward, OfNormsReachesInputGainAndBias) {
  constexpr float kEpsilon = 1e-2f;
  for (const bool layer : {true, false})
    for (const auto& [rows, width] : {std::pair{1, 1}, {3, 5}, {70, 33}}) {
      const auto count = static_cast<std::int64_t>(rows) * width;
      std::vector<float> x = normal_floats(count, 1);
      for (float& value : x) value += 0.5f;
      const std::vector<float> gain = normal_floats(width, 2), bias = normal_floats(width, 3);
      const std::vector<float> dy = normal_floats(count, 4);
      const auto loss = [&, w = static_cast<std::size_t>(width)](
                            const Doubles& in, const Doubles& g, const Doubles& b) {
        double sum = 0;
        for (std::size_t r = 0; r < in.size(); r += w) {
          double mean = 0, square = 0;
          for (std::size_t i = 0; layer && i < w; ++i) mean += in[r + i] / static_cast<double>(w);
          for (std::size_t i = 0; i < w; ++i)
            square += (in[r + i] - mean) * (in[r + i] - mean) / static_cast<double>(w);
          for (std::size_t i = 0; i < w; ++i)
            sum += ((in[r + i] - mean) / std::sqrt(square + kEpsilon) * g[i] + b[i]) * dy[r + i];
        }
        return sum;
      };
      // Gradients are added to what is there, those of x only where asked.
      std::vector<float> dgain(gain.size(), 1.0f), dbias(bias.size(), 1.0f), dx(x.size(), 1.0f);
      if (layer)
        layer_norm_backward(x.data(), rows, width, gain.data(), kEpsilon, dy.data(), true,
                            dx.data(), dgain.data(), dbias.data());
      else
        rms_norm_backward(x.data(), rows, width, gain.data(), kEpsilon, dy.data(), true, dx.data(),
                          dgain.data());
      for (auto* added : {&dgain, &dbias, &dx})
        for (float& value : *added) value -= 1.0f;
      const Doubles dx0 = doubles(x), g0 = doubles(gain), b0 = doubles(bias);
      expect_slopes(dx, x, [&](const Doubles& in) { return loss(in, g0, b0); }, "x");
      expect_slopes(dgain, gain, [&](const Doubles& g) { return loss(dx0, g, b0); }, "gain");
      if (layer)
        expect_slopes(dbias, bias, [&](const Doubles& b) { return loss(dx0, g0, b); }, "bias");
      std::vector<float> in_place = dy;
      if (layer)
        layer_norm_backward(x.data(), rows, width, gain.data(), kEpsilon, in_place.data(), false,
                            in_place.data(), nullptr, nullptr);
      else
        rms_norm_backward(x.data(), rows, width, gain.data(), kEpsilon, in_place.data(), false,
                          in_place.data(), nullptr);
      for (std::size_t i = 0; i < dx.size(); ++i) EXPECT_NEAR(in_place[i], dx[i], 1e-5);
    }
}

TEST_P(Backward, OfARotationTurnsBack) {
  for (const bool neighbours : {false, true}) {
    constexpr std::int64_t kRows = 4, kDim = 45, kPairs = 21;
    const std::vector<float> cosine = normal_floats(kRows * kPairs, 1);
    const std::vector<float> sine = normal_floats(kRows * kPairs, 2);
    const std::vector<float> x = normal_floats(kRows * kDim, 3),
                             dy = normal_floats(kRows * kDim, 4);
    std::vector<float> dx = dy;
    rotate_backward(dx.data(), kRows, kDim, kPairs, neighbours, cosine.data(), sine.data());
    expect_slopes(
        dx, x,
        [&](const Doubles& in) {
          double loss = 0;
          for (std::size_t r = 0; r < kRows; ++r)
            for (std::size_t i = 0; i < kDim; ++i) {
              const std::size_t row = r * kDim;
              double y = in[row + i];
              if (i < 2 * kPairs) {
                const std::size_t pair = neighbours ? i / 2 : i % kPairs;
                const std::size_t a = neighbours ? i / 2 * 2 : pair, step = neighbours ? 1 : kPairs;
                const double c = cosine[r * kPairs + pair], s = sine[r * kPairs + pair];
                y = i == a ? in[row + a] * c - in[row + a + step] * s
                           : in[row + a + step] * c + in[row + a] * s;
              }
              loss += y * dy[row + i];
            }
          return loss;
        },
        "x");
  }
}

TEST_P(Backward, OfCrossEntropyIsTheSoftmaxLessTheTarget) {
  for (const std::int64_t width : {1, 7, 65}) {
    constexpr std::int64_t kRows = 3;
    const std::vector<float> logits = normal_floats(kRows * width, 1, 3.0f);
    const std::int64_t target[kRows] = {0, width / 2, width - 1};
    const auto loss = [&](const Doubles& x) {
      double sum = 0;
      for (std::int64_t r = 0; r < kRows; ++r) {
        double total = 0;
        for (std::int64_t i = 0; i < width; ++i)
          total += std::exp(x[static_cast<std::size_t>(r * width + i)]);
        sum += std::log(total) - x[static_cast<std::size_t>(r * width + target[r])];
      }
      return sum;
    };
    std::vector<float> gradient = logits;
    const double found = cross_entropy(gradient.data(), kRows, width, target, 0.25f);
    EXPECT_NEAR(found, loss(doubles(logits)), 1e-5);
    expect_slopes(gradient, logits, [&](const Doubles& x) { return 0.25 * loss(x); }, "logit");
  }
}

TEST_P(Backward, OfAMatrixProductReachesInputWeightAndBias) {
  for (const bool transposed : {false, true})
    for (const auto& [rows, in, out] :
         {std::tuple{1, 1, 1}, {7, 5, 3}, {300, 33, 29}, {40, 300, 65}}) {
      SCOPED_TRACE(testing::Message() << rows << " x " << in << " x " << out);
      const auto n = static_cast<std::size_t>(rows);
      const auto i_size = static_cast<std::size_t>(in), o_size = static_cast<std::size_t>(out);
      const auto x = normal_floats(rows * in, 1), w = normal_floats(in * out, 2);
      const auto dy = normal_floats(rows * out, 3);
      const Weight weight{{DType::kF32, transposed ? Shape{in, out} : Shape{out, in},
                           reinterpret_cast<const std::byte*>(w.data())},
                          transposed};
      std::vector<float> dx(x.size()), dw(w.size(), 2.0f), db(o_size, 2.0f);
      matmul_backward_input(dy.data(), rows, weight, dx.data());
      matmul_backward_weight(x.data(), dy.data(), rows, weight, dw.data(), db.data());
      for (std::size_t i = 0; i < i_size; ++i)
        for (std::size_t o = 0; o < o_size; ++o) {
          const std::size_t at = transposed ? i * o_size + o : o * i_size + i;
          double expected = 2, size = 2;
          for (std::size_t r = 0; r < n; ++r) {
            const double term = static_cast<double>(x[r * i_size + i]) * dy[r * o_size + o];
            expected += term, size += std::abs(term);
          }
          ASSERT_NEAR(dw[at], expected, size * static_cast<double>(n) * 0x1p-24);
        }
      for (std::size_t r = 0; r < n; ++r)
        for (std::size_t i = 0; i < i_size; ++i) {
          double expected = 0, size = 1;
          for (std::size_t o = 0; o < o_size; ++o) {
            const double term = static_cast<double>(dy[r * o_size + o]) *
                                w[transposed ? i * o_size + o : o * i_size + i];
            expected += term, size += std::abs(term);
          }
          ASSERT_NEAR(dx[r * i_size + i], expected, size * static_cast<double>(out) * 0x1p-24);
        }
      for (std::size_t o = 0; o < o_size; ++o) {
        double expected = 2;
        for (std::size_t r = 0; r < n; ++r) expected += dy[r * o_size + o];
        ASSERT_NEAR(db[o], expected, 1e-4);
      }
    }
}

TEST_P(Backward, IsTheSameBitsForAnyNumberOfThreads) {
  const auto x = normal_floats(500 * 96, 1), dy = normal_floats(500 * 80, 2);
  const auto gain = normal_floats(96, 3);
  const Weight weight{{DType::kF32, {80, 96}, nullptr}};
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    std::vector<float> all(80 * 96 + 80 + 96 + 500 * 96);
    matmul_backward_weight(x.data(), dy.data(), 500, weight, all.data(), all.data() + 80 * 96);
    rms_norm_backward(x.data(), 500, 96, gain.data(), 1e-5f, x.data(), false,
                      all.data() + 80 * 96 + 176, all.data() + 80 * 96 + 80);
    results.push_back(all);
  }
  set_thread_count(0);
  EXPECT_EQ(results[0], results[1]);
}

TEST_P(Backward, OfAdamIsTheStepOfItsFormula) {
  std::vector<float> value = normal_floats(37, 1), gradient = normal_floats(37, 2);
  std::vector<float> first = normal_floats(37, 3), second = normal_floats(37, 4);
  for (float& x : second) x *= x;
  const auto v0 = value, g0 = gradient, m0 = first, s0 = second;
  const AdamStep step{0.9f, 0.98f, 0.1f, 0.02f, 0.95f, 0.3f, 1.5f, 1e-3f, 0.5f};
  adam_step(step, 37, value.data(), gradient.data(), first.data(), second.data());
  for (std::size_t i = 0; i < 37; ++i) {
    const double g = 0.5 * g0[i], m = 0.9 * m0[i] + 0.1 * g, s = 0.98 * s0[i] + 0.02 * g * g;
    EXPECT_NEAR(first[i], m, 1e-6);
    EXPECT_NEAR(second[i], s, 1e-6 * (1 + s));
    EXPECT_NEAR(value[i], 0.95 * v0[i] - 0.3 * m / (1.5 * std::sqrt(s) + 1e-3), 3e-6);
    EXPECT_EQ(gradient[i], 0.0f);
  }
}

TEST_P(Backward, OfAnEmbeddingAddsRowsToTheirIds) {
  const std::int64_t index[5] = {2, 0, -1, 2, 1};
  const auto dy = normal_floats(5 * 130, 1);
  std::vector<float> table(3 * 130, 1.0f);
  embedding_backward(index, 5, 130, dy.data(), table.data());
  for (std::size_t i = 0; i < 130; ++i) {
    EXPECT_FLOAT_EQ(table[i], 1 + dy[130 + i]);
    EXPECT_FLOAT_EQ(table[130 + i], 1 + dy[4 * 130 + i]);
    EXPECT_FLOAT_EQ(table[260 + i], 1 + dy[i] + dy[3 * 130 + i]);
  }
}

}  // namespace
}  // namespace regard::kernels
