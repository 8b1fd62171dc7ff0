# SPDX-License-Identifier: Apache-2.0
"""The cases of make_model_golden.py: a tiny configuration of each architecture and variant.

changes: keys that must move the attention; late: keys that must move any of the results. queries:
which parameters scale the queries of a kind of attention, and how heads lie in them.
"""

ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def rope(**members):
    return ROPE | members


def case(model, config, **more):
    """A case with the defaults that most have."""
    family = model.split("For")[0].removesuffix("Model")
    heads = config.get("num_attention_heads", 4)
    return dict(model=model, config_class=more.pop("config_class", family + "Config"),
                config=config, vocabulary=more.pop("vocabulary", 61), tokens=more.pop("tokens", 40),
                queries=more.pop("queries", {"attention": (r"layers\.{}\.self_attn\.q_proj",
                                                           "rows")}),
                kv_heads=config.get("num_key_value_heads", heads),
                head_dim=config.get("head_dim", config.get("hidden_size", 32) // heads), **more)


LLAMA = dict(vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, head_dim=16,
             max_position_embeddings=64, rope_parameters=rope(), tie_word_embeddings=False,
             pad_token_id=0, bos_token_id=1, eos_token_id=2)
Q_NORM = {"attention": (r"layers\.{}\.self_attn\.q_norm\.weight", "shared")}


def old_dialect(config):
    """As transformers 4 wrote it."""
    rope_parameters = config.pop("rope_parameters")
    config["rope_theta"] = rope_parameters.pop("rope_theta")
    if "partial_rotary_factor" in rope_parameters:
        config["partial_rotary_factor"] = rope_parameters.pop("partial_rotary_factor")
    kind = rope_parameters.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else {"type": kind, **rope_parameters}
    config.pop("layer_types", None)


def gemma3_old_dialect(config):
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters["full_attention"].pop("rope_theta")
    config["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
    config["rope_scaling"] = parameters["full_attention"]
    config.pop("layer_types")
    config["sliding_window_pattern"] = 2


CASES = {
    "llama": case(
        "LlamaForCausalLM", LLAMA,
        changes={"rope_parameters.rope_theta": 500.0, "rms_norm_eps": 0.5, "hidden_act": "gelu"}),
    "llama_biased": case(
        "LlamaForCausalLM", LLAMA | dict(attention_bias=True, mlp_bias=True, hidden_act="gelu",
                                         num_key_value_heads=1, tie_word_embeddings=True),
        rewrite=old_dialect, changes={"attention_bias": False, "mlp_bias": False}),
    "llama_base": case(
        "LlamaModel", LLAMA | dict(num_key_value_heads=4), stored="bfloat16",
        rewrite=old_dialect, changes={"rms_norm_eps": 0.5}),
    "llama_linear": case(
        "LlamaForCausalLM", LLAMA | dict(rope_parameters=rope(rope_type="linear", factor=4.0)),
        rewrite=old_dialect, changes={"rope_parameters.factor": 2.0}),
    "llama_dynamic": case(
        "LlamaForCausalLM",
        LLAMA | dict(rope_parameters=rope(rope_type="dynamic", factor=3.0),
                     max_position_embeddings=24),
        changes={"rope_parameters.factor": 6.0, "max_position_embeddings": 30}),
    "llama_llama3": case(
        "LlamaForCausalLM",
        LLAMA | dict(rope_parameters=rope(
            rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=32)),
        rewrite=old_dialect,
        changes={"rope_parameters.factor": 2.0, "rope_parameters.low_freq_factor": 2.0,
                 "rope_parameters.high_freq_factor": 8.0,
                 "rope_parameters.original_max_position_embeddings": 128}),
    "llama_yarn": case(
        "LlamaForCausalLM",
        LLAMA | dict(rope_parameters=rope(rope_type="yarn", factor=4.0, rope_theta=100.0,
                                          beta_fast=2.0, beta_slow=0.25,
                                          original_max_position_embeddings=32),
                     head_dim=32, max_position_embeddings=128),
        changes={"rope_parameters.factor": 2.0, "rope_parameters.beta_fast": 1.0,
                 "rope_parameters.beta_slow": 0.5, "rope_parameters.attention_factor": 1.0,
                 "rope_parameters.original_max_position_embeddings": 64}),
    "llama_yarn_mscale": case(
        "LlamaForCausalLM",
        LLAMA | dict(rope_parameters=rope(
            rope_type="yarn", factor=4.0, original_max_position_embeddings=16, truncate=False,
            mscale=2.0, mscale_all_dim=0.5, beta_fast=1.5, beta_slow=0.25, rope_theta=100.0),
            head_dim=32),
        changes={"rope_parameters.truncate": True, "rope_parameters.mscale": 1.0,
                 "rope_parameters.mscale_all_dim": 1.5}),
    "mistral": case(
        "MistralForCausalLM", LLAMA | dict(sliding_window=9),
        changes={"sliding_window": 10, "rope_parameters.rope_theta": 100.0}),
    "qwen2": case(
        "Qwen2ForCausalLM",
        LLAMA | dict(use_sliding_window=True, sliding_window=7, max_window_layers=1, head_dim=8,
                     tie_word_embeddings=True),
        changes={"use_sliding_window": False, "sliding_window": 8, "max_window_layers": 0}),
    "qwen3": case(
        "Qwen3ForCausalLM", LLAMA | dict(attention_bias=True), queries=Q_NORM,
        changes={"attention_bias": False, "rms_norm_eps": 0.5}),
    "qwen3_layer_types": case(
        "Qwen3ForCausalLM",
        LLAMA | dict(use_sliding_window=True, sliding_window=7,
                     layer_types=["sliding_attention", "full_attention"]), queries=Q_NORM,
        changes={"layer_types": ["full_attention", "sliding_attention"]}),
    "smollm3": case(
        "SmolLM3ForCausalLM",
        LLAMA | dict(num_hidden_layers=3, no_rope_layers=[1, 0, 1], use_sliding_window=True,
                     sliding_window=8, head_dim=8),
        changes={"no_rope_layers": [0, 1, 1], "sliding_window": 9}),
    "granite": case(
        "GraniteForCausalLM",
        LLAMA | dict(attention_multiplier=0.2, residual_multiplier=0.4, embedding_multiplier=3.0,
                     logits_scaling=4.0, head_dim=8),
        changes={"attention_multiplier": 0.3, "residual_multiplier": 1.0,
                 "embedding_multiplier": 1.0}, late={"logits_scaling": 1.0}),
    "olmo2": case("Olmo2ForCausalLM", LLAMA | dict(head_dim=8),
                  queries={"attention": (r"layers\.{}\.self_attn\.q_norm", "rows")},
                  changes={"rms_norm_eps": 0.5}),
    "phi3": case(
        "Phi3ForCausalLM", LLAMA | dict(sliding_window=11, head_dim=8),
        queries={"attention": (r"layers\.{}\.self_attn\.qkv_proj", "first")},
        changes={"sliding_window": 12, "rope_parameters.partial_rotary_factor": 0.5}),
    "phi3_longrope_short": case(
        "Phi3ForCausalLM",
        LLAMA | dict(head_dim=8, max_position_embeddings=128,
                     original_max_position_embeddings=48, rope_parameters=rope(
                         rope_type="longrope", short_factor=[1.0, 1.3, 1.7, 2.0],
                         long_factor=[2.0, 3.0, 5.0, 9.0])),
        queries={"attention": (r"layers\.{}\.self_attn\.qkv_proj", "first")},
        changes={"rope_parameters.short_factor": [1.0, 1.0, 1.0, 1.0],
                 "original_max_position_embeddings": 30, "max_position_embeddings": 1024}),
    "phi3_longrope_long": case(
        "Phi3ForCausalLM",
        LLAMA | dict(head_dim=8, max_position_embeddings=128,
                     original_max_position_embeddings=24, rope_parameters=rope(
                         rope_type="longrope", short_factor=[1.0, 1.3, 1.7, 2.0],
                         long_factor=[2.0, 3.0, 5.0, 9.0])),
        queries={"attention": (r"layers\.{}\.self_attn\.qkv_proj", "first")},
        changes={"rope_parameters.long_factor": [1.0, 1.0, 1.0, 1.0]}),
    "stablelm": case(
        "StableLmForCausalLM",
        {k: v for k, v in LLAMA.items() if k != "head_dim"} | dict(
            hidden_size=64, use_qkv_bias=True,
            rope_parameters=rope(partial_rotary_factor=0.25)),
        rewrite=old_dialect,
        changes={"use_qkv_bias": False, "rope_parameters.partial_rotary_factor": 0.5,
                 "layer_norm_eps": 0.5}),
    "stablelm_parallel": case(
        "StableLmForCausalLM",
        {k: v for k, v in LLAMA.items() if k != "head_dim"} | dict(
            hidden_size=64, use_parallel_residual=True, qk_layernorm=True,
            rope_parameters=rope(partial_rotary_factor=0.25)),
        queries={"attention": (r"layers\.{}\.self_attn\.q_layernorm", "one each")}),
    "cohere": case(
        "CohereForCausalLM",
        LLAMA | dict(head_dim=8, use_qk_norm=True, logit_scale=0.5,
                     tie_word_embeddings=True),
        queries={"attention": (r"layers\.{}\.self_attn\.q_norm", "rows")},
        changes={"layer_norm_eps": 0.5}, late={"logit_scale": 1.0}),
    "cohere_biased": case(
        "CohereForCausalLM",
        LLAMA | dict(head_dim=8, attention_bias=True, tie_word_embeddings=True),
        changes={"attention_bias": False}),
    "gemma": case(
        "GemmaForCausalLM", LLAMA | dict(tie_word_embeddings=True, hidden_act="gelu"),
        gain_plus_one=True, embedding=0.3,
        changes={"rms_norm_eps": 0.5}),
    "gemma2": case(
        "Gemma2ForCausalLM",
        LLAMA | dict(num_hidden_layers=3, sliding_window=8, attn_logit_softcapping=9.0,
                     final_logit_softcapping=3.0, query_pre_attn_scalar=24,
                     tie_word_embeddings=True), gain_plus_one=True, embedding=0.3, rounds=8,
        rewrite=old_dialect,
        changes={"attn_logit_softcapping": 30.0, "sliding_window": 9, "query_pre_attn_scalar": 16},
        late={"final_logit_softcapping": 30.0}),
    "gemma3": case(
        "Gemma3ForCausalLM",
        LLAMA | dict(num_hidden_layers=3, sliding_window=8, query_pre_attn_scalar=24,
                     tie_word_embeddings=True, final_logit_softcapping=4.0,
                     layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                     rope_parameters={
                         "full_attention": rope(rope_theta=1000.0, rope_type="linear", factor=4.0),
                         "sliding_attention": rope(rope_theta=100.0)}),
        config_class="Gemma3TextConfig", gain_plus_one=True, embedding=0.3, queries=Q_NORM,
        changes={"sliding_window": 9, "query_pre_attn_scalar": 16,
                 "rope_parameters.full_attention.factor": 2.0,
                 "rope_parameters.full_attention.rope_theta": 5000.0,
                 "rope_parameters.sliding_attention.rope_theta": 500.0,
                 "layer_types": ["full_attention", "sliding_attention", "sliding_attention"]},
        late={"final_logit_softcapping": 30.0}),
    "gemma3_old_dialect": case(
        "Gemma3ForCausalLM",
        LLAMA | dict(num_hidden_layers=2, sliding_window=8, tie_word_embeddings=True,
                     layer_types=["sliding_attention", "full_attention"],
                     rope_parameters={
                         "full_attention": rope(rope_theta=1000.0, rope_type="linear", factor=4.0),
                         "sliding_attention": rope(rope_theta=100.0)}),
        config_class="Gemma3TextConfig", gain_plus_one=True, embedding=0.3, queries=Q_NORM,
        rewrite=gemma3_old_dialect),
}
