// SPDX-License-Identifier: Apache-2.0
// From a configuration to the table that knows it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

std::vector<Architecture> all_architectures() {
  std::vector<Architecture> all;
  for (const auto& family :
       {bert_architectures(), encoder_architectures(), llama_architectures(), gemma_architectures(),
        gpt_architectures(), alibi_architectures(), seq2seq_architectures()})
    all.insert(all.end(), family.begin(), family.end());
  return all;
}

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Architecture& entry : all_architectures()) names.emplace_back(entry.model_type);
  std::sort(names.begin(), names.end());
  return names;
}

ModelSpec read_model_spec(const Json& config) {
  const Json type = config.at("model_type");
  const auto table = all_architectures();
  const auto entry = std::find_if(table.begin(), table.end(), [&](const Architecture& a) {
    return a.model_type == type.string();
  });
  if (entry == table.end())
    throw type.wrong(
        fmt::format("one of the architectures {}", fmt::join(known_architectures(), ", ")));
  if (const auto quantised = config.find("quantization_config");
      quantised && !quantised->is_null() && quantised->at("quant_method").string() != "mxfp4")
    throw quantised->at("quant_method").wrong("mxfp4, or weights that are not quantised");
  ModelSpec spec;
  spec.architecture = entry->model_type;
  Config reader(config);
  entry->fill(&reader, &spec);
  spec.ends = reader.ids("eos_token_id");
  spec.notes = reader.unread_notes(entry->model_type);
  return spec;
}

void fill_layers(StackSpec* stack) {
  stack->layer.resize(static_cast<std::size_t>(stack->layers));
  for (std::size_t i = 0; i < stack->layer.size(); ++i) {
    stack->layer[i].tensors = static_cast<int>(i);
    stack->layer[i].rotary = stack->rotaries.empty() ? -1 : 0;
    stack->layer[i].scale =
        static_cast<float>(1.0 / std::sqrt(static_cast<double>(stack->head_dim)));
  }
}

void fill_sizes(Config* config, ModelSpec* spec, const SizeDefaults& defaults) {
  spec->vocabulary = config->size("vocab_size", kMaximalVocabulary, defaults.vocabulary);
  spec->width = spec->embedding_width = config->size("hidden_size", kMaximalWidth, defaults.width);
  spec->layers = config->size("num_hidden_layers", kMaximalLayers, defaults.layers);
  spec->heads = config->size("num_attention_heads", kMaximalWidth, defaults.heads);
  spec->kv_heads = config->size("num_key_value_heads", kMaximalWidth, spec->heads);
  if (spec->heads % spec->kv_heads != 0)
    throw config->root()
        .at("num_key_value_heads")
        .wrong(fmt::format("a divisor of num_attention_heads {}", spec->heads));
  if (!config->has("head_dim") && spec->width % spec->heads != 0)
    throw config->root()
        .at("num_attention_heads")
        .wrong(fmt::format("a divisor of hidden_size {}", spec->width));
  spec->head_dim =
      config->size("head_dim", kMaximalWidth, std::max<std::int64_t>(1, spec->width / spec->heads));
}

}  // namespace regard
