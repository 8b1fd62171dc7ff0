// SPDX-License-Identifier: Apache-2.0
// GGUF's metadata and tensor names, architecture by architecture. Sources: gguf-py/constants.py of
// github.com/ggml-org/llama.cpp for the words; convert_hf_to_gguf.py there for what a conversion
// changes (Q and K permuted, 1 folded into Gemma's gains, fused rows regrouped).
#include "regard/model/gguf_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "regard/model/config.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

struct Rename {
  std::string_view gguf, config;
};

// The names of most configurations.
constexpr std::array kUsual = {
    Rename{"block_count", "num_hidden_layers"},
    Rename{"embedding_length", "hidden_size"},
    Rename{"feed_forward_length", "intermediate_size"},
    Rename{"attention.head_count", "num_attention_heads"},
    Rename{"attention.head_count_kv", "num_key_value_heads"},
    Rename{"attention.key_length", "head_dim"},
    Rename{"context_length", "max_position_embeddings"},
    Rename{"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    Rename{"attention.layer_norm_epsilon", "layer_norm_eps"},
    Rename{"rope.freq_base", "rope_theta"},
};

struct GgufArchitecture {
  std::string_view name, model_type;
  bool neighbours = false;           // rows of Q and K were permuted for neighbouring pairs
  std::vector<Rename> renames = {};  // before the usual ones; an empty word: harmless
  std::string_view constants = "";   // members that the metadata do not say
};

const std::vector<GgufArchitecture>& table() {
  static const std::vector<Rename> kGpt2 = {
      {"block_count", "n_layer"},         {"embedding_length", "n_embd"},
      {"feed_forward_length", "n_inner"}, {"attention.head_count", "n_head"},
      {"context_length", "n_positions"},  {"attention.layer_norm_epsilon", "layer_norm_epsilon"}};
  static const std::vector<GgufArchitecture> kTable = {
      {"llama", "llama", true, {}, R"("hidden_act": "silu")"},
      {"qwen2", "qwen2"},
      {"qwen3", "qwen3"},
      {"qwen3moe",
       "qwen3_moe",
       false,
       {{"expert_count", "num_experts"},
        {"expert_used_count", "num_experts_per_tok"},
        {"expert_feed_forward_length", "moe_intermediate_size"}},
       R"("norm_topk_prob": true)"},
      {"gemma", "gemma"},
      {"gemma2",
       "gemma2",
       false,
       {{"attn_logit_softcapping", "attn_logit_softcapping"},
        {"final_logit_softcapping", "final_logit_softcapping"},
        {"attention.sliding_window", "sliding_window"}}},
      {"gemma3",
       "gemma3_text",
       false,
       {{"attention.sliding_window", "sliding_window"},
        {"final_logit_softcapping", "final_logit_softcapping"}}},
      {"smollm3", "smollm3", true},
      {"granite",
       "granite",
       true,
       {{"attention.scale", "attention_multiplier"},
        {"embedding_scale", "embedding_multiplier"},
        {"residual_scale", "residual_multiplier"},
        {"logit_scale", "logits_scaling"}}},
      {"olmo2", "olmo2", false, {{"attention.sliding_window", ""}}},
      {"phi3", "phi3", false, {{"attention.sliding_window", "sliding_window"}}},
      {"phi2", "phi", false, {}, R"("hidden_act": "gelu_new")"},
      {"stablelm", "stablelm", false, {{"use_parallel_residual", "use_parallel_residual"}}},
      {"command-r", "cohere", false, {{"logit_scale", "logit_scale"}}},
      {"gpt-oss",
       "gpt_oss",
       false,
       {{"attention.sliding_window", "sliding_window"},
        {"feed_forward_length", ""},
        {"expert_feed_forward_length", "intermediate_size"},
        {"expert_count", "num_local_experts"},
        {"expert_used_count", "num_experts_per_tok"}}},
      {"gpt2", "gpt2", false, kGpt2},
      {"gptneox", "gpt_neox", false, {{"use_parallel_residual", "use_parallel_residual"}}},
      {"falcon",
       "falcon",
       false,
       {{"attention.head_count_kv", "num_kv_heads"},
        {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
        {"feed_forward_length", "ffn_hidden_size"}}},
      {"bloom",
       "bloom",
       false,
       {{"block_count", "n_layer"},
        {"attention.head_count", "n_head"},
        {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
        {"attention.head_count_kv", ""},
        {"feed_forward_length", ""},
        {"context_length", "seq_length"}}},
      {"mpt",
       "mpt",
       false,
       {{"block_count", "n_layers"},
        {"embedding_length", "d_model"},
        {"attention.head_count", "n_heads"},
        {"context_length", "max_seq_len"},
        {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
        {"attention.head_count_kv", ""},
        {"feed_forward_length", ""}}},
      {"bert", "bert", false, {}, R"("hidden_act": "gelu")"},
      {"nomic-bert", "nomic_bert"},
  };
  return kTable;
}

// Keys that say nothing about the forward pass, or what is checked elsewhere.
const std::set<std::string_view> kHarmless = {"vocab_size",
                                              "attention.value_length",
                                              "rope.dimension_count",
                                              "tensor_data_layout",
                                              "attention.causal",
                                              "pooling_type",
                                              "rope.scaling.type",
                                              "rope.scaling.factor",
                                              "rope.scaling.original_context_length",
                                              "rope.scaling.finetuned",
                                              "rope.scaling.attn_factor",
                                              "attention.max_alibi_bias",
                                              "attention.clamp_kqv",
                                              "expert_count",
                                              "expert_used_count",
                                              "rope.scaling.yarn_log_multiplier",
                                              "rope.scaling.yarn_beta_fast",
                                              "rope.scaling.yarn_beta_slow"};

class Reader {
 public:
  Reader(const Checkpoint& checkpoint, const GgufArchitecture& architecture)
      : checkpoint_(checkpoint), file_(*checkpoint.gguf()), architecture_(architecture) {}

  std::optional<GgufValue> find(std::string_view key) const {
    return file_.find(fmt::format("{}.{}", architecture_.name, key));
  }
  double number(std::string_view key, double fallback) const {
    const auto value = find(key);
    return value ? value->number() : fallback;
  }
  bool has(std::string_view tensor) const { return checkpoint_.find(tensor).has_value(); }

  std::string config() {
    members_ = fmt::format(R"("model_type": "{}")", model_type());
    if (!architecture_.constants.empty()) members_ += fmt::format(", {}", architecture_.constants);
    std::set<std::string_view> taken;
    for (const Rename& rename : architecture_.renames) take(rename, &taken);
    for (const Rename& rename : kUsual) take(rename, &taken);
    const std::optional<TensorView> words = checkpoint_.find("token_embd.weight");
    if (!words || words->shape.size() != 2)
      throw Error::at(file_.path(), "tensors", "token_embd.weight, a matrix", "none");
    add("vocab_size", fmt::format("{}", words->shape[0]));
    if (const auto end = file_.find("tokenizer.ggml.eos_token_id"))
      add("eos_token_id", fmt::format("{}", end->integer()));
    add_rest();
    check_rest(taken);
    return "{" + members_ + "}";
  }

  // The dimensions of a head, as the table will see them.
  double head_dim() const {
    return number("attention.key_length",
                  number("embedding_length", 1) / number("attention.head_count", 1));
  }

 private:
  std::string_view model_type() const {
    const bool experts = architecture_.name == "llama" && number("expert_count", 0) > 0;
    return experts ? "mixtral" : architecture_.model_type;
  }

  void add(std::string_view key, std::string_view value) {
    members_ += fmt::format(R"(, "{}": {})", key, value);
  }

  void take(const Rename& rename, std::set<std::string_view>* taken) {
    if (!taken->insert(rename.gguf).second) return;
    const auto value = find(rename.gguf);
    if (!value || rename.config.empty()) return;
    if (value->type() == GgufType::kBool) {
      add(rename.config, value->boolean() ? "true" : "false");
    } else if (value->is_array()) {
      const std::vector<std::int64_t> all = value->integers();
      if (all.empty() || std::count(all.begin(), all.end(), all.front()) != std::ssize(all))
        throw value->wrong("the same number for every layer");
      add(rename.config, fmt::format("{}", all.front()));
    } else if (value->type() == GgufType::kF32 || value->type() == GgufType::kF64) {
      // The shortest decimal that is this float: 1e-05, not what its double shows.
      add(rename.config, fmt::format("{}", static_cast<float>(value->number())));
    } else {
      add(rename.config, fmt::format("{}", value->integer()));
    }
  }

  // What single metadata do not say by themselves.
  void add_rest() {
    const double dim = head_dim();
    if (const auto dims = find("rope.dimension_count"); dims && dims->number() != dim)
      add("partial_rotary_factor", fmt::format("{}", dims->number() / dim));
    if (number("attention.value_length", dim) != dim)
      throw find("attention.value_length")->wrong("the length of a key");
    const auto scaling = find("rope.scaling.type");
    const std::string_view type = scaling ? scaling->string() : "none";
    const double factor = number("rope.scaling.factor", 0);
    const double length =
        number("rope.scaling.original_context_length", number("context_length", 0));
    if (has("rope_factors_long.weight")) {
      add("original_max_position_embeddings", fmt::format("{}", length));
      add("rope_scaling",
          fmt::format(R"({{"type": "longrope", "short_factor": {}, "long_factor": {}{}}})",
                      factors("rope_factors_short.weight"), factors("rope_factors_long.weight"),
                      find("rope.scaling.attn_factor")
                          ? fmt::format(R"(, "attention_factor": {})",
                                        number("rope.scaling.attn_factor", 1))
                          : ""));
    } else if (type == "linear" && factor > 0) {
      add("rope_scaling", fmt::format(R"({{"type": "linear", "factor": {}}})", factor));
    } else if (type == "yarn") {
      add("rope_scaling",
          fmt::format(R"({{"type": "yarn", "factor": {}, "original_max_position_embeddings": {},
                          "beta_fast": {}, "beta_slow": {}}})",
                      factor, length, number("rope.scaling.yarn_beta_fast", 32),
                      number("rope.scaling.yarn_beta_slow", 1)));
    } else if (type != "none" && type != "linear") {
      throw scaling->wrong("none, linear, yarn, or longrope with its factors");
    }
    const std::string_view name = architecture_.name;
    const double heads = number("attention.head_count", 1), width = number("embedding_length", 1);
    if (name == "gemma2")
      add("query_pre_attn_scalar",
          fmt::format("{}", number("block_count", 0) == 46 ? width / heads : dim));
    if (name == "gemma3")
      add("query_pre_attn_scalar",
          fmt::format("{}", number("block_count", 0) == 62 ? width / heads : dim));
    if (name == "phi3" && !find("attention.sliding_window")) add("sliding_window", "null");
    if (name == "command-r" && has("blk.0.attn_q_norm.weight")) add("use_qk_norm", "true");
    if (name == "stablelm" && has("blk.0.attn_q_norm.weight")) add("qk_layernorm", "true");
    if (name == "stablelm" && !find("use_parallel_residual") && !has("blk.0.ffn_norm.weight"))
      add("use_parallel_residual", "true");
    if (name == "qwen3" || name == "qwen3moe" || name == "gpt-oss")
      if (!find("attention.key_length")) add("head_dim", fmt::format("{}", dim));
    if (name == "llama" && number("expert_count", 0) > 0) {
      add("num_local_experts", fmt::format("{}", number("expert_count", 0)));
      add("num_experts_per_tok", fmt::format("{}", number("expert_used_count", 2)));
    }
    if (name == "falcon") {
      add("new_decoder_architecture", "true");
      add("num_ln_in_parallel_attn", has("blk.0.attn_norm_2.weight") ? "2" : "1");
    }
    if (name == "mpt" && number("attention.clamp_kqv", 0) > 0)
      add("attn_config", fmt::format(R"({{"clip_qkv": {}}})", number("attention.clamp_kqv", 0)));
    if (name == "bert") {
      const std::optional<TensorView> types = checkpoint_.find("token_types.weight");
      add("type_vocab_size", fmt::format("{}", types ? types->shape[0] : 1));
      if (!find("attention.layer_norm_epsilon")) add("layer_norm_eps", "1e-12");
    }
  }

  // A tensor of factors as a JSON list.
  std::string factors(std::string_view name) const {
    const TensorView view = checkpoint_.at(name, Shape{-1});
    std::vector<float> values(static_cast<std::size_t>(view.size()));
    convert_to_f32(view, values);
    return fmt::format("[{}]", fmt::join(values, ", "));
  }

  void check_rest(const std::set<std::string_view>& taken) const {
    const std::string prefix = fmt::format("{}.", architecture_.name);
    for (const GgufValue& value : file_.metadata()) {
      if (!value.key().starts_with(prefix)) continue;
      const std::string_view key = value.key().substr(prefix.size());
      if (taken.contains(key) || kHarmless.contains(key)) continue;
      if (may_change_scores(key))
        throw value.wrong("no such key, which may change the attention and is not known");
    }
  }

  const Checkpoint& checkpoint_;
  const GgufFile& file_;
  const GgufArchitecture& architecture_;
  std::string members_;
};

// Names, where the table of the architecture has a tensor of that use.
void give_names(const Reader& reader, StackSpec* stack) {
  TensorNames& names = stack->names;
  names.prefixes = {""};
  names.word_embedding = "token_embd";
  names.word_embedding_alias = names.head_decoder_alias = "";
  const auto rename = [](std::string* name, std::string_view to) {
    if (!name->empty()) *name = to;
  };
  rename(&names.position_embedding, "position_embd");
  rename(&names.type_embedding, "token_types");
  rename(&names.embedding_norm, "token_embd_norm");
  rename(&names.final_norm, "output_norm");
  const bool second = reader.has("blk.0.attn_norm_2.weight");  // Falcon: attention's own
  rename(&names.attention_norm, second ? "blk.{}.attn_norm_2" : "blk.{}.attn_norm");
  rename(&names.mlp_norm, second ? "blk.{}.attn_norm" : "blk.{}.ffn_norm");
  rename(&names.attention_out_norm, "blk.{}.post_attention_norm");
  rename(&names.mlp_out_norm, "blk.{}.post_ffw_norm");
  rename(&names.attention_after_norm, "blk.{}.attn_output_norm");
  rename(&names.mlp_after_norm, "blk.{}.layer_output_norm");
  const bool fused = reader.has("blk.0.attn_qkv.weight");
  names.qkv = fused ? "blk.{}.attn_qkv" : "";
  names.query = fused ? "" : "blk.{}.attn_q";
  names.key = fused ? "" : "blk.{}.attn_k";
  names.value = fused ? "" : "blk.{}.attn_v";
  stack->fused = FusedLayout::kThirds;
  rename(&names.query_norm, "blk.{}.attn_q_norm");
  rename(&names.key_norm, "blk.{}.attn_k_norm");
  rename(&names.sinks, "blk.{}.attn_sinks.weight");
  names.attention_out = "blk.{}.attn_output";
  rename(&names.gate, "blk.{}.ffn_gate");
  rename(&names.up, "blk.{}.ffn_up");
  rename(&names.gate_up, "blk.{}.ffn_up");
  names.down = "blk.{}.ffn_down";
  if (stack->experts) {
    names.router = "blk.{}.ffn_gate_inp";
    names.expert_gate = names.expert_up = names.expert_down = names.experts_gate_up = "";
    names.experts_gate = "blk.{}.ffn_gate_exps";
    names.experts_up = "blk.{}.ffn_up_exps";
    names.experts_down = "blk.{}.ffn_down_exps";
    stack->experts->interleaved = stack->experts->in_out = false;
    stack->experts->biases = reader.has("blk.0.ffn_down_exps.bias");
    stack->experts->router_bias = reader.has("blk.0.ffn_gate_inp.bias");
  }
  const bool headless = !names.head_dense.empty();  // a masked-LM head is not converted
  names.head_dense = names.head_norm = "";
  names.head_decoder = headless ? "" : "output";
  names.head_biases = {};
  if (reader.has("output.bias")) names.head_biases = {"output.bias"};
}

}  // namespace

ModelSpec read_gguf_spec(const Checkpoint& checkpoint) {
  const GgufFile& file = *checkpoint.gguf();
  const GgufValue name = file.at("general.architecture");
  const auto& all = table();
  const auto found = std::find_if(all.begin(), all.end(), [&](const GgufArchitecture& entry) {
    return entry.name == name.string();
  });
  if (found == all.end()) {
    std::vector<std::string_view> known;
    for (const GgufArchitecture& entry : all) known.push_back(entry.name);
    throw name.wrong(fmt::format("one of the architectures {}", fmt::join(known, ", ")));
  }
  Reader reader(checkpoint, *found);
  const JsonDocument config = JsonDocument::parse(reader.config(), file.path());
  ModelSpec spec = read_model_spec(config.root());
  give_names(reader, &spec);
  spec.norm_offset = 0;  // folded into the gains
  spec.transposed = false;
  spec.head.tied = true;
  spec.biases.query = spec.biases.key = spec.biases.value =
      reader.has(spec.names.qkv.empty() ? "blk.0.attn_q.bias" : "blk.0.attn_qkv.bias");
  spec.biases.out = reader.has("blk.0.attn_output.bias");
  spec.biases.up = reader.has("blk.0.ffn_up.bias");
  spec.biases.down = reader.has("blk.0.ffn_down.bias");
  if (!spec.names.final_norm.empty() && spec.norm == NormKind::kLayerNorm)
    spec.norm_bias = reader.has("output_norm.bias");
  for (RotarySpec& rotary : spec.rotaries) {
    rotary.neighbours = rotary.neighbours || found->neighbours;
    if (!reader.has("rope_freqs.weight")) continue;
    const TensorView view = checkpoint.at("rope_freqs.weight", Shape{-1});
    std::vector<float> factors(static_cast<std::size_t>(view.size()));
    convert_to_f32(view, factors);
    if (factors.size() != rotary.frequencies.size())
      throw Error::at(file.path(), "rope_freqs.weight",
                      fmt::format("{} factors", rotary.frequencies.size()),
                      fmt::format("{}", factors.size()));
    for (std::size_t i = 0; i < factors.size(); ++i) rotary.frequencies[i] /= factors[i];
  }
  return spec;
}

}  // namespace regard
