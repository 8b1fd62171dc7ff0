// SPDX-License-Identifier: Apache-2.0
// Which instruction set the kernels run on: Highway's run-time dispatch, under names.
#include "regard/platform/cpu.h"

#include <hwy/highway.h>

#include <cctype>
#include <cstdint>

#include "regard/platform/error.h"

namespace regard {
namespace {

std::string name_of_target(std::int64_t target) {
  std::string name = hwy::TargetName(target);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

// Compiled into this build and supported by this machine, best (lowest bit) first, whatever limit
// is in force. Found once, before any limit.
const std::vector<std::int64_t>& targets() {
  static const std::vector<std::int64_t> all = hwy::SupportedAndGeneratedTargets();
  return all;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const std::int64_t target : targets()) names.push_back(name_of_target(target));
  return names;
}

std::string instruction_set() {
  targets();
  const std::string name = name_of_target(hwy::SupportedAndGeneratedTargets().front());
  // Asking Highway forgets the choice that its dispatch tables index by.
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return name;
}

void force_instruction_set(std::string_view name) {
  std::int64_t disabled = 0;
  if (!name.empty()) {
    std::int64_t chosen = 0;
    std::string known;
    for (const std::int64_t target : targets()) {
      const std::string candidate = name_of_target(target);
      if (candidate == name) chosen = target;
      known += known.empty() ? candidate : ", " + candidate;
    }
    if (chosen == 0) {
      throw Error("instruction set: expected one of " + known + ", found " + std::string(name),
                  Error::Kind::kUsage);
    }
    for (const std::int64_t target : targets())
      if (target != chosen) disabled |= target;
  }
  targets();
  hwy::DisableTargets(disabled);
  // The dispatch tables index by this cached choice; refresh it now.
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace regard
