// SPDX-License-Identifier: Apache-2.0
// What the tests of kernels share: every instruction set in turn, random numbers, guarded memory.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

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
