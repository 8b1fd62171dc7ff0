// SPDX-License-Identifier: Apache-2.0
// Decoders of Llama's kind: rotary positions, grouped heads, RMS norms before each block, a gated
// MLP. Source: transformers 5.23, models llama, mistral, qwen2, qwen3, smollm3, granite, olmo2,
// phi3, stablelm, cohere, mixtral, qwen3_moe, gpt_oss.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "regard/model/architecture.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::int64_t kMaximalWindow = std::int64_t{1} << 40;

struct LlamaDefaults {
  double theta = 10000, partial = 1, epsilon = 1e-6;
  std::string_view epsilon_key = "rms_norm_eps";
  std::int64_t positions = 2048, original = 0;
  bool tied = false, neighbours = false, yarn_is_longrope = false;
};

void name_llama_tensors(TensorNames* names) {
  const std::string layer = "layers.{}.";
  names->prefixes = {"model.", "", "model.language_model.", "language_model.model."};
  names->word_embedding = "embed_tokens";
  names->final_norm = "norm";
  names->attention_norm = layer + "input_layernorm";
  names->mlp_norm = layer + "post_attention_layernorm";
  names->query = layer + "self_attn.q_proj";
  names->key = layer + "self_attn.k_proj";
  names->value = layer + "self_attn.v_proj";
  names->attention_out = layer + "self_attn.o_proj";
  names->gate = layer + "mlp.gate_proj";
  names->up = layer + "mlp.up_proj";
  names->down = layer + "mlp.down_proj";
  names->head_decoder = "lm_head";
}

void fill_shape(Config* config, ModelSpec* spec, const LlamaDefaults& defaults) {
  fill_sizes(config, spec);
  spec->mlp_width = config->size("intermediate_size", kMaximalWidth);
  spec->trained_positions =
      config->size("max_position_embeddings", kMaximalPositions, defaults.positions);
  spec->causal = true;
  spec->norm = NormKind::kRms;
  spec->norm_bias = false;
  spec->norm_epsilon = config->epsilon(defaults.epsilon_key, defaults.epsilon);
  spec->gated = true;
  spec->activation = config->activation("hidden_act", "silu");
  spec->biases = {false, false, false, false, false, false};
  spec->head.tied = config->flag("tie_word_embeddings", defaults.tied);
  spec->rotaries = {read_rotary(config, {.head_dim = spec->head_dim,
                                         .theta = defaults.theta,
                                         .partial = defaults.partial,
                                         .max_positions = spec->trained_positions,
                                         .original = defaults.original,
                                         .neighbours = defaults.neighbours,
                                         .yarn_is_longrope = defaults.yarn_is_longrope})};
  for (const char* key : {"rope_interleaved", "use_mrope"}) config->demand(key, false);
  fill_layers(spec);
  name_llama_tensors(&spec->names);
}

void attention_bias(Config* config, Biases* biases) {
  biases->query = biases->key = biases->value = biases->out = config->flag("attention_bias", false);
}
// Keys that published configurations carry and that transformers does not read for this model.
void no_biases(Config* config) {
  for (const char* key : {"attention_bias", "mlp_bias", "lm_head_bias"}) config->demand(key, false);
}
void mlp_bias(Config* config, Biases* biases) {
  biases->up = biases->down = config->flag("mlp_bias", false);
}
void shared_head_norms(ModelSpec* spec) {
  spec->qk_norm = QkNorm::kSharedHead;
  spec->names.query_norm = "layers.{}.self_attn.q_norm";
  spec->names.key_norm = "layers.{}.self_attn.k_norm";
}

// Windows where layer_types says so, else where `slides` does.
template <typename Slides>
void fill_windows(Config* config, ModelSpec* spec, std::int64_t window, const Slides& slides) {
  const auto types =
      config->per_layer("layer_types", spec->layers, {"full_attention", "sliding_attention"});
  for (std::size_t i = 0; i < spec->layer.size(); ++i) {
    const bool slide =
        types.empty() ? slides(static_cast<std::int64_t>(i)) : types[i] == "sliding_attention";
    if (slide && window == 0)
      throw config->root().at("sliding_window").wrong("a window, since some layers slide");
    spec->layer[i].window = slide ? window : 0;
  }
}

// One window for every layer, which transformers takes whatever layer_types says.
void fill_one_window(Config* config, ModelSpec* spec, std::int64_t window) {
  fill_windows(config, spec, window, [&](std::int64_t) { return window > 0; });
  for (const LayerSpec& layer : spec->layer)
    if (layer.window != window)
      throw config->root().at("layer_types").wrong("every layer to be as sliding_window says");
}

// The fallback where the key is absent; null and 0 mean none.
std::int64_t window_of(Config* config, std::int64_t fallback) {
  const auto given = config->find("sliding_window");
  if (!given) return config->root().find("sliding_window") ? 0 : fallback;
  const bool none = given->integer() == 0;
  return none ? 0 : config->size("sliding_window", kMaximalWindow);
}

// Qwen2 and its kin: a window only with use_sliding_window, from max_window_layers on.
void fill_qwen_windows(Config* config, ModelSpec* spec) {
  const bool used = config->flag("use_sliding_window", false);
  const std::int64_t window = window_of(config, 4096);
  std::int64_t first = 28;
  if (const auto given = config->find("max_window_layers")) first = given->integer();
  fill_windows(config, spec, used ? window : 0,
               [&](std::int64_t i) { return used && window > 0 && i >= first; });
}

void fill_llama(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {});
  attention_bias(config, &spec->biases);
  mlp_bias(config, &spec->biases);
}

void fill_mistral(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {.positions = 4096 * 32});
  no_biases(config);
  fill_one_window(config, spec, window_of(config, 4096));
}

void fill_qwen2(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {.positions = 32768});
  spec->biases.query = spec->biases.key = spec->biases.value = true;
  config->harmless({"attention_bias"});  // whatever it says
  config->demand("mlp_bias", false);
  fill_qwen_windows(config, spec);
}

void fill_qwen3_shape(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {.positions = 32768});
  if (!config->has("head_dim")) throw config->root().at("head_dim").wrong("the size of a head");
  attention_bias(config, &spec->biases);
  shared_head_norms(spec);
}

void fill_qwen3(Config* config, ModelSpec* spec) {
  fill_qwen3_shape(config, spec);
  fill_qwen_windows(config, spec);
}

void fill_smollm3(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {.theta = 2000000, .positions = 32768, .tied = true});
  attention_bias(config, &spec->biases);
  mlp_bias(config, &spec->biases);
  config->harmless({"max_window_layers"});
  const std::int64_t interval = config->size("no_rope_layer_interval", kMaximalLayers, 4);
  std::vector<bool> turns;
  if (const auto list = config->find("no_rope_layers")) {
    list->for_each_element([&](std::size_t, Json x) { turns.push_back(x.integer() != 0); });
    if (std::ssize(turns) != spec->layers) throw list->wrong("one entry for each layer");
  } else {
    for (std::int64_t i = 0; i < spec->layers; ++i) turns.push_back((i + 1) % interval != 0);
  }
  const bool used = config->flag("use_sliding_window", false);
  const std::int64_t window = used ? window_of(config, 0) : 0;
  config->has("sliding_window");
  fill_windows(config, spec, window,
               [&](std::int64_t i) { return window > 0 && !turns[static_cast<std::size_t>(i)]; });
  for (std::size_t i = 0; i < turns.size(); ++i)
    if (!turns[i]) spec->layer[i].rotary = -1;
}

void fill_granite(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {});
  attention_bias(config, &spec->biases);
  mlp_bias(config, &spec->biases);
  spec->embedding_scale = config->number("embedding_multiplier", 1);
  spec->residual_scale = config->number("residual_multiplier", 1);
  const float divisor = config->number("logits_scaling", 1);
  if (divisor == 0) throw config->root().at("logits_scaling").wrong("another number than 0");
  spec->head.scale = 1 / divisor;
  const float scale = config->number("attention_multiplier", 1);
  for (LayerSpec& layer : spec->layer) layer.scale = scale;
}

void fill_olmo2(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {.epsilon = 1e-5});
  attention_bias(config, &spec->biases);
  spec->qk_norm = QkNorm::kWhole;
  TensorNames& names = spec->names;
  names.query_norm = "layers.{}.self_attn.q_norm";
  names.key_norm = "layers.{}.self_attn.k_norm";
  names.attention_norm = names.mlp_norm = "";
  names.attention_out_norm = "layers.{}.post_attention_layernorm";
  names.mlp_out_norm = "layers.{}.post_feedforward_layernorm";
}

void fill_phi3(Config* config, ModelSpec* spec) {
  fill_shape(config, spec,
             {.epsilon = 1e-5, .positions = 4096, .original = 4096, .yarn_is_longrope = true});
  no_biases(config);
  config->demand_number("full_attn_mod", 1);
  TensorNames& names = spec->names;
  names.query = names.key = names.value = names.gate = names.up = "";
  names.qkv = "layers.{}.self_attn.qkv_proj";
  names.gate_up = "layers.{}.mlp.gate_up_proj";
  fill_one_window(config, spec, window_of(config, 0));
}

void fill_stablelm(Config* config, ModelSpec* spec) {
  fill_shape(
      config, spec,
      {.partial = 0.25, .epsilon = 1e-5, .epsilon_key = "layer_norm_eps", .positions = 4096});
  config->harmless({"norm_eps", "rope_pct"});
  config->demand_number("rotary_scaling_factor", 1);
  spec->norm = NormKind::kLayerNorm;
  spec->norm_bias = true;
  spec->biases.query = spec->biases.key = spec->biases.value = config->flag("use_qkv_bias", false);
  if (config->flag("qk_layernorm", false)) {
    spec->qk_norm = QkNorm::kEachHead;
    spec->qk_norm_kind = NormKind::kLayerNorm;
    spec->names.query_norm = "layers.{}.self_attn.q_layernorm.norms.{}";
    spec->names.key_norm = "layers.{}.self_attn.k_layernorm.norms.{}";
  }
  if (config->flag("use_parallel_residual", false)) {
    spec->parallel = true;
    spec->names.mlp_norm = "";
  }
}

void fill_cohere(Config* config, ModelSpec* spec) {
  fill_shape(config, spec,
             {.theta = 500000,
              .epsilon = 1e-5,
              .epsilon_key = "layer_norm_eps",
              .positions = 8192,
              .tied = true,
              .neighbours = true});
  spec->norm = NormKind::kLayerNorm;
  spec->parallel = true;
  spec->names.mlp_norm = "";
  attention_bias(config, &spec->biases);
  spec->head.scale = config->number("logit_scale", 0.0625);
  if (config->flag("use_qk_norm", false)) {
    spec->qk_norm = QkNorm::kEachHead;
    spec->qk_norm_kind = NormKind::kLayerNorm;
    spec->names.query_norm = "layers.{}.self_attn.q_norm";
    spec->names.key_norm = "layers.{}.self_attn.k_norm";
  }
}

void fill_mixtral(Config* config, ModelSpec* spec) {
  fill_shape(config, spec, {.theta = 1000000, .epsilon = 1e-5, .positions = 4096 * 32});
  no_biases(config);
  fill_one_window(config, spec, window_of(config, 0));
  ExpertsSpec experts;
  experts.count = config->size("num_local_experts", 4096, 8);
  experts.chosen = config->size("num_experts_per_tok", experts.count, 2);
  experts.width = spec->mlp_width;
  experts.renormalise = true;
  spec->experts = experts;
  for (LayerSpec& layer : spec->layer) layer.experts = true;
  TensorNames& names = spec->names;
  const std::string moe = "layers.{}.block_sparse_moe.";
  names.router = moe + "gate";
  names.expert_gate = moe + "experts.{}.w1";
  names.expert_up = moe + "experts.{}.w3";
  names.expert_down = moe + "experts.{}.w2";
  names.router_fused = "layers.{}.mlp.gate";
  names.experts_gate_up = "layers.{}.mlp.experts.gate_up_proj";
  names.experts_down = "layers.{}.mlp.experts.down_proj";
}

void fill_qwen3_moe(Config* config, ModelSpec* spec) {
  fill_qwen3_shape(config, spec);
  const std::int64_t window = window_of(config, 4096);
  config->harmless({"max_window_layers"});
  fill_one_window(config, spec, config->flag("use_sliding_window", false) ? window : 0);
  ExpertsSpec experts;
  experts.count =
      config->size(config->has("num_experts") ? "num_experts" : "num_local_experts", 4096, 128);
  experts.chosen = config->size("num_experts_per_tok", experts.count, 8);
  experts.width = config->size("moe_intermediate_size", kMaximalWidth, 768);
  experts.renormalise = config->flag("norm_topk_prob", false);
  spec->experts = experts;
  const std::int64_t step = config->size("decoder_sparse_step", kMaximalLayers, 1);
  for (std::size_t i = 0; i < spec->layer.size(); ++i)
    spec->layer[i].experts = static_cast<std::int64_t>(i + 1) % step == 0;
  if (const auto plain = config->find("mlp_only_layers"))
    plain->for_each_element([&](std::size_t, Json entry) {
      if (entry.integer() < 0 || entry.integer() >= spec->layers) throw entry.wrong("a layer");
      spec->layer[static_cast<std::size_t>(entry.integer())].experts = false;
    });
  TensorNames& names = spec->names;
  const std::string moe = "layers.{}.mlp.";
  names.router = moe + "gate";
  names.expert_gate = moe + "experts.{}.gate_proj";
  names.expert_up = moe + "experts.{}.up_proj";
  names.expert_down = moe + "experts.{}.down_proj";
  names.experts_gate_up = moe + "experts.gate_up_proj";
  names.experts_down = moe + "experts.down_proj";
}

void fill_gpt_oss(Config* config, ModelSpec* spec) {
  // Where neither is there, transformers stretches as the published models do: not by guess here.
  if (!config->has("rope_scaling")) config->root().at("rope_parameters");
  fill_shape(config, spec, {.theta = 150000, .epsilon = 1e-5, .positions = 131072});
  if (!config->has("head_dim")) throw config->root().at("head_dim").wrong("the size of a head");
  spec->biases.query = spec->biases.key = spec->biases.value = spec->biases.out =
      config->flag("attention_bias", true);
  const std::int64_t window = window_of(config, 128);
  fill_windows(config, spec, window, [](std::int64_t i) { return i % 2 == 0; });
  spec->names.sinks = "layers.{}.self_attn.sinks";
  ExpertsSpec experts;
  experts.count = config->size("num_local_experts", 4096, 128);
  experts.chosen =
      config->size(config->has("num_experts_per_tok") ? "num_experts_per_tok" : "experts_per_token",
                   experts.count, 4);
  experts.width = spec->mlp_width;
  experts.router = Router::kSoftmaxChosen;
  experts.router_bias = experts.biases = experts.in_out = experts.interleaved = true;
  experts.clamp = config->number("swiglu_limit", 7.0);
  if (!(experts.clamp > 0)) throw config->root().at("swiglu_limit").wrong("more than 0");
  experts.alpha = config->number("swiglu_alpha", 1.702);
  config->harmless({"experts_per_token", "initial_context_length"});
  spec->experts = experts;
  for (LayerSpec& layer : spec->layer) layer.experts = true;
  TensorNames& names = spec->names;
  names.router = "layers.{}.mlp.router";
  names.experts_gate_up = "layers.{}.mlp.experts.gate_up_proj";
  names.experts_down = "layers.{}.mlp.experts.down_proj";
}

}  // namespace

std::span<const Architecture> llama_architectures() {
  static constexpr std::array kTable = {
      Architecture{"llama", fill_llama},       Architecture{"mistral", fill_mistral},
      Architecture{"qwen2", fill_qwen2},       Architecture{"qwen3", fill_qwen3},
      Architecture{"smollm3", fill_smollm3},   Architecture{"granite", fill_granite},
      Architecture{"olmo2", fill_olmo2},       Architecture{"phi3", fill_phi3},
      Architecture{"stablelm", fill_stablelm}, Architecture{"cohere", fill_cohere},
      Architecture{"mixtral", fill_mixtral},   Architecture{"qwen3_moe", fill_qwen3_moe},
      Architecture{"gpt_oss", fill_gpt_oss},
  };
  return kTable;
}

}  // namespace regard
