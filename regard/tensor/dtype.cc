// SPDX-License-Identifier: Apache-2.0
// Names and sizes of element types. The blocks' sizes are those of ggml-common.h.
#include "regard/tensor/dtype.h"

#include <array>
#include <string>
#include <utility>

#include "regard/platform/error.h"

namespace regard {
namespace {

struct Entry {
  DType type;
  std::string_view name;
  TypeBlock block;
};

constexpr std::array<Entry, 23> kTypes = {{{DType::kF64, "F64", {1, 8}},
                                           {DType::kF32, "F32", {1, 4}},
                                           {DType::kF16, "F16", {1, 2}},
                                           {DType::kBF16, "BF16", {1, 2}},
                                           {DType::kI64, "I64", {1, 8}},
                                           {DType::kI32, "I32", {1, 4}},
                                           {DType::kI16, "I16", {1, 2}},
                                           {DType::kI8, "I8", {1, 1}},
                                           {DType::kU8, "U8", {1, 1}},
                                           {DType::kBool, "BOOL", {1, 1}},
                                           {DType::kQ4_0, "Q4_0", {32, 18}},
                                           {DType::kQ4_1, "Q4_1", {32, 20}},
                                           {DType::kQ5_0, "Q5_0", {32, 22}},
                                           {DType::kQ5_1, "Q5_1", {32, 24}},
                                           {DType::kQ8_0, "Q8_0", {32, 34}},
                                           {DType::kQ2_K, "Q2_K", {256, 84}},
                                           {DType::kQ3_K, "Q3_K", {256, 110}},
                                           {DType::kQ4_K, "Q4_K", {256, 144}},
                                           {DType::kQ5_K, "Q5_K", {256, 176}},
                                           {DType::kQ6_K, "Q6_K", {256, 210}},
                                           {DType::kIQ4_NL, "IQ4_NL", {32, 18}},
                                           {DType::kMXFP4, "MXFP4", {32, 17}},
                                           {DType::kMXFP4Split, "MXFP4 (split)", {32, 16}}}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kTypes.size(); ++i)
    if (kTypes[i].type != static_cast<DType>(i)) return false;
  return true;
}
static_assert(in_order());

const Entry& entry_of(DType type) { return kTypes[static_cast<std::size_t>(type)]; }

}  // namespace

TypeBlock block_of(DType type) { return entry_of(type).block; }

bool is_plain(DType type) { return entry_of(type).block.elements == 1; }

std::size_t size_of(DType type) {
  if (!is_plain(type))
    throw Error("tensor: expected elements with bytes of their own, found " +
                std::string(name_of(type)));
  return entry_of(type).block.bytes;
}

std::string_view name_of(DType type) { return entry_of(type).name; }

std::optional<DType> dtype_named(std::string_view name) {
  for (const Entry& entry : kTypes)
    if (entry.name == name && is_plain(entry.type)) return entry.type;
  return std::nullopt;
}

}  // namespace regard
