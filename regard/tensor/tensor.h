// SPDX-License-Identifier: Apache-2.0
// Numbers with a shape: an owning buffer of floats and a view of anybody's bytes. No arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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

// A dense row-major array in somebody else's memory (a mapped checkpoint, say), any DType.
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  const std::byte* data = nullptr;

  std::int64_t size() const { return element_count(shape); }
  // The elements as floats. REQUIRES: dtype is kF32 and data is aligned to 4 bytes.
  std::span<const float> f32() const;
};

// `count` elements converted to float, whatever the dtype (kF16 and kBF16 exactly; I64 rounded).
// Reads unaligned memory. out has room for view.size() floats.
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
