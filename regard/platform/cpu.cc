// SPDX-License-Identifier: Apache-2.0
// Which instruction set the kernels run on: Highway's run-time dispatch, under names. How many
// cores: cgroups(7), Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst of Linux.
#include "regard/platform/cpu.h"

#include <hwy/highway.h>

#include <sched.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <thread>

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

int cores_of_affinity() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());  // more cores than cpu_set_t holds
}

// Cores' worth of time that one group's files allow; infinity without a limit.
double quota_of_group(const std::string& folder) {
  double quota = 0.0, period = 0.0;
  std::ifstream both(folder + "/cpu.max");  // "max 100000" or "150000 100000"
  if (both) {
    both >> quota >> period;
    if (!both) return INFINITY;
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;  // -1 without a limit
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0.0 && period > 0.0 ? quota / period : INFINITY;
}

// The least of a group's limit and those of the groups around it.
double quota_of_path(const std::string& mount, std::string path) {
  double least = quota_of_group(mount);
  while (path.size() > 1) {
    least = std::min(least, quota_of_group(mount + path));
    path.resize(path.rfind('/'));
  }
  return least;
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

int cores_allowed(int cores, double quota) {
  cores = std::max(1, cores);
  return quota < cores ? std::max(1, static_cast<int>(std::ceil(quota))) : cores;
}

int usable_cores(const std::string& root) {
  double quota = INFINITY;
  std::ifstream groups(root + "/proc/self/cgroup");  // hierarchy:controllers:/path
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos || line[second + 1] != '/')
      continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    const std::string mounts = root + "/sys/fs/cgroup";
    if (controllers == ",,") {
      quota = std::min(quota, quota_of_path(mounts, path));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      quota = std::min(quota, quota_of_path(mounts + "/cpu", path));
    }
  }
  return cores_allowed(cores_of_affinity(), quota);
}

int usable_cores() {
  static const int cores = usable_cores("");
  return cores;
}

}  // namespace regard
