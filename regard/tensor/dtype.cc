// SPDX-License-Identifier: Apache-2.0
// Names and sizes of element types.
#include "regard/tensor/dtype.h"

#include <array>
#include <utility>

namespace regard {
namespace {

struct Entry {
  DType type;
  std::string_view name;
  std::size_t size;
};

constexpr std::array<Entry, 10> kTypes = {{{DType::kF64, "F64", 8},
                                           {DType::kF32, "F32", 4},
                                           {DType::kF16, "F16", 2},
                                           {DType::kBF16, "BF16", 2},
                                           {DType::kI64, "I64", 8},
                                           {DType::kI32, "I32", 4},
                                           {DType::kI16, "I16", 2},
                                           {DType::kI8, "I8", 1},
                                           {DType::kU8, "U8", 1},
                                           {DType::kBool, "BOOL", 1}}};

const Entry& entry_of(DType type) { return kTypes[static_cast<std::size_t>(type)]; }

}  // namespace

std::size_t size_of(DType type) { return entry_of(type).size; }

TypeBlock block_of(DType type) { return {1, entry_of(type).size}; }

std::string_view name_of(DType type) { return entry_of(type).name; }

std::optional<DType> dtype_named(std::string_view name) {
  for (const Entry& entry : kTypes)
    if (entry.name == name) return entry.type;
  return std::nullopt;
}

}  // namespace regard
