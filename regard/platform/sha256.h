// SPDX-License-Identifier: Apache-2.0
// The hash by which a model hub names files. Source: FIPS 180-4, section 6.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace regard {

// Thread safety: one thread a hash.
class Sha256 {
 public:
  void add(std::span<const std::byte> bytes);
  // The hash of all that was added, 64 hexadecimal digits. REQUIRES: called once.
  std::string finish();

 private:
  void take_block(const std::byte* block);
  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};
  std::size_t filled_ = 0;
  std::uint64_t size_ = 0;
};

// That of a text.
std::string sha256_of(std::string_view text);

}  // namespace regard
