// SPDX-License-Identifier: Apache-2.0
// Reads any bytes as a .npy file: only regard::Error may escape.
#include <cstddef>
#include <cstdint>

#include "fuzz/memory_file.h"
#include "regard/platform/error.h"
#include "regard/render/data.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(data, size);
  try {
    regard::read_npy(file.path());
  } catch (const regard::Error&) {
  }
  return 0;
}
