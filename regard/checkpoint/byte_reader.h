// SPDX-License-Identifier: Apache-2.0
// Little-endian numbers and texts taken one after the other from bytes that nobody vouches for.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace regard {

static_assert(std::endian::native == std::endian::little, "files are read as they lie in memory");

// A place in bytes. Every read that passes their end throws Error "file: byte N: expected ...".
// Thread safety: one reader.
class ByteReader {
 public:
  // `file` is the name used in errors; positions count from the first of `bytes`.
  ByteReader(std::span<const std::byte> bytes, std::string_view file)
      : bytes_(bytes), file_(file) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t remaining() const { return bytes_.size() - position_; }

  std::span<const std::byte> take(std::uint64_t count, std::string_view what) {
    if (count > remaining()) fail_at_end(count, what);
    const auto taken =
        bytes_.subspan(static_cast<std::size_t>(position_), static_cast<std::size_t>(count));
    position_ += count;
    return taken;
  }

  template <typename T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string_view text(std::uint64_t length, std::string_view what) {
    const std::span<const std::byte> taken = take(length, what);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  // An Error at the byte `where`.
  class Error wrong(std::uint64_t where, std::string_view expected, std::string_view found) const;

 private:
  [[noreturn]] void fail_at_end(std::uint64_t count, std::string_view what) const;
  std::span<const std::byte> bytes_;
  std::string file_;
  std::uint64_t position_ = 0;
};

}  // namespace regard
