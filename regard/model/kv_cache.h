// SPDX-License-Identifier: Apache-2.0
// What a decoder keeps of the tokens that it has seen.
#pragma once

#include <cstdint>
#include <vector>

#include "regard/tensor/tensor.h"

namespace regard {

// Keys and values, per layer [kv head, token, dim]; of an encoder's output too where there is one.
// Thread safety: one caller at a time.
struct KvCache {
  std::vector<Tensor> key, value, cross_key, cross_value;
  std::int64_t length = 0;
};

}  // namespace regard
