// SPDX-License-Identifier: Apache-2.0
// Types of the elements of a tensor, under the names that safetensors gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace regard {

enum class DType : std::uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

// Bytes of one element.
std::size_t size_of(DType type);

// A row of a matrix is a whole number of blocks: one element each for the types above.
struct TypeBlock {
  std::size_t elements, bytes;
};
TypeBlock block_of(DType type);

// "F32" and so on.
std::string_view name_of(DType type);
std::optional<DType> dtype_named(std::string_view name);

}  // namespace regard
