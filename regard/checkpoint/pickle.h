// SPDX-License-Identifier: Apache-2.0
// The pickle inside a PyTorch file, read without running any of it: a whitelist of opcodes and
// globals that can only say which bytes make which tensor. Everything else is refused by name.
// Sources: Python's pickletools.py (protocols 2 to 5); torch/_utils.py, _rebuild_tensor_v2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "regard/tensor/tensor.h"

namespace regard {

// A tensor of a state dictionary, in elements of its storage. Nothing but the types is checked:
// offset, shape and strides may be anything.
struct PickledTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::string storage;
  std::int64_t storage_elements = 0, offset = 0;
  Shape shape, strides;
};

// The tensors of a pickled dictionary {name: tensor}, in its order. `file` is the name used in
// errors. Throws Error naming the first opcode or global that is not on the list, a value that is
// no tensor, or a name that is there twice. Memory is bounded by a multiple of the pickle's size.
std::vector<PickledTensor> read_pickled_tensors(std::span<const std::byte> pickle,
                                                std::string_view file);

}  // namespace regard
