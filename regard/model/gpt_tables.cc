// SPDX-License-Identifier: Apache-2.0
#include "regard/model/architecture.h"
namespace regard {
std::span<const Architecture> gpt_architectures() { return {}; }
}  // namespace regard
