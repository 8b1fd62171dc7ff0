#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/score/scores.safetensors: what PyTorch says of each option of a score.

Each case holds queries and keys (float32, redrawn until logits have a standard deviation near 3),
the arrays of its score, and the attention that transformers' own functions give in float64. The
scores of Falcon, BLOOM, MPT, T5, DeBERTa v2, Gemma 2, gpt-oss and the masks of Mistral, ModernBERT
and Llama 4 come from their modeling files; weights [head, query, key] and lse [head, query] are
what the test compares. Also every T5 and DeBERTa bucket over a range of distances.

  python tools/make_score_golden.py

The file in git was made with torch 2.13 and transformers 5.23.
"""

import json
import math
import pathlib
import types

import safetensors.torch
import torch
import transformers
from transformers import DebertaV2Config, masking_utils
from transformers.models.bloom import modeling_bloom
from transformers.models.deberta_v2 import modeling_deberta_v2 as deberta
from transformers.models.falcon import modeling_falcon
from transformers.models.gemma2 import modeling_gemma2
from transformers.models.gpt_oss import modeling_gpt_oss
from transformers.models.mpt import modeling_mpt
from transformers.models.t5.modeling_t5 import T5Attention

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/score/scores.safetensors"
HEADS, DIM = 2, 8
tensors, metadata = {}, {}


def draw(queries, keys, scale, heads=HEADS):
    """Queries and keys whose logits have a standard deviation near 3."""
    size = math.sqrt(3.0 / (abs(scale) * math.sqrt(DIM)))
    return (torch.randn(heads, queries, DIM) * size).float(), (torch.randn(heads, keys, DIM) * size).float()


def mask_of(function, queries, keys):
    q = torch.arange(keys - queries, keys)[:, None]
    k = torch.arange(keys)[None, :]
    return function(0, 0, q, k).expand(queries, keys)


def finish(name, query, key, logits, score, sinks=None, **arrays):
    """logits: float64 [head, query, key], -inf where masked."""
    logits = logits.double()
    joined = logits if sinks is None else torch.cat(
        [logits, sinks.double().view(-1, 1, 1).expand(-1, logits.shape[1], 1)], -1)
    lse = torch.logsumexp(joined, -1)
    weights = torch.nan_to_num(torch.exp(logits - lse[..., None]), nan=0.0)
    save(name, query, key, weights, lse, score, sinks=sinks, **arrays)


def save(name, query, key, weights, lse, score, **arrays):
    assert weights.max() > 0.05 and weights.dtype == torch.float64
    arrays = {"query": query, "key": key, "weights": weights, "lse": lse, **arrays}
    for part, value in arrays.items():
        if value is not None:
            tensors[f"{name}.{part}"] = value.contiguous()
    metadata[f"score.{name}"] = json.dumps(score)


def dot(query, key, scale):
    return query.double() @ key.double().transpose(-1, -2) * scale


def hide(logits, mask):
    return logits.masked_fill(~mask, -math.inf)


def masks():
    n, scale = 50, 0.25
    causal = masking_utils.causal_mask_function
    no_padding = torch.zeros(1, dtype=torch.long)
    cases = {
        "causal": (causal, dict(causal=True)),
        "window_causal": (masking_utils.sliding_window_causal_mask_function(7),
                          dict(causal=True, window=7)),
        "window_symmetric": (masking_utils.sliding_window_bidirectional_mask_function(5),
                             dict(window=6)),
        "chunk": (masking_utils.chunked_causal_mask_function(16, no_padding),
                  dict(causal=True, chunk=16)),
        "prefix": (masking_utils.or_masks(causal, lambda b, h, q, k: (q >= 0) & (k < 11)),
                   dict(causal=True, prefix=11)),
    }
    for name, (function, score) in cases.items():
        for queries in (n, 9):  # 9: the last ones, as with a key-value cache
            query, key = draw(queries, n, scale)
            logits = hide(dot(query, key, scale), mask_of(function, queries, n))
            suffix = "" if queries == n else "_cached"
            finish(name + suffix, query, key, logits, dict(scale=scale, **score))


def soft_cap():
    query, key = draw(40, 40, 0.125)
    module = types.SimpleNamespace(num_key_value_groups=1, training=False)
    mask = torch.zeros(40, 40).masked_fill(torch.ones(40, 40).triu(1).bool(), -math.inf)
    # The function's softmax is float32; its own steps before it are taken in float64 here.
    _, weights = modeling_gemma2.eager_attention_forward(
        module, query[None].double(), key[None].double(), key[None].double(), mask.double(),
        scaling=0.125, softcap=4.0)
    logits = torch.tanh(dot(query, key, 0.125) / 4.0) * 4.0 + mask
    assert torch.allclose(weights[0], torch.softmax(logits, -1), atol=1e-6)
    finish("soft_cap", query, key, logits, dict(scale=0.125, cap=4.0, causal=True))


def sinks():
    query, key = draw(30, 30, 0.25)
    sink = torch.tensor([2.5, -1.0])
    module = types.SimpleNamespace(num_key_value_groups=1, training=False, sinks=sink.double())
    mask = torch.zeros(30, 30).masked_fill(torch.ones(30, 30).triu(1).bool(), -math.inf).double()
    _, weights = modeling_gpt_oss.eager_attention_forward(
        module, query[None].double(), key[None].double(), key[None].double(), mask, scaling=0.25)
    logits = dot(query, key, 0.25) + mask
    lse = torch.logsumexp(torch.cat([logits, sink.double().view(-1, 1, 1).expand(-1, 30, 1)], -1), -1)
    save("sinks", query, key, weights[0], lse, dict(scale=0.25, causal=True), sinks=sink)


def alibi():
    for name, build in (("bloom", modeling_bloom.build_alibi_tensor),
                        ("falcon", modeling_falcon.build_alibi_tensor)):
        for heads in (3, 4):
            queries, keys, scale = (12, 400, 0.375)
            query, key = draw(queries, keys, scale, heads)
            bias = build(torch.ones(1, keys, dtype=torch.long), heads, torch.float32)
            bias = bias.view(heads, 1, keys).double()
            slopes = build(torch.ones(1, 2, dtype=torch.long), heads, torch.float32)
            logits = dot(query, key, scale) + (bias * scale if name == "falcon" else bias)
            positions = bias[..., keys - queries:].transpose(1, 2)  # 0 at the query's own position
            logits = logits - (positions * scale if name == "falcon" else positions)
            logits = hide(logits, mask_of(masking_utils.causal_mask_function, queries, keys))
            finish(f"alibi_{name}_{heads}", query, key, logits,
                   dict(scale=scale, causal=True,
                        alibi="falcon" if name == "falcon" else "distance"),
                   slopes=slopes.view(heads, 2)[:, 1].contiguous())
    bias = modeling_mpt.build_mpt_alibi_tensor(4, 64).double()
    query, key = draw(64, 64, 0.375, 4)
    logits = dot(query, key, 0.375) + bias
    logits = logits - bias.view(4, 64, 1) # its constant of a row
    logits = hide(logits, mask_of(masking_utils.causal_mask_function, 64, 64))
    finish("alibi_mpt", query, key, logits, dict(scale=0.375, causal=True, alibi="distance"),
           slopes=(bias[:, 0, 1] - bias[:, 0, 0]).float())


def t5():
    n, buckets, distance = 60, 16, 20
    position = torch.arange(n)
    relative = position[None, :] - position[:, None]
    for name, both in (("encoder", True), ("decoder", False)):
        query, key = draw(n, n, 1.0)
        table = torch.randn(buckets, HEADS) * 2
        bucket = T5Attention._relative_position_bucket(relative, both, buckets, distance)
        logits = dot(query, key, 1.0) + table[bucket].permute(2, 0, 1).double()
        if not both:
            logits = hide(logits, mask_of(masking_utils.causal_mask_function, n, n))
        finish(f"t5_{name}", query, key, logits, dict(scale=1.0, causal=not both), table=table)
    far = torch.arange(-1000, 1001)
    for buckets, distance in ((32, 128), (16, 20), (64, 256), (32, 100)):
        for both in (True, False):
            tensors[f"t5_buckets.{buckets}.{distance}.{int(both)}"] = (
                T5Attention._relative_position_bucket(far, both, buckets, distance))


def disentangled():
    for name, buckets, positions in (("log", 8, 32), ("plain", -1, 12)):
        n = 40
        config = DebertaV2Config(
            hidden_size=HEADS * DIM, num_attention_heads=HEADS, intermediate_size=16,
            num_hidden_layers=1, vocab_size=20, max_position_embeddings=64, relative_attention=True,
            position_buckets=buckets, max_relative_positions=positions,
            pos_att_type=["c2p", "p2c"], share_att_key=True)
        module = deberta.DisentangledSelfAttention(config).double().eval()
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
        span = module.pos_ebd_size
        embeddings = torch.randn(2 * span, HEADS * DIM).double() * 0.6
        query, key = draw(n, n, 1 / math.sqrt(3 * DIM))
        factor = 3
        bias = module.disentangled_attention_bias(query.double(), key.double(), None, embeddings,
                                                  factor)
        scale = 1 / math.sqrt(factor * DIM)
        position_key = module.transpose_for_scores(module.key_proj(embeddings[None]), HEADS)
        position_query = module.transpose_for_scores(module.query_proj(embeddings[None]), HEADS)
        query_relative = (query.double() @ position_key.transpose(-1, -2)).float()
        key_relative = (key.double() @ position_query.transpose(-1, -2)).float()
        finish(f"deberta_{name}", query, key, (dot(query, key, scale) + bias).detach(),
               dict(scale=scale), query_relative=query_relative.detach(),
               key_relative=key_relative.detach(),
               shape=torch.tensor([span, buckets, positions]))
    far = torch.arange(-600, 601)
    for buckets, positions in ((256, 512), (8, 32), (16, 20)):
        tensors[f"deberta_buckets.{buckets}.{positions}"] = deberta.make_log_bucket_position(
            far, buckets, positions).long()


def main():
    torch.manual_seed(1)
    masks()
    soft_cap()
    sinks()
    alibi()
    t5()
    disentangled()
    metadata["torch"], metadata["transformers"] = torch.__version__, transformers.__version__
    metadata["seed"] = "1"
    OUT.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(tensors, OUT, metadata)
    print(OUT, OUT.stat().st_size, "bytes,", len(metadata) - 3, "cases")


if __name__ == "__main__":
    main()
