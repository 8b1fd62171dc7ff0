// SPDX-License-Identifier: Apache-2.0
// Types of the elements of a tensor, under the names that safetensors gives them, and the block
// types in which GGUF files (github.com/ggml-org/ggml, docs/gguf.md) keep quantised weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace regard {

enum class DType : std::uint8_t {
  // Plain types: each element by itself.
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  // Block types: 32 or 256 consecutive elements of the last axis with their scales.
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kMXFP4,
  // MXFP4 as Hugging Face stores it: 32 elements in 16 bytes, the blocks' scales in a tensor of
  // their own (TensorView::scales).
  kMXFP4Split,
};

// A row of a matrix is a whole number of blocks: one element each for the plain types.
struct TypeBlock {
  std::size_t elements, bytes;
};
TypeBlock block_of(DType type);
bool is_plain(DType type);
// Bytes of one element. REQUIRES: is_plain(type), else throws Error.
std::size_t size_of(DType type);

// "F32", "Q4_K" and so on.
std::string_view name_of(DType type);
// The plain type of this name, or nothing.
std::optional<DType> dtype_named(std::string_view name);

}  // namespace regard
