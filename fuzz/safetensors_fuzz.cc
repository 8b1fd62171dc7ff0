// SPDX-License-Identifier: Apache-2.0
// Opens any bytes as a safetensors file: only regard::Error may escape, and what opens may be read.
#include <vector>

#include "fuzz/memory_file.h"
#include "regard/checkpoint/safetensors.h"
#include "regard/platform/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile input(data, size);
  try {
    const auto file = regard::SafetensorsFile::open(input.path());
    for (const auto& [name, view] : file.tensors()) {
      std::vector<float> floats(static_cast<std::size_t>(view.size()));
      regard::convert_to_f32(view, floats);
    }
  } catch (const regard::Error&) {
    return 0;
  }
  return 0;
}
