// SPDX-License-Identifier: Apache-2.0
// From GGUF's metadata to the members of a config.json. Source: the folder conversion of
// github.com/ggml-org/llama.cpp for what a conversion changes (Q and K permuted, 1 folded into
// Gemma's gains, fused rows regrouped), src/models there for what the metadata leave unsaid.
#include "regard/model/gguf_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "regard/model/config.h"
#include "regard/model/gguf_tables.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

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
    for (const GgufRename& rename : architecture_.renames) take(rename, &taken);
    for (const GgufRename& rename : usual_gguf_renames()) take(rename, &taken);
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

  void take(const GgufRename& rename, std::set<std::string_view>* taken) {
    if (!taken->insert(rename.gguf).second) return;
    const auto value = find(rename.gguf);
    if (!value || rename.config.empty() || !given_.insert(rename.config).second) return;
    if (value->type() == GgufType::kBool) {
      add(rename.config, value->boolean() ? "true" : "false");
    } else if (value->type() == GgufType::kString) {
      add(rename.config, json_quoted(value->string()));
    } else if (value->is_array() && value->element_type() == GgufType::kBool) {
      add_layer_types(*value);
    } else if (value->is_array()) {
      const std::vector<std::int64_t> all = value->integers();
      if (all.empty() || std::count(all.begin(), all.end(), all.front()) != std::ssize(all))
        throw value->wrong("the same number for every layer");
      add(rename.config, fmt::format("{}", all.front()));
    } else if (value->type() == GgufType::kF32 || value->type() == GgufType::kF64) {
      // The shortest decimal that is this float: 1e-05, not what its double shows.
      add(rename.config, fmt::format("{}", static_cast<float>(value->number())));
    } else if (rename.config == "sliding_window" && value->integer() == 0) {
      add("sliding_window", "null");  // Phi-3's and Phi-4's word for none
    } else {
      add(rename.config, fmt::format("{}", value->integer()));
    }
  }

  // Whether each layer slides.
  void add_layer_types(const GgufValue& slides) {
    if (number("block_count", 0) != static_cast<double>(slides.size()))
      throw slides.wrong("one entry for each layer");
    std::vector<std::string_view> types;
    for (const std::int64_t slide : slides.integers())
      types.push_back(slide != 0 ? R"("sliding_attention")" : R"("full_attention")");
    add("layer_types", fmt::format("[{}]", fmt::join(types, ", ")));
  }

  // What single metadata do not say by themselves.
  void add_rest() {
    add_rotary();
    if (number("attention.value_length", head_dim()) != head_dim())
      throw find("attention.value_length")->wrong("the length of a key");
    const std::string_view name = architecture_.name;
    // The scale is not said. It is that of a head, but for the largest Gemma 2 and 3.
    const double heads = number("attention.head_count", 1), width = number("embedding_length", 1);
    for (const auto& [gemma, largest] : {std::pair{"gemma2", 46}, std::pair{"gemma3", 62}})
      if (name == gemma)
        add("query_pre_attn_scalar",
            fmt::format("{}", number("block_count", 0) == largest ? width / heads : head_dim()));
    // Without a window no layer slides, whatever config.json means by that.
    if (!find("attention.sliding_window")) {
      if (name == "phi3") add("sliding_window", "null");
      if (name == "gemma2" || name == "gemma3" || name == "modern-bert" || name == "gpt-oss")
        throw Error::at(file_.path(), fmt::format("{}.attention.sliding_window", name),
                        "the window of the layers that slide", "no such key");
    }
    if (name == "command-r" && has("blk.0.attn_q_norm.weight")) add("use_qk_norm", "true");
    if (name == "stablelm" && has("blk.0.attn_q_norm.weight")) add("qk_layernorm", "true");
    if (name == "stablelm" && !find("use_parallel_residual") && !has("blk.0.ffn_norm.weight"))
      add("use_parallel_residual", "true");
    if (name == "qwen3" || name == "qwen3moe" || name == "gpt-oss")
      if (!find("attention.key_length")) add("head_dim", fmt::format("{}", head_dim()));
    if (name == "llama" && number("expert_count", 0) > 0) {
      add("num_local_experts", fmt::format("{}", number("expert_count", 0)));
      add("num_experts_per_tok", fmt::format("{}", number("expert_used_count", 2)));
    }
    if (name == "falcon")
      add("num_ln_in_parallel_attn", has("blk.0.attn_norm_2.weight") ? "2" : "1");
    if (name == "mpt") {
      if (file_.at("mpt.attention.max_alibi_bias").number() != 8)
        throw find("attention.max_alibi_bias")->wrong("8");
      if (number("attention.head_count_kv", heads) != heads)
        throw find("attention.head_count_kv")->wrong("as many as attention.head_count");
      add("attn_config", fmt::format(R"({{"clip_qkv": {}}})", number("attention.clamp_kqv", 0)));
    }
    if (name == "bert" || name == "nomic-bert") {
      const std::optional<TensorView> types = checkpoint_.find("token_types.weight");
      add("type_vocab_size", fmt::format("{}", types ? types->shape[0] : 1));
    }
    if (name == "t5") {
      add("feed_forward_proj", has("enc.blk.0.ffn_gate.weight") ? R"("gated-gelu")" : R"("relu")");
      add("tie_word_embeddings", has("output.weight") ? "false" : "true");
    }
  }

  // How much of a head turns, and what stretches the angles.
  void add_rotary() {
    const double dim = head_dim(), dims = number("rope.dimension_count", dim);
    if (dims != dim || !architecture_.partial_key.empty()) {
      double share = dims / dim;
      while (share < 1 && dim * share < dims) share = std::nextafter(share, 1.0);
      add(architecture_.partial_key.empty() ? "partial_rotary_factor" : architecture_.partial_key,
          fmt::format("{}", share));
    }
    const auto scaling = find("rope.scaling.type");
    std::string_view type = scaling ? scaling->string() : "none";
    const double factor = number("rope.scaling.factor", number("rope.scale_linear", 0));
    if (!scaling && factor > 0) type = "linear";
    const double length =
        number("rope.scaling.original_context_length", number("context_length", 0));
    const auto magnitude = [&](std::string_view key) {
      return find(key) ? fmt::format(R"(, "attention_factor": {})", number(key, 1)) : "";
    };
    if (has("rope_factors_long.weight")) {
      add("original_max_position_embeddings", fmt::format("{}", length));
      add("rope_scaling",
          fmt::format(R"({{"type": "longrope", "short_factor": {}, "long_factor": {}{}}})",
                      factors("rope_factors_short.weight"), factors("rope_factors_long.weight"),
                      magnitude("rope.scaling.attn_factor")));
      return;
    }
    if (number("rope.scaling.attn_factor", 1) != 1)
      throw find("rope.scaling.attn_factor")->wrong("1 without the factors of LongRoPE");
    if (type == "linear") {
      if (factor > 0)
        add("rope_scaling", fmt::format(R"({{"type": "linear", "factor": {}}})", factor));
    } else if (type == "yarn") {
      add("rope_scaling",
          fmt::format(R"({{"type": "yarn", "factor": {}, "original_max_position_embeddings": {},
                          "beta_fast": {}, "beta_slow": {}{}{}}})",
                      factor, length, number("rope.scaling.yarn_beta_fast", 32),
                      number("rope.scaling.yarn_beta_slow", 1),
                      magnitude("rope.scaling.yarn_attn_factor"),
                      // Unsaid: gpt-oss does not round the bounds of its ramp.
                      architecture_.name == "gpt-oss" ? R"(, "truncate": false)" : ""));
    } else if (type != "none") {
      throw scaling->wrong("none, linear, yarn, or longrope with its factors");
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
      if (taken.contains(key) || is_known_gguf_key(key)) continue;
      if (may_change_scores(key))
        throw value.wrong("no such key, which may change the attention and is not known");
    }
  }

  const Checkpoint& checkpoint_;
  const GgufFile& file_;
  const GgufArchitecture& architecture_;
  std::string members_;
  std::set<std::string_view> given_;
};

// What stretches each frequency of Llama 3.1 and later.
void divide_frequencies(const Checkpoint& checkpoint, RotarySpec* rotary) {
  constexpr std::string_view kName = "rope_freqs.weight";
  if (!checkpoint.find(kName)) return;
  const TensorView view = checkpoint.at(kName, Shape{std::ssize(rotary->frequencies)});
  std::vector<float> factors(rotary->frequencies.size());
  convert_to_f32(view, factors);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    if (!(factors[i] > 0) || !std::isfinite(factors[i]))
      throw Error::at(checkpoint.file_of(kName), kName, "factors of more than 0",
                      fmt::format("{}", factors[i]));
    rotary->frequencies[i] /= factors[i];
  }
}

}  // namespace

ModelSpec read_gguf_spec(const Checkpoint& checkpoint) {
  const GgufFile& file = *checkpoint.gguf();
  const GgufValue name = file.at("general.architecture");
  const auto& all = gguf_architectures();
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
  name_gguf_tensors(checkpoint, spec.decoder ? "enc." : "", &spec);
  if (spec.decoder) name_gguf_tensors(checkpoint, "dec.", &*spec.decoder);
  check_gguf_tensors(checkpoint, spec);
  spec.head.tied = true;  // where there is no output.weight
  if (const auto causal = reader.find("attention.causal")) spec.causal = causal->boolean();
  for (RotarySpec& rotary : spec.rotaries) {
    rotary.neighbours = rotary.neighbours || found->neighbours;
    divide_frequencies(checkpoint, &rotary);
  }
  return spec;
}

}  // namespace regard
