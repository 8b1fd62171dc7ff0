// SPDX-License-Identifier: Apache-2.0
// Gemma 1 to 3: embeddings times sqrt(width), norms whose gain is 1 + weight, soft caps, layers
// that slide. Source: transformers 5.23, models gemma, gemma2, gemma3.
#include <array>
#include <cmath>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::int64_t kMaximalWindow = std::int64_t{1} << 40;

void fill_shape(Config* config, ModelSpec* spec, std::string_view activation_key) {
  fill_sizes(config, spec);
  if (!config->has("head_dim")) spec->head_dim = 256;
  spec->mlp_width = config->size("intermediate_size", kMaximalWidth);
  spec->causal = true;
  spec->norm = NormKind::kRms;
  spec->norm_bias = false;
  spec->norm_offset = 1;
  spec->norm_epsilon = config->epsilon("rms_norm_eps", 1e-6);
  spec->gated = true;
  const bool exact = config->text(activation_key, "gelu_pytorch_tanh") == "gelu";
  spec->activation = exact && activation_key == "hidden_act"  // Gemma 1 means the approximation
                         ? kernels::Activation::kGeluTanh
                         : config->activation(activation_key, "gelu_pytorch_tanh");
  const bool bias = config->flag("attention_bias", false);
  spec->biases = {bias, bias, bias, bias, false, false};
  spec->head.tied = config->flag("tie_word_embeddings", true);
  // The checkpoint's own type rounds it: transformers multiplies in that type.
  spec->embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(spec->width)));
  spec->embedding_scale_rounded = true;
  config->demand("use_bidirectional_attention", false);

  TensorNames& names = spec->names;
  const std::string layer = "layers.{}.";
  names.prefixes = {"model.", "", "model.language_model.", "language_model.model."};
  names.word_embedding = "embed_tokens";
  names.final_norm = "norm";
  names.attention_norm = layer + "input_layernorm";
  names.mlp_norm = layer + "post_attention_layernorm";
  names.query = layer + "self_attn.q_proj";
  names.key = layer + "self_attn.k_proj";
  names.value = layer + "self_attn.v_proj";
  names.attention_out = layer + "self_attn.o_proj";
  names.gate = layer + "mlp.gate_proj";
  names.up = layer + "mlp.up_proj";
  names.down = layer + "mlp.down_proj";
  names.head_decoder = "lm_head";
}

void sandwich(TensorNames* names) {
  const std::string layer = "layers.{}.";
  names->attention_out_norm = layer + "post_attention_layernorm";
  names->mlp_norm = layer + "pre_feedforward_layernorm";
  names->mlp_out_norm = layer + "post_feedforward_layernorm";
}

// Scale from query_pre_attn_scalar; windows and rotary tables by layer type, every `pattern`-th
// layer being global where layer_types does not say.
void fill_layer_types(Config* config, ModelSpec* spec, std::int64_t pattern) {
  const float scalar = config->number("query_pre_attn_scalar", 256);
  if (!(scalar > 0)) throw config->root().at("query_pre_attn_scalar").wrong("more than 0");
  const auto types =
      config->per_layer("layer_types", spec->layers, {"full_attention", "sliding_attention"});
  const std::int64_t window = config->size("sliding_window", kMaximalWindow, 4096);
  fill_layers(spec);
  for (std::size_t i = 0; i < spec->layer.size(); ++i) {
    LayerSpec& layer = spec->layer[i];
    layer.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(scalar)));
    const bool slides = types.empty() ? static_cast<std::int64_t>(i + 1) % pattern != 0
                                      : types[i] == "sliding_attention";
    layer.window = slides ? window : 0;
    if (slides && spec->rotaries.size() > 1) layer.rotary = 1;
  }
}

void fill_gemma(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, "hidden_act");
  config->harmless({"hidden_activation"});
  spec->trained_positions = config->size("max_position_embeddings", kMaximalPositions, 8192);
  spec->rotaries = {
      read_rotary(config, {.head_dim = spec->head_dim, .max_positions = spec->trained_positions})};
  fill_layers(spec);
}

void fill_gemma2(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, "hidden_activation");
  config->harmless({"hidden_act", "cache_implementation"});
  spec->trained_positions = config->size("max_position_embeddings", kMaximalPositions, 8192);
  spec->rotaries = {
      read_rotary(config, {.head_dim = spec->head_dim, .max_positions = spec->trained_positions})};
  sandwich(&spec->names);
  spec->cap =
      config->root().find("attn_logit_softcapping") && !config->has("attn_logit_softcapping")
          ? 0.0f
          : config->number("attn_logit_softcapping", 50);
  spec->head.cap =
      config->root().find("final_logit_softcapping") && !config->has("final_logit_softcapping")
          ? 0.0f
          : config->number("final_logit_softcapping", 30);
  fill_layer_types(config, spec, 2);
  const std::int64_t window = config->size("sliding_window", kMaximalWindow, 4096);
  if (config->size("sliding_window_size", kMaximalWindow, window) != window)
    throw config->root().at("sliding_window_size").wrong("sliding_window");
}

void fill_gemma3(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, "hidden_activation");
  config->harmless(
      {"hidden_act", "cache_implementation", "attn_logit_softcapping", "_sliding_window_pattern"});
  spec->trained_positions = config->size("max_position_embeddings", kMaximalPositions, 131072);
  const std::int64_t pattern = config->size("sliding_window_pattern", kMaximalLayers, 6);
  sandwich(&spec->names);
  spec->qk_norm = QkNorm::kSharedHead;
  spec->names.query_norm = "layers.{}.self_attn.q_norm";
  spec->names.key_norm = "layers.{}.self_attn.k_norm";
  spec->head.cap = config->number("final_logit_softcapping", 0);
  spec->rotaries = {read_rotary(config, {.head_dim = spec->head_dim,
                                         .theta = 1000000,
                                         .max_positions = spec->trained_positions}),
                    read_rotary(config,
                                {.head_dim = spec->head_dim,
                                 .max_positions = spec->trained_positions,
                                 .theta_key = "rope_local_base_freq",
                                 .scaling = false},
                                "sliding_attention")};
  fill_layer_types(config, spec, pattern);
}

}  // namespace

std::span<const Architecture> gemma_architectures() {
  static constexpr std::array kTable = {
      Architecture{"gemma", fill_gemma},
      Architecture{"gemma2", fill_gemma2},
      Architecture{"gemma3_text", fill_gemma3},
  };
  return kTable;
}

}  // namespace regard
