// SPDX-License-Identifier: Apache-2.0
// Working memory that a thread keeps between calls, so that a kernel allocates nothing when warm.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "regard/tensor/tensor.h"

namespace regard::kernels {

enum class Scratch : std::size_t { kPanel, kTile, kRows, kColumns, kCount };

// Room for `count` floats, aligned to 64 bytes, of unknown content. It belongs to this thread and
// this slot, and is valid until the slot's next call in this thread.
inline float* scratch(Scratch slot, std::int64_t count) {
  static thread_local std::array<Tensor, static_cast<std::size_t>(Scratch::kCount)> buffers;
  Tensor& buffer = buffers[static_cast<std::size_t>(slot)];
  if (buffer.size() < count) buffer = Tensor(Shape{count});
  return buffer.data();
}

}  // namespace regard::kernels
