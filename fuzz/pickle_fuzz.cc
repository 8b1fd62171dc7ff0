// SPDX-License-Identifier: Apache-2.0
// Opens any bytes as a file of torch.save, or, when they do not begin as one, reads them as the
// pickle inside: only regard::Error may escape, and what opens may be read.
#include <vector>

#include "fuzz/memory_file.h"
#include "regard/checkpoint/pickle.h"
#include "regard/checkpoint/torch_file.h"
#include "regard/platform/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    if (!regard::TorchFile::begins(bytes)) {
      regard::read_pickled_tensors(bytes, "input");
      return 0;
    }
    const MemoryFile input(data, size);
    const auto file = regard::TorchFile::open(input.path());
    for (const auto& [name, view] : file.tensors()) {
      std::vector<float> floats(static_cast<std::size_t>(view.size()));
      regard::convert_to_f32(view, floats);
    }
  } catch (const regard::Error&) {
    return 0;
  }
  return 0;
}
