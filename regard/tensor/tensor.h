// SPDX-License-Identifier: Apache-2.0
// Numbers with a shape: an owning buffer of floats and a view of anybody's bytes. No arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "regard/tensor/dtype.h"

namespace regard {

using Shape = std::vector<std::int64_t>;

// Product of the axes; throws Error when an axis is negative or the product overflows 2^62.
std::int64_t element_count(std::span<const std::int64_t> shape);
// "[2, 3, 4]".
std::string to_string(std::span<const std::int64_t> shape);
// Bytes of a tensor, or nothing when 63 bits cannot count them, an axis is negative, or the last
// axis is not a whole number of blocks.
std::optional<std::uint64_t> byte_count(std::span<const std::int64_t> shape, DType type);

// A dense row-major array in somebody else's memory (a mapped checkpoint, say), any DType. The
// memory may lie at any address: files of other writers align nothing.
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  const std::byte* data = nullptr;
  // Only with kMXFP4Split: a power of two for each block, as E8M0 (2^(byte - 127)).
  const std::byte* scales = nullptr;

  std::int64_t size() const { return element_count(shape); }
  // The elements as floats. REQUIRES: dtype is kF32 and data is aligned to 4 bytes, else throws
  // Error. For tensors of our own making; what comes from a file goes through convert_to_f32.
  std::span<const float> f32() const;
};

// `count` elements converted to float, whatever the plain dtype (kF16 and kBF16 exactly; I64
// rounded). Reads unaligned memory. out has room for view.size() floats. Throws Error for a block
// type: kernels/expand.h reads those.
void convert_to_f32(const TensorView& view, std::span<float> out);

// Owning array, aligned to 64 bytes and padded so that 64 bytes past the end may be read. Move
// only. T is float, double, std::int64_t or std::uint8_t. Memory is NOT initialised unless asked.
// Thread safety: like a std::vector.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Shape shape);
  static Buffer zeros(Shape shape);

  const Shape& shape() const { return shape_; }
  std::int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::span<T> span() { return {data_.get(), static_cast<std::size_t>(size_)}; }
  std::span<const T> span() const { return {data_.get(), static_cast<std::size_t>(size_)}; }

 private:
  struct Free {
    void operator()(T* p) const;
  };
  Shape shape_;
  std::int64_t size_ = 0;
  std::unique_ptr<T[], Free> data_;
};

using Tensor = Buffer<float>;

}  // namespace regard
