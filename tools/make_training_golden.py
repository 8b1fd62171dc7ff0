#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/training: gradients and losses as PyTorch computes them.

attention.safetensors: for each option of a score, float32 inputs and the float64 gradients that
autograd gives for sum(out * out_gradient), with attention written as its plain formula.

{model}.safetensors: for tiny checkpoints of tests/golden, in float64: texts of unequal length, the
mean loss at some of their tokens, its gradients by every parameter, and the losses of 20 steps of
torch.optim.AdamW with clipping, a rate that warms up and decay of matrices only.

  python tools/make_training_golden.py

The files in git were made with torch 2.13 and transformers 5.23.
"""

import json
import math
import pathlib

import safetensors.torch
import torch
import transformers

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/training"


def attention_case(name, spec, tensors, metadata, heads=2, kv_heads=1, queries=70, keys=70, dim=12,
                   value_dim=8, padding=0, sinks=False, bias_reach=0, slots=0):
    """One case. spec: the members of ScoreSpec's JSON."""
    scale = spec["scale"]
    size = math.sqrt(3.0 / (scale * math.sqrt(dim)))
    leaf = lambda *shape, std=1.0: (torch.randn(*shape) * std).float().requires_grad_()
    inputs = {"query": leaf(heads, queries, dim, std=size), "key": leaf(kv_heads, keys, dim, std=size),
              "value": leaf(kv_heads, keys, value_dim)}
    group = heads // kv_heads
    position = torch.arange(queries)[:, None] + keys - queries
    distance = torch.arange(keys)[None, :] - position
    double = {part: tensor.double() for part, tensor in inputs.items()}
    x = double["query"] @ double["key"].repeat_interleave(group, 0).transpose(1, 2)
    if slots:
        reach = 20
        slot = torch.arange(2 * reach + 1) * 7 % slots
        chosen = slot[distance.clamp(-reach, reach) + reach]
        inputs["query_relative"] = leaf(heads, queries, slots)
        inputs["key_relative"] = leaf(heads, keys, slots)
        wide = chosen.expand(heads, queries, keys)
        x = x + inputs["query_relative"].double().gather(2, wide)
        x = x + inputs["key_relative"].double().gather(2, wide.transpose(1, 2)).transpose(1, 2)
        tensors[f"{name}.slot"] = slot.int()
    x = x * scale
    if "cap" in spec:
        x = torch.tanh(x / spec["cap"]) * spec["cap"]
    if bias_reach:
        inputs["bias"] = leaf(heads, 2 * bias_reach + 1, std=2.0)
        x = x + inputs["bias"].double()[:, distance.clamp(-bias_reach, bias_reach) + bias_reach]
    if spec.get("alibi") == "distance":
        slopes = torch.tensor([0.25, 0.0625])
        tensors[f"{name}.slopes"] = slopes
        x = x - slopes.double()[:, None, None] * distance.abs()
    seen = torch.ones(queries, keys, dtype=torch.bool)
    if spec.get("causal"):
        seen &= (distance <= 0) | (torch.arange(keys) < spec.get("prefix", 0))
    if spec.get("window"):
        seen &= distance.abs() < spec["window"]
    if spec.get("chunk"):
        seen &= position // spec["chunk"] == torch.arange(keys) // spec["chunk"]
    if padding:
        seen[:, keys - padding:] = False
    x = x.masked_fill(~seen, -math.inf)
    joined = x
    if sinks:
        inputs["sinks"] = leaf(heads, std=2.0)
        joined = torch.cat([x, inputs["sinks"].double()[:, None, None].expand(-1, queries, 1)], -1)
    weights = torch.softmax(joined, -1)[..., :keys]
    assert weights.max() > 0.2
    out = weights @ double["value"].repeat_interleave(group, 0)
    gradient = torch.randn(queries, heads, value_dim).float()
    (out.transpose(0, 1) * gradient.double()).sum().backward()
    tensors[f"{name}.out_gradient"] = gradient
    for part, tensor in inputs.items():
        tensors[f"{name}.{part}"] = tensor.detach().contiguous()
        # Leaves are float32, and so are autograd's gradients of them: good to 6e-8.
        tensors[f"{name}.{part}_gradient"] = tensor.grad.contiguous()
    metadata[f"score.{name}"] = json.dumps(spec)
    metadata[f"padding.{name}"] = str(padding)


def attention():
    torch.manual_seed(5)
    tensors, metadata = {}, {"torch": torch.__version__, "seed": "5"}
    case = lambda name, spec, **more: attention_case(name, spec, tensors, metadata, **more)
    case("plain", dict(scale=0.25))
    case("causal", dict(scale=0.25, causal=True))
    case("grouped", dict(scale=0.25, causal=True), heads=6, kv_heads=3, dim=36, value_dim=33)
    case("cached", dict(scale=0.25, causal=True), queries=9)
    case("long", dict(scale=0.25), queries=150, keys=150, dim=4, value_dim=4)
    case("window", dict(scale=0.25, causal=True, window=9))
    case("window_symmetric", dict(scale=0.25, window=6))
    case("chunk", dict(scale=0.25, causal=True, chunk=16))
    case("prefix", dict(scale=0.25, causal=True, prefix=11))
    case("padding", dict(scale=0.25), padding=13)
    case("cap", dict(scale=0.25, cap=4.0, causal=True))
    case("sinks", dict(scale=0.25, causal=True), sinks=True)
    case("alibi", dict(scale=0.25, causal=True, alibi="distance"))
    case("bias", dict(scale=0.25), bias_reach=20)
    case("bias_cap", dict(scale=0.25, cap=5.0), bias_reach=20)
    case("relative", dict(scale=0.25), slots=16)
    case("relative_cap", dict(scale=0.25, cap=5.0), slots=16)
    safetensors.torch.save_file(tensors, OUT / "attention.safetensors", metadata)


MODELS = {"bert": ("bert/masked_lm", transformers.AutoModelForMaskedLM),
          "modernbert": ("models/modernbert", transformers.AutoModelForMaskedLM),
          "gpt2": ("models/gpt2", transformers.AutoModelForCausalLM),
          "llama": ("models/llama", transformers.AutoModelForCausalLM)}


def model_case(name, folder, kind):
    torch.manual_seed(11)
    model = kind.from_pretrained(OUT.parent / folder, attn_implementation="eager",
                                 dtype=torch.float32).double().eval()
    vocabulary = model.config.vocab_size
    texts = [torch.randint(3, vocabulary, (length,)) for length in (12, 1, 30, 7, 21)]
    causal = kind is transformers.AutoModelForCausalLM
    starts, positions, targets, at = [], [], [], 0
    for text in texts:
        starts.append(at)
        if causal:
            positions += range(at, at + len(text) - 1)
            targets += text[1:].tolist()
        else:
            for i in range(len(text)):
                if torch.rand(()) < 0.3 or len(text) == 1:
                    positions.append(at + i)
                    targets.append(int(text[i]))
                    text[i] = torch.randint(3, vocabulary, ())
        at += len(text)

    def loss_of():
        rows = torch.cat([model(input_ids=text[None]).logits[0] for text in texts])
        return torch.nn.functional.cross_entropy(rows[positions], torch.tensor(targets))

    parameters = dict(model.named_parameters())
    loss_of().backward()
    tensors = {"ids": torch.cat(texts), "starts": torch.tensor(starts),
               "position": torch.tensor(positions), "target": torch.tensor(targets)}
    for parameter, value in parameters.items():
        tensors["gradient." + parameter] = value.grad.float().contiguous()
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters.values() if p.dim() > 1], "weight_decay": 0.1},
         {"params": [p for p in parameters.values() if p.dim() < 2], "weight_decay": 0.0}],
        betas=(0.9, 0.98), eps=1e-8)
    losses, norms = [], []
    for step in range(1, 21):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, step / 5)
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0))
        optimizer.step()
        losses.append(loss.detach())
    tensors["losses"], tensors["norms"] = torch.stack(losses), torch.stack(norms)
    assert losses[-1] < losses[0] - 0.3 and norms[0] > 1
    safetensors.torch.save_file(tensors, OUT / f"{name}.safetensors",
                                {"torch": torch.__version__, "model": folder,
                                 "transformers": transformers.__version__, "seed": "11"})


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    attention()
    for name, (folder, kind) in MODELS.items():
        model_case(name, folder, kind)
    for path in sorted(OUT.iterdir()):
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
