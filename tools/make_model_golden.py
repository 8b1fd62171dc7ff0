#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/models: a tiny random checkpoint of each architecture, and what PyTorch says.

Every parameter is redrawn, and each head's queries are scaled until its logits (row means taken
off, which softmax ignores) have a standard deviation of 2 to 5; texts are longer than windows and
original rotary lengths. Then each key that the architecture's table reads is changed in
transformers, and attention (or logits, for keys that come after the last attention) must move by
more than 1e-3. changed.safetensors holds what the results are then (model_golden_changes.py).

The reference is transformers with eager attention in float64, with the places where transformers
rounds to float32 on its way (RMS norms, softmax) kept in float64; rotary angles stay in float32,
as in training. A tolerance is max(1e-5, 3 x PyTorch's own float32-float64 difference) and stands
in the metadata of expected.safetensors, beside seed and versions.

  python tools/make_model_golden.py                 writes all of tests/golden/models
  python tools/make_model_golden.py --only llama    the cases whose names begin so

The files in git were made with torch 2.13 and transformers 5.23.
"""

import argparse
import contextlib
import copy
import json
import pathlib
import platform
import re
import shutil
import zlib

import safetensors.torch
import torch
import transformers

from model_golden_cases import CASES
from model_golden_changes import Changes, changes_of

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "models"
MOVES = 1e-3


@contextlib.contextmanager
def without_rounding():
    """Float64 stays float64 where transformers asks for float32."""
    to, as_float = torch.Tensor.to, torch.Tensor.float
    softmax, softmax_method = torch.nn.functional.softmax, torch.softmax

    def keeps(tensor):
        return tensor.dtype is torch.float64

    def new_to(self, *args, **kwargs):
        if keeps(self):
            args = tuple(torch.float64 if a is torch.float32 else a for a in args)
            if kwargs.get("dtype") is torch.float32:
                kwargs["dtype"] = torch.float64
        return to(self, *args, **kwargs)

    def new_softmax(x, *args, **kwargs):
        if keeps(x) and kwargs.get("dtype") is torch.float32:
            kwargs["dtype"] = None
        return softmax(x, *args, **kwargs)

    torch.Tensor.to = new_to
    torch.Tensor.float = lambda self: self if keeps(self) else as_float(self)
    torch.nn.functional.softmax = new_softmax
    try:
        yield
    finally:
        torch.Tensor.to, torch.Tensor.float = to, as_float
        torch.nn.functional.softmax, torch.softmax = softmax, softmax_method


def falcon_with_alibi_once():
    """Eager Falcon of transformers 5.23 adds ALiBi twice: it is in the mask already, as for SDPA."""
    attention = transformers.models.falcon.modeling_falcon.FalconAttention
    forward = attention.forward

    def once(self, *args, alibi=None, **kwargs):
        return forward(self, *args, alibi=None if alibi is None else torch.zeros_like(alibi),
                       **kwargs)

    attention.forward = once


def in_double(model):
    """In float64, but for rotary frequencies, from which angles follow in float32."""
    frequencies = {name: buffer.clone() for name, buffer in model.named_buffers()
                   if "inv_freq" in name}
    model = model.double()
    for name, buffer in frequencies.items():
        owner, _, last = name.rpartition(".")
        setattr(model.get_submodule(owner), last, buffer)
    return model


def run(model, inputs, dtype=torch.float64):
    model = copy.deepcopy(model)
    exact = dtype is torch.float64
    model = (in_double(model) if exact else model.to(dtype)).eval()
    with torch.no_grad(), without_rounding() if exact else contextlib.nullcontext():
        out = model(**inputs, output_attentions=True, output_hidden_states=True, use_cache=False)
    result = {}
    for name, key in {"attention": "attentions", "hidden": "hidden_states",
                      "encoder_attention": "encoder_attentions",
                      "decoder_attention": "decoder_attentions",
                      "cross_attention": "cross_attentions",
                      "encoder_hidden": "encoder_hidden_states",
                      "decoder_hidden": "decoder_hidden_states"}.items():
        if out.get(key) and not (name == "hidden" and case_without_hidden(out)):
            result[name] = torch.cat([x.reshape(1, *x.shape[-3:]) if "attention" in name
                                      else x.reshape(1, *x.shape[-2:]) for x in out[key]])
    if out.get("logits") is not None:
        result["logits"] = out.logits[0]
    return result


def case_without_hidden(out):
    """Where the last hidden state is another width than the others (OPT's project_out)."""
    return len({x.shape[-1] for x in out["hidden_states"]}) > 1


def kinds_of(result):
    return [name for name in result if "attention" in name]


def difference(a, b, key):
    return float((a[key].double() - b[key].double()).abs().max())


def moved(a, b):
    return max(difference(a, b, key) for key in kinds_of(b))


def redraw(model, case, generator):
    def normal(parameter, scale):
        return torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * scale

    for name, buffer in model.named_buffers():
        if name == "final_logits_bias":
            buffer.copy_(normal(buffer, 0.3))
    around = 0.0 if case.get("gain_plus_one") else 1.0
    with torch.no_grad():
        for module_name, module in model.named_modules():
            kind = type(module).__name__
            for name, parameter in module.named_parameters(recurse=False):
                full = f"{module_name}.{name}"
                if "Norm" in kind and name == "weight":
                    parameter.copy_(around + normal(parameter, 0.3))
                elif "relative_attention_bias" in full:
                    parameter.copy_(normal(parameter, 1.5))
                elif name == "sinks":
                    parameter.copy_(normal(parameter, 1.5))
                elif "Sinusoid" in kind:
                    continue  # computed, not learned
                elif parameter.dim() == 1:
                    parameter.copy_(normal(parameter, 0.3))
                elif "Embedding" in kind:
                    parameter.copy_(normal(parameter, 0.7 * case.get("embedding", 1)))
                elif kind == "Conv1D":
                    parameter.copy_(normal(parameter, parameter.shape[0] ** -0.5))
                elif "outer" in name or "experts" in full.lower():
                    axis = -2 if case.get("experts_in_out") else -1
                    size = 0.3 if parameter.dim() < 3 else parameter.shape[axis] ** -0.5
                    parameter.copy_(normal(parameter, size))
                else:
                    parameter.copy_(normal(parameter, parameter.shape[-1] ** -0.5))


def deviations(result):
    """{kind: [layer][head]} of the logits around their row means."""
    found = {}
    for kind in kinds_of(result):
        logits = result[kind].double().log()
        seen = torch.isfinite(logits)
        counts = seen.sum(-1, keepdim=True).clamp(min=1)
        clean = torch.where(seen, logits, torch.zeros_like(logits))
        centred = torch.where(seen, clean - clean.sum(-1, keepdim=True) / counts,
                              torch.zeros_like(logits))
        enough = (seen.sum(-1) > 1).sum(-1).clamp(min=1)
        per_row = (centred.square().sum(-1) / counts[..., 0])
        found[kind] = (per_row.sum(-1) / enough).sqrt()
    return found


def query_views(model, case, kind, layer, heads):
    """Per head the views that scale its queries; one list where all heads share them."""
    parameters = dict(model.named_parameters())
    pattern, layout = case["queries"][kind]
    views = [[] for _ in range(heads)]
    matched = False
    for name, parameter in parameters.items():
        if not re.search(pattern.replace("{}", rf"{layer}"), name):
            continue
        matched = True
        data = parameter.data
        if layout == "shared":
            return [[data]]
        if layout == "one each":  # a parameter for each head, in order
            next(head for head in views if not head).append(data)
            continue
        if layout == "rows":
            parts = data.view(heads, -1, *data.shape[1:])
        elif layout == "thirds":
            third = data.shape[0] // 3
            parts = data[:third].view(heads, -1, *data.shape[1:])
        elif layout == "first":  # queries first, then fewer keys and values
            dim = case["head_dim"]
            parts = data[:heads * dim].view(heads, dim, *data.shape[1:])
        elif layout == "interleaved":
            parts = data.view(heads, 3, -1, *data.shape[1:])[:, 0]
        elif layout == "grouped":
            groups, dim = case["kv_heads"], case["head_dim"]
            whole = data.view(groups, heads // groups + 2, dim, *data.shape[1:])
            parts = [whole[h // (heads // groups), h % (heads // groups)] for h in range(heads)]
        elif layout == "conv1d":
            third = data.shape[-1] // 3
            parts = [data[..., h * third // heads:(h + 1) * third // heads] for h in range(heads)]
        for head in range(heads):
            views[head].append(parts[head])
    assert matched, (pattern, layer, sorted(parameters))
    return views


def sharpen(name, model, case, inputs, generator):
    """Scales queries to deviations drawn from 2.6 to 4.2, layer by layer from the first."""
    first = run(model, inputs)
    wanted = {kind: case.get("least", 2.6) + 1.6 * torch.rand(first[kind].shape[:2], generator=generator,
                                           dtype=torch.float64) for kind in case["queries"]}
    layers = max(first[kind].shape[0] for kind in case["queries"])
    for layer in range(0, layers):
        for _ in range(case.get("rounds", 3)):
            for kind in case["queries"]:
                if layer >= wanted[kind].shape[0]:
                    continue
                every = deviations(run(model, inputs))[kind]
                found = every[layer]
                if "{}" not in case["queries"][kind][0]:  # layers share their parameters
                    found = every.log().mean(0).exp()
                factors = (wanted[kind][layer] / found).clamp(0.2, 8)
                views = query_views(model, case, kind, layer, len(found))
                if len(views) == 1:
                    factors = factors.log().mean().exp()[None]
                for factor, parts in zip(factors, views):
                    for part in parts:
                        if case.get("gain_plus_one") and case["queries"][kind][1] == "shared":
                            part.copy_((1 + part) * factor - 1)
                        else:
                            part.mul_(factor)
    return model


def build(case, config):
    return getattr(transformers, case["model"])(config).double().eval()


def eagerly(config):
    """Attention that returns its weights, experts that take float64."""
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    return config


def config_of(case):
    config = getattr(transformers, case["config_class"])(**case["config"])
    return eagerly(config)


def reconfigured(model, case, changes):
    """The same parameters under a changed configuration; "a.b" names a member of a."""
    keys = json.loads(json.dumps(case["config"]))
    for key, value in changes.items():
        owner = keys
        *path, last = key.split(".")
        for part in path:
            owner = owner[part]
        if value == "absent":
            owner.pop(last)
        else:
            owner[last] = value
    config = eagerly(getattr(transformers, case["config_class"])(**keys))
    # Frequencies are made in float32, as from_pretrained does.
    torch.set_default_dtype(torch.float32)
    other = getattr(transformers, case["model"])(config)
    other.load_state_dict(model.state_dict(), strict=False)
    with torch.no_grad():
        ours = dict(model.named_parameters())
        for name, parameter in other.named_parameters():
            assert parameter.shape == ours[name].shape, (changes, name)
    other = other.double()
    other.load_state_dict(model.state_dict(), strict=False)
    return restored(other, config, case)


def restored(model, config, case):
    """A model in double whose rotary frequencies are the float32 ones of its configuration."""
    fresh = getattr(transformers, case["model"])(config)
    for name, buffer in fresh.named_buffers():
        if "inv_freq" in name:
            owner, _, last = name.rpartition(".")
            setattr(model.get_submodule(owner), last, buffer)
    return model


def save(path, tensors, metadata):
    """As safetensors, with the header's members sorted: the library shuffles the metadata."""
    content = safetensors.torch.save(tensors, metadata)
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:8 + size]), sort_keys=True, separators=(",", ":"))
    header += " " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + content[8 + size:])


def pack_mxfp4(weight):
    """[expert, in, out] as Hugging Face's blocks [expert, out, in / 32, 16] and scales: codes of
    four bits, a byte's low ones first, and a power of two for each 32 (OCP Microscaling)."""
    codes = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    groups = weight.float().transpose(1, 2).unflatten(-1, (-1, 32))
    exponents = groups.abs().amax(-1).log2().floor() - 2
    scaled = groups / torch.exp2(exponents)[..., None]
    nibbles = (scaled.abs()[..., None] - codes).abs().argmin(-1) + 8 * (scaled < 0)
    pairs = nibbles.unflatten(-1, (16, 2)).to(torch.uint8)
    return pairs[..., 0] | pairs[..., 1] << 4, (exponents + 127).to(torch.uint8)


def round_to_mxfp4(model):
    """Gives the experts what their packed weights mean. Returns these, by the names of the file."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    packed = {}
    for name, parameter in model.named_parameters():
        if re.search(r"experts\.(gate_up|down)_proj$", name):
            blocks, scales = pack_mxfp4(parameter.data)
            meant = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
            parameter.data.copy_(meant)
            packed |= {name + "_blocks": blocks, name + "_scales": scales}
    return packed


def save_packed(folder, packed):
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    for name in packed:
        tensors.pop(re.sub("_(blocks|scales)$", "", name), None)
    save(path, tensors | packed, {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def inputs_of(case, generator):
    n, vocabulary = case["tokens"], case["vocabulary"]
    low = case.get("lowest_id", 0)
    inputs = dict(input_ids=torch.randint(low, vocabulary, (1, n), generator=generator))
    if case.get("types"):
        types = torch.zeros(1, n, dtype=torch.long)
        types[0, n // 2:] = 1
        inputs["token_type_ids"] = types
    if case.get("padding"):
        inputs["attention_mask"] = torch.ones(1, n, dtype=torch.long)
        inputs["attention_mask"][0, list(case["padding"])] = 0
    if case.get("target"):
        inputs["decoder_input_ids"] = torch.randint(low, vocabulary, (1, case["target"]),
                                                    generator=generator)
    return inputs


def make(name, case, seed):
    generator = torch.Generator().manual_seed(seed)
    inputs = inputs_of(case, generator)
    config = config_of(case)
    model = build(case, config)
    redraw(model, case, generator)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if re.search(case.get("damped", "^$"), parameter_name):
                parameter.mul_(0.1)
        sharpen(name, restored(model, config, case), case, inputs, generator)
    # The file's precision is the truth: the reference runs from the rounded parameters.
    packed = round_to_mxfp4(model) if case.get("mxfp4") else {}
    stored = getattr(torch, case.get("stored", "float32"))
    model = restored(model.to(stored).double(), config, case)

    golden = run(model, inputs)
    single = run(model, inputs, torch.float32)
    tolerance = {key: max(1e-5, 3 * difference(single, golden, key)) for key in golden}
    for kind, found in deviations(golden).items():
        if not (found.min() >= 2 and found.max() <= 5):
            raise SystemExit(f"{name}: {kind} deviates by {found.tolist()}, not by 2 to 5")

    changes = Changes()
    for key, value in changes_of(case, config):
        other = reconfigured(model, case, {key: value})
        result = run(other, inputs)
        early = key in case.get("changes", {})
        by = moved(result, golden) if early else max(
            difference(result, golden, k) for k in golden)
        if not by > MOVES:
            raise SystemExit(f"{name}: {key} = {value} moves the "
                             f"{'attention' if early else 'result'} by {by:.1e} only")
        changes.add(case, key, other, run, inputs)

    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    single_file = model.to(stored)
    # as_is: in transformers' own names, not in those that the published files have.
    single_file.save_pretrained(folder, max_shard_size="1GB",
                                save_original_format=not case.get("as_is"))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if packed:
        save_packed(folder, packed)
    if "rewrite" in case:
        path = folder / "config.json"
        written = json.loads(path.read_text())
        case["rewrite"](written)
        path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
    if "rename" in case:
        path = folder / "model.safetensors"
        save(path, {case["rename"](key): value.contiguous()
                    for key, value in safetensors.torch.load_file(path).items()}, {"format": "pt"})
    tensors = {"ids": inputs["input_ids"][0]}
    for ours, theirs in {"types": "token_type_ids", "mask": "attention_mask",
                         "target": "decoder_input_ids"}.items():
        if theirs in inputs:
            tensors[ours] = inputs[theirs][0]
    tensors |= {key: value.float().contiguous() for key, value in golden.items()}
    metadata = {f"tolerance.{key}": repr(value) for key, value in tolerance.items()}
    metadata |= {
        "seed": str(seed), "torch": torch.__version__, "transformers": transformers.__version__,
        "python": platform.python_version(), "changed": json.dumps(
            sorted([*case.get("changes", {}), *case.get("late", {})])),
        "logit_deviation": json.dumps({kind: [[round(float(x), 2) for x in row] for row in found]
                                       for kind, found in deviations(golden).items()}),
    }
    save(folder / "expected.safetensors", tensors, metadata)
    if changes.tensors:
        save(folder / "changed.safetensors", changes.tensors, changes.metadata)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name:24} {size / 1024:7.1f} KiB, tolerance "
          + ", ".join(f"{key} {value:.1e}" for key, value in tolerance.items()), flush=True)


def seed_of(name):
    """The seed that the case was made with, so that it can be made again; else one of its name."""
    path = FOLDER / name / "expected.safetensors"
    if not path.exists():
        return zlib.crc32(name.encode())
    with safetensors.safe_open(path, "pt") as file:
        return int(file.metadata()["seed"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="make the cases whose names begin so")
    parser.add_argument("--new", action="store_true", help="leave out those that are there")
    options = parser.parse_args()
    only = options.only
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    falcon_with_alibi_once()
    torch.set_num_threads(1)  # the sums' order, and so the files, stay the same
    failures = []
    for name in CASES:
        if not name.startswith(only) or (options.new and (FOLDER / name).exists()):
            continue
        try:
            make(name, CASES[name], seed_of(name))
        except (Exception, SystemExit) as failure:  # the other cases are made first
            failures.append(f"{name}: {failure}")
            print(failures[-1], flush=True)
    if failures:
        raise SystemExit(f"{len(failures)} cases failed")


if __name__ == "__main__":
    main()
