# SPDX-License-Identifier: Apache-2.0
"""The cases of make_model_golden.py: a tiny configuration of each architecture and variant.

changes: keys that must move the attention; late: keys that must move any of the results. queries:
which parameters scale the queries of a kind of attention, and how heads lie in them.
"""

import re

ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def rope(**members):
    return ROPE | members


def case(model, config, **more):
    """A case with the defaults that most have."""
    family = re.split("For|LMHead|MTModel|Model", model)[0]
    heads = config.get("num_attention_heads", 4)
    return dict(model=model, config_class=more.pop("config_class", family + "Config"),
                config=config, vocabulary=more.pop("vocabulary", 61), tokens=more.pop("tokens", 40),
                queries=more.pop("queries", {"attention": (r"layers\.{}\.self_attn\.q_proj",
                                                           "rows")}),
                kv_heads=config.get("num_key_value_heads", config.get("num_kv_heads", heads)),
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

GPT = dict(vocab_size=61, n_positions=48, n_embd=32, n_layer=2, n_head=4, bos_token_id=1,
           eos_token_id=2)
WIDE = dict(vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=48, max_position_embeddings=48, pad_token_id=0, bos_token_id=1,
            eos_token_id=2)
BERT = WIDE | dict(pad_token_id=1, type_vocab_size=2)
SELF_QUERY = {"attention": (r"layer\.{}\.attention\.self\.query\.", "rows")}
QKV = r"\.{}\..*(c_attn|query_key_value|Wqkv|in_proj)\."


def neox_old_dialect(config):
    parameters = config.pop("rope_parameters")
    config["rotary_emb_base"] = parameters["rope_theta"]
    config["rotary_pct"] = parameters["partial_rotary_factor"]


def modernbert_old_dialect(config):
    parameters = config.pop("rope_parameters")
    config["global_rope_theta"] = parameters["full_attention"]["rope_theta"]
    config["local_rope_theta"] = parameters["sliding_attention"]["rope_theta"]
    config.pop("layer_types")
    config["global_attn_every_n_layers"] = 2


CASES |= {
    "gpt2": case(
        "GPT2LMHeadModel", GPT, config_class="GPT2Config", queries={"attention": (QKV, "conv1d")},
        changes={"layer_norm_epsilon": 0.5, "activation_function": "relu",
                 "scale_attn_weights": False}),
    "gpt2_by_layer": case(
        "GPT2Model", GPT | dict(scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False,
                                n_inner=40),
        config_class="GPT2Config", queries={"attention": (QKV, "conv1d")},
        changes={"scale_attn_by_inverse_layer_idx": False}),
    "gpt_neo": case(
        "GPTNeoForCausalLM",
        dict(vocab_size=61, hidden_size=32, num_layers=2, num_heads=4, max_position_embeddings=48,
             attention_types=[[["local", "global"], 1]], window_size=7, bos_token_id=1,
             eos_token_id=2),
        queries={"attention": (r"h\.{}\.attn\.attention\.q_proj", "rows")},
        changes={"window_size": 8, "attention_types": [[["global", "local"], 1]]}),
    "gptj": case(
        "GPTJForCausalLM", GPT | dict(rotary_dim=4), config_class="GPTJConfig",
        queries={"attention": (r"h\.{}\.attn\.q_proj", "rows")}, changes={"rotary_dim": 8}),
    "gpt_neox": case(
        "GPTNeoXForCausalLM",
        WIDE | dict(hidden_size=64, rope_parameters=rope(partial_rotary_factor=0.25)),
        queries={"attention": (QKV, "interleaved")}, rewrite=neox_old_dialect,
        changes={"rope_parameters.partial_rotary_factor": 0.5, "rope_parameters.rope_theta": 100.0,
                 "use_parallel_residual": False, "layer_norm_eps": 0.5}),
    "gpt_neox_serial": case(
        "GPTNeoXForCausalLM",
        WIDE | dict(use_parallel_residual=False, attention_bias=False,
                    rope_parameters=rope(partial_rotary_factor=0.5)),
        queries={"attention": (QKV, "interleaved")}),
    "opt": case(
        "OPTForCausalLM",
        dict(vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=48,
             max_position_embeddings=48, pad_token_id=1, bos_token_id=2, eos_token_id=2),
        changes={"activation_function": "gelu", "enable_bias": False}),
    "opt_post_norm": case(
        "OPTForCausalLM",
        dict(vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=48,
             max_position_embeddings=48, word_embed_proj_dim=16, do_layer_norm_before=False,
             pad_token_id=1, bos_token_id=2, eos_token_id=2)),
    "bloom": case(
        "BloomForCausalLM",
        dict(vocab_size=61, hidden_size=32, n_layer=2, n_head=4, pad_token_id=0, bos_token_id=1,
             eos_token_id=2),
        queries={"attention": (QKV, "interleaved")}, changes={"layer_norm_epsilon": 0.5}),
    "bloom_six_heads": case(
        "BloomModel",
        dict(vocab_size=61, hidden_size=48, n_layer=1, n_head=6, pad_token_id=0, bos_token_id=1,
             eos_token_id=2), queries={"attention": (QKV, "interleaved")}),
    "mpt": case(
        "MptForCausalLM",
        dict(vocab_size=61, d_model=48, n_layers=2, n_heads=6, max_seq_len=48,
             attn_config=dict(clip_qkv=2.5, softmax_scale=0.5)),
        queries={"attention": (QKV, "thirds")}, rounds=12,
        changes={"attn_config.clip_qkv": 10.0, "attn_config.softmax_scale": 0.25}),
    "falcon": case(
        "FalconForCausalLM",
        WIDE | dict(new_decoder_architecture=True, num_kv_heads=2, ffn_hidden_size=48,
                    rope_parameters=rope()),
        queries={"attention": (QKV, "grouped")},
        changes={"rope_parameters.rope_theta": 100.0, "layer_norm_epsilon": 0.5}),
    "falcon_multi_query": case(
        "FalconForCausalLM",
        WIDE | dict(multi_query=True, ffn_hidden_size=48, bias=True, rope_parameters=rope()),
        queries={"attention": (QKV, "first")}, changes={"bias": False}),
    "falcon_alibi": case(
        "FalconForCausalLM",
        WIDE | dict(multi_query=False, alibi=True, parallel_attn=False, bias=True,
                    ffn_hidden_size=48, rope_parameters=rope()),
        queries={"attention": (QKV, "interleaved")}, changes={"alibi": False},
        unread=["rope_parameters.rope_theta"]),
    "falcon_one_norm": case(
        "FalconModel",
        WIDE | dict(new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1,
                    ffn_hidden_size=48, alibi=True, activation="silu", rope_parameters=rope()),
        queries={"attention": (QKV, "grouped")}, tokens=24, changes={"alibi": False},
        unread=["rope_parameters.rope_theta"]),
    "falcon_serial": case(
        "FalconModel",
        WIDE | dict(multi_query=True, parallel_attn=False, ffn_hidden_size=48,
                    rope_parameters=rope()),
        queries={"attention": (QKV, "first")}, tokens=24),
    "falcon_every_head": case(
        "FalconModel",
        WIDE | dict(multi_query=False, ffn_hidden_size=48, rope_parameters=rope()),
        queries={"attention": (QKV, "interleaved")}, tokens=24),
    "phi": case(
        "PhiForCausalLM", WIDE | dict(num_key_value_heads=2,
                                      rope_parameters=rope(partial_rotary_factor=0.5)),
        changes={"rope_parameters.partial_rotary_factor": 0.25, "hidden_act": "relu"}),
    "phi_qk_norm": case(
        "PhiForCausalLM",
        WIDE | dict(qk_layernorm=True, rope_parameters=rope(partial_rotary_factor=0.5)),
        queries={"attention": (r"layers\.{}\.self_attn\.q_layernorm", "shared")}),
    "roberta": case(
        "RobertaForMaskedLM", BERT | dict(type_vocab_size=1, hidden_act="gelu_new"),
        queries=SELF_QUERY, lowest_id=3),
    "xlm_roberta": case(
        "XLMRobertaModel", BERT | dict(type_vocab_size=1), queries=SELF_QUERY,
        padding=(36, 37, 38, 39), lowest_id=3),
    "electra": case(
        "ElectraForMaskedLM", BERT | dict(embedding_size=16, pad_token_id=0), queries=SELF_QUERY,
        types=True),
    "electra_same_size": case(
        "ElectraModel", BERT | dict(embedding_size=32, pad_token_id=0), queries=SELF_QUERY,
        types=True),
    "distilbert": case(
        "DistilBertForMaskedLM",
        dict(vocab_size=61, dim=32, n_layers=2, n_heads=4, hidden_dim=48,
             max_position_embeddings=48, activation="gelu"),
        queries={"attention": (r"layer\.{}\.attention\.q_lin", "rows")},
        changes={"activation": "relu"}),
    "albert": case(
        "AlbertForMaskedLM",
        BERT | dict(embedding_size=16, num_hidden_groups=1, pad_token_id=0),
        queries={"attention": (r"attention\.query", "rows")}, types=True, rounds=3, damped="attention.dense|ffn_output",
        changes={"hidden_act": "relu"}),
    "albert_groups": case(
        "AlbertModel",
        BERT | dict(embedding_size=32, num_hidden_layers=3, num_hidden_groups=2, pad_token_id=0),
        queries={"attention": (r"albert_layer_groups\..\..*attention\.query", "rows")}, types=True, rounds=3,
        damped="attention.dense|ffn_output", least=2.2),
    "mpnet": case(
        "MPNetForMaskedLM", {k: v for k, v in BERT.items() if k != "type_vocab_size"} | dict(
            max_position_embeddings=180, num_hidden_layers=1,
            num_attention_heads=2),
        queries={"attention": (r"layer\.{}\.attention\.attn\.q\.", "rows")}, tokens=150,
        lowest_id=3),
    # transformers has 32 buckets whatever the table's length.
    "mpnet_long_table": case(
        "MPNetModel", {k: v for k, v in BERT.items() if k != "type_vocab_size"} | dict(
            relative_attention_num_buckets=48, num_hidden_layers=1),
        queries={"attention": (r"layer\.{}\.attention\.attn\.q\.", "rows")}, tokens=36,
        lowest_id=3),
    "modernbert": case(
        "ModernBertForMaskedLM",
        WIDE | dict(num_hidden_layers=3, local_attention=10, tie_word_embeddings=True,
                    layer_types=["full_attention", "sliding_attention", "full_attention"],
                    rope_parameters={"full_attention": rope(rope_theta=160000.0),
                                     "sliding_attention": rope()}),
        queries={"attention": (QKV, "thirds")}, rewrite=modernbert_old_dialect,
        changes={"local_attention": 12, "rope_parameters.full_attention.rope_theta": 100.0,
                 "rope_parameters.sliding_attention.rope_theta": 100.0, "norm_eps": 0.5}),
    "modernbert_biased": case(
        "ModernBertModel",
        WIDE | dict(num_hidden_layers=2, local_attention=10, norm_bias=True, attention_bias=True,
                    mlp_bias=True, layer_types=["full_attention", "sliding_attention"],
                    rope_parameters={"full_attention": rope(), "sliding_attention": rope()}),
        queries={"attention": (QKV, "thirds")}, changes={"attention_bias": False}),
    "nomic_bert": case(
        "NomicBertForMaskedLM", WIDE | dict(type_vocab_size=2, rope_parameters=rope(
            rope_theta=1000.0)),
        queries={"attention": (r"layers\.{}\.self_attn\.q_proj", "rows")}, types=True,
        changes={"rope_parameters.rope_theta": 100.0}),
    "deberta": case(
        "DebertaForMaskedLM",
        WIDE | dict(relative_attention=True, pos_att_type=["c2p", "p2c"], max_relative_positions=12,
                    position_biased_input=False, type_vocab_size=0),
        queries={"attention": (QKV.replace("in_proj", "in_proj|q_bias"), "interleaved")},
        rounds=5, changes={"pos_att_type": (["c2p"], ["p2c"]), "relative_attention": False}),
    "deberta_v2": case(
        "DebertaV2ForMaskedLM",
        WIDE | dict(relative_attention=True, pos_att_type=["c2p", "p2c"], position_buckets=8,
                    max_relative_positions=-1, share_att_key=True, norm_rel_ebd="layer_norm",
                    position_biased_input=False, type_vocab_size=0),
        queries={"attention": (r"layer\.{}\.attention\.self\.query_proj", "rows")}, rounds=5,
        changes={"norm_rel_ebd": "none", "pos_att_type": (["c2p"], ["p2c"], "none"),
                 "relative_attention": False}),
    "deberta_v2_own_keys": case(
        "DebertaV2Model",
        WIDE | dict(relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=-1,
                    max_relative_positions=10, share_att_key=False, position_biased_input=True,
                    type_vocab_size=2),
        queries={"attention": (r"layer\.{}\.attention\.self\.query_proj", "rows")}, rounds=5,
        types=True, changes={"pos_att_type": (["c2p"], ["p2c"]), "share_att_key": True,
                             "position_biased_input": False}),
    "mixtral": case(
        "MixtralForCausalLM", LLAMA | dict(num_local_experts=4, num_experts_per_tok=2, head_dim=8,
                                           intermediate_size=24),
        changes={"num_experts_per_tok": 3}),
    "mixtral_fused": case(
        "MixtralModel", LLAMA | dict(num_local_experts=4, num_experts_per_tok=2, head_dim=8,
                                     intermediate_size=24, num_hidden_layers=1),
        as_is=True, usual=True, tokens=24),
    "qwen3_moe": case(
        "Qwen3MoeForCausalLM",
        LLAMA | dict(num_hidden_layers=3, num_experts=4, num_experts_per_tok=2, head_dim=8,
                     moe_intermediate_size=24, norm_topk_prob=False, sliding_window=9, mlp_only_layers=[1]),
        queries=Q_NORM, changes={"num_experts_per_tok": 3, "norm_topk_prob": True,
                                 "use_sliding_window": True}),
    "gpt_oss": case(
        "GptOssForCausalLM",
        LLAMA | dict(num_local_experts=4, num_experts_per_tok=2, head_dim=8, intermediate_size=24,
                     sliding_window=8, rope_parameters=rope(
                         rope_type="yarn", factor=8.0, truncate=False, beta_fast=2.0,
                         beta_slow=0.25, rope_theta=100.0, original_max_position_embeddings=32)),
        experts_in_out=True, unread=["hidden_act"],
        changes={"sliding_window": 9, "num_experts_per_tok": 3, "rope_parameters.truncate": True,
                 "swiglu_alpha": 1.0, "swiglu_limit": 0.5}),
}

T5 = dict(vocab_size=61, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_decoder_layers=2,
          num_heads=4, relative_attention_num_buckets=8, relative_attention_max_distance=12,
          decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
T5_QUERIES = {
    "encoder_attention": (r"encoder\.block\.{}\.layer\.0\.SelfAttention\.q", "rows"),
    "decoder_attention": (r"decoder\.block\.{}\.layer\.0\.SelfAttention\.q", "rows"),
    "cross_attention": (r"decoder\.block\.{}\.layer\.1\.EncDecAttention\.q", "rows")}
BART = dict(vocab_size=61, d_model=32, encoder_layers=2, decoder_layers=2,
            encoder_attention_heads=4, decoder_attention_heads=2, encoder_ffn_dim=48,
            decoder_ffn_dim=40, max_position_embeddings=48, scale_embedding=True,
            decoder_start_token_id=2, pad_token_id=1, bos_token_id=0, eos_token_id=2,
            forced_eos_token_id=2)
BART_QUERIES = {
    "encoder_attention": (r"encoder\.layers\.{}\.self_attn\.q_proj", "rows"),
    "decoder_attention": (r"decoder\.layers\.{}\.self_attn\.q_proj", "rows"),
    "cross_attention": (r"decoder\.layers\.{}\.encoder_attn\.q_proj", "rows")}


def two_stacks(model, config, **more):
    return case(model, config, tokens=32, target=21, lowest_id=3, **more)


CASES |= {
    "t5": two_stacks("T5ForConditionalGeneration", T5, queries=T5_QUERIES,
                     changes={"relative_attention_max_distance": 9, "layer_norm_epsilon": 0.5}),
    "t5_gated": two_stacks(
        "T5ForConditionalGeneration",
        T5 | dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False), queries=T5_QUERIES),
    "mt5": two_stacks("MT5ForConditionalGeneration", T5 | dict(feed_forward_proj="gated-gelu"),
                      config_class="MT5Config", queries=T5_QUERIES),
    "bart": two_stacks("BartForConditionalGeneration", BART, queries=BART_QUERIES,
                       changes={"scale_embedding": False, "activation_function": "relu"}),
    "mbart": two_stacks("MBartForConditionalGeneration", BART, config_class="MBartConfig",
                        queries=BART_QUERIES),
    "pegasus": two_stacks("PegasusForConditionalGeneration", BART, queries=BART_QUERIES),
    "marian": two_stacks("MarianMTModel", BART | dict(activation_function="silu"),
                         config_class="MarianConfig", queries=BART_QUERIES),
}


def usual(name, changes=(), **more):
    """Another case as published models have it: a GGUF file says no more than what they need."""
    other = CASES[name] | dict(changes={}, late={}, tokens=24, usual=True) | more
    other.pop("rewrite", None)
    other["config"] = {key: value for key, value in (other["config"] | dict(changes)).items()
                       if value != "absent"}
    other["kv_heads"] = other["config"].get("num_key_value_heads", other["kv_heads"])
    return other


CASES |= {
    "llama_biased_usual": usual("llama_biased", dict(hidden_act="silu")),
    "qwen2_usual": usual("qwen2", dict(use_sliding_window=False)),
    "smollm3_usual": usual("smollm3", dict(num_hidden_layers=4, no_rope_layers="absent",
                                           use_sliding_window=False)),
    "gemma2_usual": usual("gemma2", dict(query_pre_attn_scalar=16)),
    "gemma3_usual": usual("gemma3", dict(num_hidden_layers=6, query_pre_attn_scalar=16,
                                         layer_types=["sliding_attention"] * 5
                                         + ["full_attention"])),
    "qwen3_moe_usual": usual("qwen3_moe", dict(num_hidden_layers=2, norm_topk_prob=True,
                                               mlp_only_layers=[])),
    "gpt_oss_mxfp4": usual("gpt_oss", dict(intermediate_size=32), mxfp4=True),
    "falcon_usual": usual("falcon", dict(ffn_hidden_size=128)),
    "falcon_multi_query_usual": usual("falcon_multi_query",
                                      dict(ffn_hidden_size=128, bias=False, num_kv_heads=1)),
    "phi_usual": usual("phi", dict(intermediate_size=128, num_key_value_heads=4)),
    "mpt_usual": usual("mpt", dict(attn_config=dict(clip_qkv=3.5)), rounds=20),
    "roberta_usual": usual("roberta", dict(hidden_act="gelu")),
    "t5_usual": usual("t5", dict(relative_attention_max_distance=128)),
    "t5_gated_usual": usual("t5_gated", dict(relative_attention_max_distance=128)),
}
