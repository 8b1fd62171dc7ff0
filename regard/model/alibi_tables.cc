// SPDX-License-Identifier: Apache-2.0
#include "regard/model/architecture.h"
namespace regard {
std::span<const Architecture> alibi_architectures() { return {}; }
}  // namespace regard
