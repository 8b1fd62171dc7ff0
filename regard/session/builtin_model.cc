// SPDX-License-Identifier: Apache-2.0
// The assembler's .incbin puts the model's files into the read-only data of this object.
#include "regard/session/builtin_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "regard/checkpoint/checkpoint.h"
#include "regard/platform/error.h"
#include "regard/platform/json.h"
#include "regard/session/model_notes.h"
#include "regard/trace/trace_file.h"

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
REGARD_EMBED(metrics, "../traces/metrics.jsonl")

// CMake writes a line for each trace: REGARD_KEPT(00400, tired).
#define REGARD_KEPT(step, text) \
  REGARD_EMBED(trace_##step##_##text, "../traces/step-" #step "-" #text ".safetensors")
#include "lesson_traces.inc"
#undef REGARD_KEPT

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

KeptCheckpoint kept_at(std::int64_t step, std::span<const std::byte> trace) {
  std::string_view lines = text(regard_lesson_metrics_begin, regard_lesson_metrics_end);
  KeptCheckpoint kept{
      .step = step,
      .loss = {},
      .run = {},
      .trace = read_trace(MappedFile::of_memory(fmt::format("lesson/step-{:05}", step), trace))};
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const JsonDocument line =
        JsonDocument::parse(lines.substr(0, end), std::string(kBuiltinModel) + "/metrics.jsonl");
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.root().at("step").integer() != step) continue;
    if (const Json loss = line.root().at("loss"); !loss.is_null()) kept.loss = loss.number();
    if (const auto run = line.root().find("run")) kept.run = run->string();
    return kept;
  }
  throw Error::at(std::string(kBuiltinModel) + "/metrics.jsonl", "",
                  fmt::format("a line for step {}", step), "none");
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

std::vector<KeptCheckpoint> builtin_checkpoints() {
  std::vector<KeptCheckpoint> kept;
#define REGARD_KEPT(step, text)                                                                  \
  kept.push_back(kept_at(std::stoll(#step), between(regard_lesson_trace_##step##_##text##_begin, \
                                                    regard_lesson_trace_##step##_##text##_end)));
#include "lesson_traces.inc"
#undef REGARD_KEPT
  const ModelNotes notes = read_model_notes(builtin_model_notes(), name_of("regard.json"));
  for (KeptCheckpoint& one : kept) {
    one.trace.model = kBuiltinModel;
    one.trace.preferred = notes.default_heads;
    one.trace.preferred_why = notes.why;
  }
  return kept;
}

std::int64_t builtin_model_bytes() {
  return static_cast<std::int64_t>(weights().size() + tokenizer().size());
}

}  // namespace regard
