// SPDX-License-Identifier: Apache-2.0
// Opens any bytes as a safetensors file: only regard::Error may escape, and what opens may be read.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "regard/checkpoint/safetensors.h"
#include "regard/platform/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int descriptor = ::memfd_create("safetensors", MFD_CLOEXEC);
  if (descriptor < 0 || ::write(descriptor, data, size) != static_cast<ssize_t>(size))
    __builtin_trap();
  try {
    const auto file = regard::SafetensorsFile::open("/proc/self/fd/" + std::to_string(descriptor));
    for (const auto& [name, view] : file.tensors()) {
      std::vector<float> floats(static_cast<std::size_t>(view.size()));
      regard::convert_to_f32(view, floats);
    }
  } catch (const regard::Error&) {
  }
  ::close(descriptor);
  return 0;
}
