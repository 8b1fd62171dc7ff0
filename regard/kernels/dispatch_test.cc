// SPDX-License-Identifier: Apache-2.0
// The instruction set that is asked for is the one that runs.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "regard/kernels/dispatch_test.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace regard::kernels::HWY_NAMESPACE {
std::int64_t running_target() { return HWY_TARGET; }
}  // namespace regard::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "regard/platform/cpu.h"
#include "regard/platform/error.h"

namespace regard::kernels {

HWY_EXPORT(running_target);

std::string running() {
  std::string name = hwy::TargetName(HWY_DYNAMIC_DISPATCH(running_target)());
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return name;
}

TEST(Dispatch, RunsTheForcedInstructionSetAndTheBestWithoutALimit) {
  const std::vector<std::string> all = instruction_sets();
  ASSERT_FALSE(all.empty());
  for (const std::string& name : all) {
    force_instruction_set(name);
    EXPECT_EQ(running(), name);
    EXPECT_EQ(instruction_set(), name);
    EXPECT_EQ(instruction_sets(), all) << "a limit does not shorten the list";
  }
  force_instruction_set("");
  EXPECT_EQ(running(), all.front());
  EXPECT_EQ(instruction_set(), all.front());
}

TEST(Dispatch, StaysForcedWhenItIsAskedWhichSetIsInUse) {
  for (const std::string& name : instruction_sets()) {
    force_instruction_set(name);
    for (int i = 0; i < 3; ++i) {
      instruction_set();
      instruction_sets();
      EXPECT_EQ(running(), name) << "after asking " << i + 1 << " times";
    }
  }
  force_instruction_set("");
}

TEST(Dispatch, NamesTheKnownSetsWhenTheNameIsUnknown) {
  try {
    force_instruction_set("mmx");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("mmx"), std::string::npos);
    for (const std::string& name : instruction_sets())
      EXPECT_NE(what.find(name), std::string::npos) << what;
  }
  EXPECT_EQ(running(), instruction_sets().front()) << "a refused name changes nothing";
}

}  // namespace regard::kernels
#endif  // HWY_ONCE
