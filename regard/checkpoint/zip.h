// SPDX-License-Identifier: Apache-2.0
// The entries of zip archives as they lie there; nothing is decompressed, for PyTorch stores them.
// Source: PKWARE APPNOTE.TXT 6.3.10 (zip64 included). Encrypted or split archives are refused;
// every offset and length is checked before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace regard {

// Name and data lie in the archive's bytes.
struct ZipEntry {
  std::string_view name;
  std::uint64_t compression = 0;  // 0: the data are the content itself
  std::span<const std::byte> data;
};

// All entries, sorted by name. `file` is the name used in errors.
std::vector<ZipEntry> read_zip(std::span<const std::byte> archive, std::string_view file);

// The entry of that name, or null. REQUIRES: `entries` as read_zip gives them.
const ZipEntry* find_entry(std::span<const ZipEntry> entries, std::string_view name);

}  // namespace regard
