// SPDX-License-Identifier: Apache-2.0
// What the tests of kernels share: every instruction set in turn, random numbers, guarded memory.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "regard/kernels/activation.h"
#include "regard/platform/cpu.h"

namespace regard::kernels {

// Tests run once for every instruction set that the build and the machine share.
class OnEveryInstructionSet : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_instruction_set(GetParam()); }
  void TearDown() override { force_instruction_set(""); }
};

// Normally distributed floats.
inline std::vector<float> normal_floats(std::int64_t count, unsigned seed, float scale = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

// Activations in double precision.
inline double formula(Activation kind, double x) {
  switch (kind) {
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case Activation::kGeluTanh:
      return 0.5 * x *
             (1.0 + std::tanh(std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case Activation::kRelu:
      return x > 0.0 ? x : 0.0;
    case Activation::kSilu:
      return x / (1.0 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kQuickGelu:
      return x / (1.0 + std::exp(-1.702 * x));
  }
  return 0.0;
}

inline constexpr Activation kAll[] = {Activation::kGelu, Activation::kGeluTanh,
                                      Activation::kRelu, Activation::kSilu,
                                      Activation::kTanh, Activation::kQuickGelu};

// Bytes that end exactly where an unreadable page begins.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t size) : size_(size) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    usable_ = (size + page - 1) / page * page;
    mapped_ = usable_ + page;
    base_ = static_cast<std::byte*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(static_cast<void*>(base_), MAP_FAILED);
    EXPECT_EQ(mprotect(base_ + usable_, page, PROT_NONE), 0);
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() { munmap(base_, mapped_); }

  std::byte* data() { return base_ + usable_ - size_; }
  float* floats() { return reinterpret_cast<float*>(data()); }

 private:
  std::size_t size_, usable_ = 0, mapped_ = 0;
  std::byte* base_ = nullptr;
};

}  // namespace regard::kernels
