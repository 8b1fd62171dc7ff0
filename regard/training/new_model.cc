// SPDX-License-Identifier: Apache-2.0
// One template a table of regard/model.
#include "regard/training/new_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "regard/platform/error.h"
#include "regard/platform/json.h"

namespace regard {
namespace {

struct Template {
  std::string_view architecture, keys;
  bool causal;
};

// {width}, {layers}, {heads}, {kv}, {mlp}, {positions}, {base}, {vocabulary}, {padding}, {end}.
constexpr std::array kTemplates = {
    Template{"bert", R"("architectures": ["BertForMaskedLM"],
 "model_type": "bert",
 "hidden_size": {width},
 "num_hidden_layers": {layers},
 "num_attention_heads": {heads},
 "intermediate_size": {mlp4},
 "hidden_act": "gelu",
 "hidden_dropout_prob": 0.0,
 "attention_probs_dropout_prob": 0.0,
 "max_position_embeddings": {positions},
 "type_vocab_size": 1,
 "layer_norm_eps": 1e-12,
 "pad_token_id": {padding},
 "tie_word_embeddings": true,
 "vocab_size": {vocabulary})",
             false},
    Template{"modernbert", R"("architectures": ["ModernBertForMaskedLM"],
 "model_type": "modernbert",
 "hidden_size": {width},
 "num_hidden_layers": {layers},
 "num_attention_heads": {heads},
 "intermediate_size": {mlp2},
 "hidden_activation": "gelu",
 "classifier_activation": "gelu",
 "norm_eps": 1e-5,
 "norm_bias": false,
 "attention_bias": false,
 "mlp_bias": false,
 "classifier_bias": false,
 "decoder_bias": true,
 "max_position_embeddings": {positions},
 "global_attn_every_n_layers": 1,
 "local_attention": {positions},
 "global_rope_theta": {base},
 "local_rope_theta": {base},
 "pad_token_id": {padding},
 "bos_token_id": null,
 "eos_token_id": null,
 "cls_token_id": null,
 "sep_token_id": null,
 "tie_word_embeddings": true,
 "vocab_size": {vocabulary})",
             false},
    Template{"gpt2", R"("architectures": ["GPT2LMHeadModel"],
 "model_type": "gpt2",
 "n_embd": {width},
 "n_layer": {layers},
 "n_head": {heads},
 "n_inner": {mlp4},
 "n_positions": {positions},
 "activation_function": "gelu_new",
 "attn_pdrop": 0.0,
 "embd_pdrop": 0.0,
 "resid_pdrop": 0.0,
 "layer_norm_epsilon": 1e-5,
 "bos_token_id": {end},
 "eos_token_id": {end},
 "tie_word_embeddings": true,
 "vocab_size": {vocabulary})",
             true},
    Template{"llama", R"("architectures": ["LlamaForCausalLM"],
 "model_type": "llama",
 "hidden_size": {width},
 "num_hidden_layers": {layers},
 "num_attention_heads": {heads},
 "num_key_value_heads": {kv},
 "intermediate_size": {mlp2},
 "hidden_act": "silu",
 "rms_norm_eps": 1e-5,
 "rope_theta": {base},
 "max_position_embeddings": {positions},
 "attention_bias": false,
 "mlp_bias": false,
 "bos_token_id": {end},
 "eos_token_id": {end},
 "tie_word_embeddings": true,
 "vocab_size": {vocabulary})",
             true},
};

const Template& template_of(const std::string& architecture) {
  const auto found = std::find_if(kTemplates.begin(), kTemplates.end(), [&](const Template& t) {
    return t.architecture == architecture;
  });
  if (found == kTemplates.end())
    throw Error(fmt::format("architecture: expected one of {}, found \"{}\"",
                            fmt::join(new_architectures(), ", "), architecture),
                Error::Kind::kUsage);
  return *found;
}

}  // namespace

std::vector<std::string> new_architectures() {
  std::vector<std::string> names;
  for (const Template& one : kTemplates) names.emplace_back(one.architecture);
  return names;
}

bool predicts_next(const std::string& architecture) { return template_of(architecture).causal; }

std::string new_config(const NewModel& model, std::int64_t vocabulary, std::int64_t padding,
                       std::int64_t end) {
  if (model.width % model.heads != 0)
    throw Error(fmt::format("heads: expected a divisor of the width {}, found {}", model.width,
                            model.heads),
                Error::Kind::kUsage);
  const auto id = [](std::int64_t value) {
    return value < 0 ? std::string("null") : std::to_string(value);
  };
  const std::string keys(template_of(model.architecture).keys);
  return "{\n " +
         fmt::format(fmt::runtime(keys), fmt::arg("width", model.width),
                     fmt::arg("layers", model.layers), fmt::arg("heads", model.heads),
                     fmt::arg("kv", model.kv_heads > 0 ? model.kv_heads : model.heads),
                     fmt::arg("mlp4", model.mlp > 0 ? model.mlp : 4 * model.width),
                     fmt::arg("mlp2", model.mlp > 0 ? model.mlp : 2 * model.width),
                     fmt::arg("positions", model.positions),
                     fmt::arg("base", model.rotary_base > 0 ? model.rotary_base : 10000.0),
                     fmt::arg("vocabulary", vocabulary), fmt::arg("padding", id(padding)),
                     fmt::arg("end", id(end))) +
         "\n}\n";
}

std::string with_vocabulary(const std::string& text, const std::string& file,
                            std::int64_t vocabulary) {
  const JsonDocument json = JsonDocument::parse(text, file);
  const std::string size = std::to_string(vocabulary);
  const auto old = json.root().find("vocab_size");
  if (!old) {
    std::string out = text;
    return out.insert(out.find('{') + 1, "\n \"vocab_size\": " + size + ",");
  }
  if (old->integer() == vocabulary) return text;
  throw old->wrong(fmt::format("the tokenizer's vocabulary of {}", vocabulary));
}

}  // namespace regard
