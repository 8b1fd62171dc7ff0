#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/bert: tiny random BERT checkpoints and what PyTorch says of them.

A default-initialised tiny model hides errors: its biases are 0, its norms 1, its rows near uniform.
So every parameter is redrawn and each head's queries are scaled until its logits (row means taken
off, which softmax ignores) have a standard deviation of 2 to 5. Then each thing that the BERT table
reads is changed in transformers, and the golden values must move by more than 1e-3.

The reference is transformers with eager attention in float64. A tolerance is
max(1e-5, 3 x PyTorch's own float32-float64 difference) and stands in the metadata of
expected.safetensors, beside seed and versions.

  python tools/make_golden.py               writes tests/golden/bert
  python tools/make_golden.py --only pair   one case of it

The files in git were made with torch 2.13 and transformers 5.23.
"""

import argparse
import copy
import json
import pathlib
import platform
import shutil

import numpy
import safetensors.torch
import torch
import transformers
from transformers import BertConfig, BertForMaskedLM, BertModel

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "bert"
MOVES = 1e-3

# tokens: length of the text. pair: the share of the tokens that is the first text. padding: the
# positions whose keys are masked. lm: with the masked-LM head, and so with the prefix "bert.".
BASE = dict(layers=2, heads=2, head_size=16, mlp=48, vocabulary=64, positions=48, types=2,
            act="gelu", eps=1e-12, tokens=20, pair=None, padding=(), lm=False, tie=True,
            pooler=False, half=False, shard=None)
CASES = {
    "one_layer": dict(layers=1, pooler=True),
    "four_layers": dict(layers=4, head_size=32, mlp=56, tokens=33),
    "head_size_64": dict(heads=1, head_size=64, mlp=40, tokens=24, vocabulary=40, positions=24),
    "long": dict(tokens=130, positions=131),
    "odd_width": dict(layers=1, heads=3, head_size=24, mlp=50, vocabulary=97, tokens=17),
    "odd_head_size": dict(heads=3, head_size=7, mlp=51, vocabulary=89, tokens=67, positions=71),
    "one_token": dict(layers=1, tokens=1),
    "gelu_new": dict(layers=4, act="gelu_new"),
    "relu": dict(layers=3, act="relu"),
    "tanh": dict(layers=3, act="tanh"),
    "large_epsilon": dict(layers=3, eps=0.05),
    "one_type": dict(types=1),
    "three_types": dict(types=3, pair=(0.4, 0.7)),
    "pair": dict(pair=(0.55,), tokens=27),
    "padding": dict(layers=3, tokens=26, padding=(0, 1, 9, 22, 23, 24, 25)),
    "pair_padding": dict(tokens=70, positions=80, pair=(0.5,), padding=range(61, 70)),
    "masked_lm": dict(layers=2, vocabulary=101, lm=True, pair=(0.6,)),
    "masked_lm_untied": dict(layers=2, vocabulary=77, lm=True, act="gelu_new", tie=False),
    "half": dict(layers=2, head_size=24, half=True),
    "masked_lm_half": dict(layers=2, lm=True, half=True),
    "sharded": dict(layers=3, shard="24KB"),
    "masked_lm_sharded": dict(layers=2, lm=True, shard="32KB"),
}


def inputs_of(case, generator):
    n = case["tokens"]
    ids = torch.randint(0, case["vocabulary"], (1, n), generator=generator)
    types = torch.zeros(1, n, dtype=torch.long)
    for share in case["pair"] or ():
        types[0, int(share * n):] += 1
    mask = torch.ones(1, n, dtype=torch.long)
    mask[0, list(case["padding"])] = 0
    return dict(input_ids=ids, token_type_ids=types, attention_mask=mask)


def redraw(model, generator):
    """Every parameter anew: weights of unit gain, biases of 0.3, norm gains around 1 +- 0.3."""
    def normal(parameter, scale):
        return torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * scale

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm.weight" in name:
                parameter.copy_(1 + normal(parameter, 0.3))
            elif parameter.dim() == 1:
                parameter.copy_(normal(parameter, 0.3))
            elif "embeddings" in name:
                parameter.copy_(normal(parameter, 0.7))
            else:
                parameter.copy_(normal(parameter, parameter.shape[1] ** -0.5))


def encoder_of(model):
    return model.bert if hasattr(model, "bert") else model


def logit_deviation(model, inputs, layer):
    """Standard deviation of one layer's logits around their row means, one a head."""
    encoder = encoder_of(model)
    with torch.no_grad():
        hidden = encoder(**inputs, output_hidden_states=True).hidden_states[layer]
        attention = encoder.encoder.layer[layer].attention.self
        heads, dim = attention.num_attention_heads, attention.attention_head_size
        q, k = (f(hidden)[0].view(-1, heads, dim).transpose(0, 1)
                for f in (attention.query, attention.key))
        logits = q @ k.transpose(1, 2) * dim ** -0.5
        logits = logits[:, :, inputs["attention_mask"][0] == 1]
        return (logits - logits.mean(-1, keepdim=True)).square().mean((1, 2)).sqrt()


def sharpen(model, inputs, generator):
    """Scales the queries of each head, layer by layer, to a deviation drawn from 2.5 to 4.5."""
    for index, layer in enumerate(encoder_of(model).encoder.layer):
        query, heads = layer.attention.self.query, layer.attention.self.num_attention_heads
        wanted = 2.5 + 2 * torch.rand(heads, generator=generator, dtype=torch.float64)
        factor = (wanted / logit_deviation(model, inputs, index)).repeat_interleave(
            query.weight.shape[0] // heads)
        with torch.no_grad():
            query.weight.mul_(factor[:, None])
            query.bias.mul_(factor)


def run(model, inputs, dtype=torch.float64):
    model = copy.deepcopy(model).to(dtype).eval()
    with torch.no_grad():
        out = model(**inputs, output_attentions=True, output_hidden_states=True)
    result = dict(attention=torch.cat(out.attentions), hidden=torch.cat(out.hidden_states))
    if "logits" in out:
        result["logits"] = out.logits[0]
    return result


def difference(a, b, key):
    return float((a[key].double() - b[key].double()).abs().max())


def build(config, kind, pooler):
    model = kind(config) if kind is BertForMaskedLM else kind(config, add_pooling_layer=pooler)
    return model.double().eval()


def reconfigured(model, **changes):
    """The same parameters under a changed configuration."""
    config = copy.deepcopy(model.config)
    for key, value in changes.items():
        setattr(config, key, value)
    config._attn_implementation = "eager"
    other = build(config, type(model), getattr(model, "pooler", None) is not None)
    other.load_state_dict(model.state_dict(), strict=True)
    return other


def demand(name, what, moved, least=MOVES):
    if not moved > least:
        raise SystemExit(f"{name}: changing {what} moves the golden values by {moved:.2e} only")


def check_that_it_can_fail(name, case, model, inputs, golden, tolerance):
    layers, n = case["layers"], case["tokens"]
    # With one layer the activation comes after the only attention; one token attends to itself.
    late = "attention" if layers > 1 and n > 1 else "hidden"
    early = "attention" if n > 1 else "hidden"

    for act in ("gelu", "gelu_new", "relu", "tanh", "silu"):
        if act != case["act"]:
            moved = difference(run(reconfigured(model, hidden_act=act), inputs), golden, late)
            close = {act, case["act"]} == {"gelu", "gelu_new"}  # they differ by 5e-4 at most
            demand(name, f"hidden_act to {act}", moved, 3 * tolerance[late] if close else MOVES)
    eps = 1e-12 if case["eps"] > 1e-3 else 0.05
    demand(name, "layer_norm_eps", difference(
        run(reconfigured(model, layer_norm_eps=eps), inputs), golden, early))
    heads = 1 if case["heads"] > 1 else 2
    other = run(reconfigured(model, num_attention_heads=heads), inputs)
    if n > 1:
        demand(name, "num_attention_heads", float(
            (other["attention"].mean(1) - golden["attention"].mean(1)).abs().max()))
        demand(name, "is_decoder", difference(
            run(reconfigured(model, is_decoder=True), inputs), golden, "attention"))
        backwards = torch.arange(n - 1, -1, -1)[None]
        demand(name, "positions", difference(
            run(model, dict(inputs, position_ids=backwards)), golden, "attention"))
    if case["pair"]:
        demand(name, "token types", difference(
            run(model, dict(inputs, token_type_ids=torch.zeros_like(inputs["input_ids"]))), golden,
            "attention"))
    if case["padding"]:
        demand(name, "attention_mask", difference(
            run(model, dict(inputs, attention_mask=torch.ones_like(inputs["input_ids"]))), golden,
            "attention"))

    # Each parameter matters. Not a key's bias: it adds the same to a whole row, which softmax takes
    # off again. Not a query's, where there is one key. Not the pooler, which comes after.
    for parameter_name, parameter in model.named_parameters():
        unseen = ("pooler", "key.bias") if n > 1 else ("pooler", "key.", "query.")
        if not case["tie"]:
            unseen += ("predictions.bias",)  # transformers 5 reads decoder.bias
        if any(part in parameter_name for part in unseen):
            continue
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.fill_(1.0 if "LayerNorm.weight" in parameter_name else 0.0)
            other = run(model, inputs)
            parameter.copy_(kept)
        demand(name, parameter_name, max(difference(other, golden, key) for key in golden))


def save(path, tensors, metadata):
    """As safetensors, with the header's members sorted: the library shuffles the metadata."""
    content = safetensors.torch.save(tensors, metadata)
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:8 + size]), sort_keys=True, separators=(",", ":"))
    header += " " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + content[8 + size:])


def make(name, case, seed):
    generator = torch.Generator().manual_seed(seed)
    config = BertConfig(
        vocab_size=case["vocabulary"], hidden_size=case["heads"] * case["head_size"],
        num_hidden_layers=case["layers"], num_attention_heads=case["heads"],
        intermediate_size=case["mlp"], hidden_act=case["act"], layer_norm_eps=case["eps"],
        max_position_embeddings=case["positions"], type_vocab_size=case["types"],
        tie_word_embeddings=case["tie"], hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, attn_implementation="eager")
    model = build(config, BertForMaskedLM if case["lm"] else BertModel, case["pooler"])
    inputs = inputs_of(case, generator)
    redraw(model, generator)
    if case["tokens"] > 1:
        sharpen(model, inputs, generator)
    # The file's precision is the truth: the reference runs from the rounded parameters.
    stored = torch.float16 if case["half"] else torch.float32
    model = model.to(stored).double()

    golden = run(model, inputs)
    single = run(model, inputs, torch.float32)
    tolerance = {key: max(1e-5, 3 * difference(single, golden, key)) for key in golden}
    deviations = torch.cat([logit_deviation(model, inputs, i) for i in range(case["layers"])])
    if case["tokens"] > 1:
        assert 2 <= deviations.min() and deviations.max() <= 5, (name, deviations)
    check = reconfigured(model)
    check_that_it_can_fail(name, case, check, inputs, golden, tolerance)

    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(stored).save_pretrained(folder, max_shard_size=case["shard"] or "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    names = [f.name for f in folder.iterdir()]
    assert ("model.safetensors.index.json" in names) == bool(case["shard"]), names
    tensors = {
        "ids": inputs["input_ids"][0], "types": inputs["token_type_ids"][0],
        "mask": inputs["attention_mask"][0],
        **{key: value.float().contiguous() for key, value in golden.items()},
    }
    metadata = {f"tolerance.{key}": repr(value) for key, value in tolerance.items()}
    metadata |= {
        "seed": str(seed), "torch": torch.__version__, "transformers": transformers.__version__,
        "numpy": numpy.__version__, "python": platform.python_version(),
        "logit_deviation": json.dumps([round(float(x), 3) for x in deviations]),
    }
    save(folder / "expected.safetensors", tensors, metadata)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name:20} {size / 1024:7.1f} KiB, tolerance "
          + ", ".join(f"{key} {value:.1e}" for key, value in tolerance.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES, help="make this case only")
    only = parser.parse_args().only
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)  # the sums' order, and so the files, stay the same
    for seed, name in enumerate(CASES, start=1000):
        if only in (None, name):
            make(name, BASE | CASES[name], seed)


if __name__ == "__main__":
    main()
