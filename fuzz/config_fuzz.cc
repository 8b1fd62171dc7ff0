// SPDX-License-Identifier: Apache-2.0
// Reads any bytes as a model's config.json: only regard::Error may escape, and sizes that are
// accepted are sizes that the forward pass can multiply.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "regard/model/model_spec.h"
#include "regard/platform/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  try {
    const auto document = regard::JsonDocument::parse(json, "config.json");
    const regard::ModelSpec spec = regard::read_model_spec(document.root());
    for (const std::int64_t count :
         {spec.vocabulary, spec.width, spec.layers, spec.heads, spec.kv_heads, spec.head_dim})
      if (count < 1 || count > (std::int64_t{1} << 32)) __builtin_trap();
  } catch (const regard::Error&) {
  }
  return 0;
}
