// SPDX-License-Identifier: Apache-2.0
// Opens any bytes as a GGUF file: only regard::Error may escape, and what opens may be read:
// every value as every type, every tensor as floats.
#include <vector>

#include "fuzz/memory_file.h"
#include "regard/checkpoint/gguf.h"
#include "regard/kernels/expand.h"
#include "regard/platform/error.h"

namespace {

template <typename F>
void attempt(F f) {
  try {
    f();
  } catch (const regard::Error&) {
    return;
  }
}

void read_all(const regard::GgufFile& file) {
  for (const regard::GgufValue& value : file.metadata()) {
    if (!file.find(value.key())) __builtin_trap();
    attempt([&] { value.boolean(); });
    attempt([&] { value.integer(); });
    attempt([&] { value.number(); });
    attempt([&] { value.string(); });
    attempt([&] { value.integers(); });
    attempt([&] { value.floats(); });
    attempt([&] { value.strings(); });
  }
  for (const regard::NamedTensor& tensor : file.tensors()) {
    const regard::TensorView& view = tensor.view;
    if (!regard::kernels::can_expand(view.dtype)) continue;
    const std::int64_t count = view.size();
    std::vector<float> floats(static_cast<std::size_t>(count));
    if (count > 0)
      regard::kernels::expand_rows(view.dtype, view.data, 0, 1, count, floats.data(), count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile input(data, size);
  attempt([&] { read_all(regard::GgufFile::open(input.path())); });
  return 0;
}
