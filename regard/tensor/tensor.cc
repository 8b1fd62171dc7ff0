// SPDX-License-Identifier: Apache-2.0
// Shapes, conversion to fp32, and aligned memory.
#include "regard/tensor/tensor.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>

#include "regard/platform/error.h"

namespace regard {

std::int64_t element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  bool zero = false;
  for (const std::int64_t axis : shape) {
    if (axis < 0) throw Error("shape " + to_string(shape) + ": expected axes of 0 or more");
    zero = zero || axis == 0;
  }
  if (zero) return 0;
  for (const std::int64_t axis : shape)
    if (__builtin_mul_overflow(count, axis, &count) || count > (std::int64_t{1} << 62))
      throw Error("shape " + to_string(shape) + ": expected at most 2^62 elements");
  return count;
}

std::string to_string(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t axis : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(axis);
  return text + "]";
}

std::optional<std::uint64_t> byte_count(std::span<const std::int64_t> shape, DType type) {
  const TypeBlock block = block_of(type);
  for (const std::int64_t axis : shape)
    if (axis < 0) return std::nullopt;
  const std::int64_t last = shape.empty() ? 1 : shape.back();
  const auto elements = static_cast<std::int64_t>(block.elements);
  if (last % elements != 0) return std::nullopt;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t bytes = static_cast<std::int64_t>(block.bytes);
  if (__builtin_mul_overflow(bytes, last / elements, &bytes)) return std::nullopt;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i)
    if (__builtin_mul_overflow(bytes, shape[i], &bytes)) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::span<const float> TensorView::f32() const {
  if (dtype != DType::kF32)
    throw Error("tensor: expected F32, found " + std::string(name_of(dtype)));
  if (reinterpret_cast<std::uintptr_t>(data) % alignof(float) != 0)
    throw Error("tensor: expected F32 data aligned to 4 bytes, found an odd address");
  return {reinterpret_cast<const float*>(data), static_cast<std::size_t>(size())};
}

namespace {

// IEEE 754 half precision, subnormals, infinities and NaN included.
float from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u)
    return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  if (magnitude >= 0x0400u) return std::bit_cast<float>(sign | ((magnitude << 13) + (112u << 23)));
  const float value = static_cast<float>(magnitude) * 0x1p-24f;
  return sign != 0 ? -value : value;
}

template <typename T, typename F>
void convert(const std::byte* data, std::span<float> out, F to_float) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, data + i * sizeof(T), sizeof(T));
    out[i] = to_float(value);
  }
}

}  // namespace

void convert_to_f32(const TensorView& view, std::span<float> out) {
  const std::size_t count = static_cast<std::size_t>(view.size());
  if (out.size() < count)
    throw Error("tensor: expected room for " + std::to_string(count) + " floats, found " +
                std::to_string(out.size()));
  out = out.first(count);
  if (count == 0) return;
  const auto plain = [](auto value) { return static_cast<float>(value); };
  switch (view.dtype) {
    case DType::kF32:
      std::memcpy(out.data(), view.data, count * sizeof(float));
      return;
    case DType::kF64:
      return convert<double>(view.data, out, plain);
    case DType::kF16:
      return convert<std::uint16_t>(view.data, out, from_half);
    case DType::kBF16:
      return convert<std::uint16_t>(view.data, out, [](std::uint16_t bits) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
      });
    case DType::kI64:
      return convert<std::int64_t>(view.data, out, plain);
    case DType::kI32:
      return convert<std::int32_t>(view.data, out, plain);
    case DType::kI16:
      return convert<std::int16_t>(view.data, out, plain);
    case DType::kI8:
      return convert<std::int8_t>(view.data, out, plain);
    case DType::kU8:
      return convert<std::uint8_t>(view.data, out, plain);
    case DType::kBool:
      return convert<std::uint8_t>(view.data, out,
                                   [](std::uint8_t x) { return x != 0 ? 1.0f : 0.0f; });
    default:
      throw Error("tensor: expected a plain type, found " + std::string(name_of(view.dtype)));
  }
}

namespace {

constexpr std::size_t kAlignment = 64, kPadding = 64;

// `bytes`, of which up to kAlignment go before the start, that is remembered there. Aligned
// allocation of glibc before 2.38 does not take a freed block of the very size that is asked for
// (glibc bug 14581), so a pass that frees one layer's arrays and asks for the next one's would grow
// by every layer.
void* allocate_aligned(std::size_t bytes) {
  void* const whole = ::operator new(bytes, std::nothrow);
  if (whole == nullptr) return nullptr;
  // At least 16 bytes further on: that is how operator new aligns.
  static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= sizeof(void*));
  const auto start = (reinterpret_cast<std::uintptr_t>(whole) + kAlignment) & ~(kAlignment - 1);
  std::memcpy(reinterpret_cast<std::byte*>(start) - sizeof whole, &whole, sizeof whole);
  return reinterpret_cast<void*>(start);
}

void free_aligned(void* memory) {
  if (memory == nullptr) return;
  void* whole = nullptr;
  std::memcpy(&whole, static_cast<std::byte*>(memory) - sizeof whole, sizeof whole);
  ::operator delete(whole);
}

}  // namespace

template <typename T>
void Buffer<T>::Free::operator()(T* p) const {
  free_aligned(p);
}

template <typename T>
Buffer<T>::Buffer(Shape shape) : shape_(std::move(shape)), size_(element_count(shape_)) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(size_), sizeof(T), &bytes) ||
      __builtin_add_overflow(bytes, kPadding + kAlignment, &bytes))
    throw Error("shape " + to_string(shape_) + ": more bytes than an address can count");
  void* memory = allocate_aligned(bytes);
  if (memory == nullptr)
    throw Error("memory: " + std::to_string(bytes) + " bytes for shape " + to_string(shape_) +
                " cannot be had");
  data_.reset(static_cast<T*>(memory));
}

template <typename T>
Buffer<T> Buffer<T>::zeros(Shape shape) {
  Buffer buffer(std::move(shape));
  if (buffer.size_ > 0)
    std::memset(buffer.data(), 0, static_cast<std::size_t>(buffer.size_) * sizeof(T));
  return buffer;
}

template class Buffer<float>;
template class Buffer<double>;
template class Buffer<std::int64_t>;
template class Buffer<std::uint8_t>;

}  // namespace regard
