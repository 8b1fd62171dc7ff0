// SPDX-License-Identifier: Apache-2.0
// Which instruction set the kernels run on, and how many cores.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace regard {

// Names of the instruction sets that this build and this machine both have, best first, as Highway
// names them in lower case: "avx3", "avx2", "sse4", "neon", "scalar" ...
std::vector<std::string> instruction_sets();

// The one in use.
std::string instruction_set();

// Limits the kernels to one of instruction_sets(); "" takes the limit away. Throws Error naming
// the known ones otherwise. Call it while no kernel runs.
void force_instruction_set(std::string_view name);

// How many of `cores` a quota of processor time allows (cores' worth, infinity without one):
// rounded up, at least 1.
int cores_allowed(int cores, double quota);

// Cores that this process may use: those of its affinity mask, or fewer when a control group
// (Linux, versions 1 and 2) limits its processor time; that limit is rounded up. At least 1.
// root: where proc/ and sys/ are found, for tests.
int usable_cores(const std::string& root);
// Those of this machine, found once.
int usable_cores();

}  // namespace regard
