// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/exp_test.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "regard/kernels/exp-inl.h"

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
// count is a multiple of 16.
void exp_all(const float* x, std::int64_t count, float* y) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, 16> d;
  for (std::int64_t i = 0; i < count; i += static_cast<std::int64_t>(hn::Lanes(d)))
    hn::StoreU(HWY_NAMESPACE::Exp(d, hn::LoadU(d, x + i)), d, y + i);
}
}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cmath>
#include <limits>

#include "regard/kernels/testing.h"

namespace regard::kernels {

HWY_EXPORT(exp_all);

class Exponential : public OnEveryInstructionSet {
 protected:
  static std::vector<float> exps(std::vector<float> x) {
    const std::size_t count = x.size();
    x.resize((count + 15) / 16 * 16);
    std::vector<float> y(x.size());
    HWY_DYNAMIC_DISPATCH(exp_all)(x.data(), static_cast<std::int64_t>(x.size()), y.data());
    y.resize(count);
    return y;
  }
};
INSTANTIATE_TEST_SUITE_P(, Exponential, testing::ValuesIn(instruction_sets()),
                         [](const auto& set) { return set.param; });

TEST_P(Exponential, IsWithin2e7OfTheTrueValue) {
  std::vector<float> x;
  for (int i = 0; i <= 1750000; ++i) x.push_back(-87.0f + static_cast<float>(i) * 1e-4f);
  for (int e = -140; e < 0; ++e) x.insert(x.end(), {std::ldexp(1.0f, e), -std::ldexp(1.0f, e)});
  const std::vector<float> y = exps(x);
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i)
    worst = std::fmax(worst, std::abs(double{y[i]} / std::exp(double{x[i]}) - 1.0));
  EXPECT_LT(worst, 2e-7);
}

TEST_P(Exponential, HasExactLimitsNoDenormalsAndKeepsNaN) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> y =
      exps({-infinity, infinity, 0.0f, -0.0f, std::numeric_limits<float>::quiet_NaN(), -87.4f,
            -1e30f, 1e30f, 89.0f});
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[1], infinity);
  EXPECT_EQ(y[2], 1.0f);
  EXPECT_EQ(y[3], 1.0f);
  EXPECT_TRUE(std::isnan(y[4]));
  EXPECT_EQ(y[5], 0.0f);
  EXPECT_EQ(y[6], 0.0f);
  EXPECT_EQ(y[7], infinity);
  EXPECT_EQ(y[8], infinity);
  std::vector<float> low;
  for (int i = 0; i < 20000; ++i) low.push_back(-86.0f - static_cast<float>(i) * 1e-3f);
  for (const float value : exps(low))
    EXPECT_TRUE(value == 0.0f || value >= std::numeric_limits<float>::min());
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
