// SPDX-License-Identifier: Apache-2.0
// The GGUF format, versions 2 and 3, little-endian: metadata, tensor infos, aligned data.
// Source: github.com/ggml-org/ggml, docs/gguf.md; limits as in ggml/src/gguf.cpp.
// Read strictly: every count and length is checked against the bytes that are there before it is
// used; no duplicate keys or names, no nested arrays, names under 64 bytes, at most 4 axes, data
// that is aligned, inside the file and without overlap. Values and names stay in the file's map.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "regard/checkpoint/tensor_table.h"

namespace regard {

// As numbered in the file.
enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};

// One value of the metadata. Cheap to copy; the file must outlive it.
// Thread safety: read-only; any number of threads.
class GgufValue {
 public:
  std::string_view key() const { return key_; }
  GgufType type() const { return type_; }
  bool is_array() const { return type_ == GgufType::kArray; }
  // Of an array; 1 and the type itself otherwise.
  std::size_t size() const { return static_cast<std::size_t>(count_); }
  GgufType element_type() const { return element_; }

  // Each throws Error "file: key: expected ..., found ..." when the type is another.
  bool boolean() const;
  std::int64_t integer() const;  // of any integer type; an Error beyond 2^63 - 1
  double number() const;         // of any integer or floating-point type
  std::string_view string() const;
  // Arrays: [size()]. Empty arrays give an empty vector whatever their type.
  std::vector<std::int64_t> integers() const;     // of any integer type, or of booleans
  std::vector<float> floats() const;              // of F32 or F64
  std::vector<std::string_view> strings() const;  // texts in the file's map, any bytes

  // An Error at this value.
  class Error wrong(std::string_view expected) const;

 private:
  friend class GgufFile;
  std::string describe() const;
  std::string_view file_, key_;
  GgufType type_ = GgufType::kU8, element_ = GgufType::kU8;
  std::uint64_t count_ = 1;
  std::span<const std::byte> bytes_;  // of the value or of all elements, lengths included
};

// Thread safety: immutable after open; any number of threads. Copies share the map.
class GgufFile {
 public:
  static GgufFile open(const std::string& path);

  const std::string& path() const;
  std::uint64_t bytes() const;
  std::uint32_t version() const;
  // Sorted by key.
  std::span<const GgufValue> metadata() const;
  std::optional<GgufValue> find(std::string_view key) const;
  // Throws Error naming file and key when it is absent.
  GgufValue at(std::string_view key) const;
  // Sorted by name. Shapes are row-major: the file's axes, fastest first, in reverse.
  std::span<const NamedTensor> tensors() const;

 private:
  struct State;
  explicit GgufFile(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace regard
