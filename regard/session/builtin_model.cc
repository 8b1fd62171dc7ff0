// SPDX-License-Identifier: Apache-2.0
// The assembler's .incbin puts the model's files into the read-only data of this object.
#include "regard/session/builtin_model.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "regard/checkpoint/checkpoint.h"
#include "regard/platform/json.h"

// 64 bytes: an array of the weights begins at a cache line if it does so in the file.
#define REGARD_EMBED(name, file)                                                               \
  asm(".pushsection .rodata\n.balign 64\n"                                                     \
      "regard_lesson_" #name "_begin:\n.incbin \"" REGARD_LESSON_MODEL "/" file                \
      "\"\nregard_lesson_" #name                                                               \
      "_end:\n.byte 0\n"                                                                       \
      ".popsection\n");                                                                        \
  extern "C" {                                                                                 \
  __attribute__((visibility("hidden"))) extern const std::byte regard_lesson_##name##_begin[], \
      regard_lesson_##name##_end[];                                                            \
  }

REGARD_EMBED(config, "config.json")
REGARD_EMBED(tokenizer, "tokenizer.json")
REGARD_EMBED(weights, "model.safetensors")
REGARD_EMBED(notes, "regard.json")

namespace regard {
namespace {

std::span<const std::byte> between(const std::byte* begin, const std::byte* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

std::string_view text(const std::byte* begin, const std::byte* end) {
  return {reinterpret_cast<const char*>(begin), static_cast<std::size_t>(end - begin)};
}

std::span<const std::byte> weights() {
  return between(regard_lesson_weights_begin, regard_lesson_weights_end);
}

std::string_view tokenizer() {
  return text(regard_lesson_tokenizer_begin, regard_lesson_tokenizer_end);
}

std::string name_of(const char* file) { return std::string(kBuiltinModel) + "/" + file; }

}  // namespace

ModelSpec builtin_model_spec() {
  const JsonDocument config = JsonDocument::parse(
      text(regard_lesson_config_begin, regard_lesson_config_end), name_of("config.json"));
  return read_model_spec(config.root());
}

Model open_builtin_model(bool untrained) {
  const SafetensorsFile file =
      SafetensorsFile::read(MappedFile::of_memory(name_of("model.safetensors"), weights()));
  auto checkpoint = std::make_shared<Checkpoint>(Checkpoint::of_tensors(
      std::string(kBuiltinModel), {file.tensors().begin(), file.tensors().end()}));
  if (untrained) checkpoint->draw_at_random(0);
  return Model::of(builtin_model_spec(), checkpoint);
}

Tokenizer open_builtin_tokenizer() {
  return Tokenizer::from_json(tokenizer(), name_of("tokenizer.json"));
}

std::string_view builtin_model_notes() {
  return text(regard_lesson_notes_begin, regard_lesson_notes_end);
}

std::int64_t builtin_model_bytes() {
  return static_cast<std::int64_t>(weights().size() + tokenizer().size());
}

}  // namespace regard
