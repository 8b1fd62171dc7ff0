// SPDX-License-Identifier: Apache-2.0
// What Highway's headers ask of libhwy in a build with one instruction set, for which nothing has
// to be found out at run time (hwy/targets.h states the contracts).
#include <hwy/targets.h>

namespace hwy {

std::int64_t SupportedTargets() { return HWY_STATIC_TARGET; }

// "If SupportedTargets would return 0, it will instead return HWY_STATIC_TARGET."
void DisableTargets(std::int64_t /*disabled_targets*/) {}

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

}  // namespace hwy
