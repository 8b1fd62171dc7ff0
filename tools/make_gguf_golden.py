#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/gguf: how llama.cpp's converter writes the golden checkpoints as GGUF files.

The converter itself runs over every checkpoint of tests/golden/models (and a few of
tests/golden/bert), without a vocabulary, in F32. What it wrote is kept as a recipe, NAME.json:
the metadata with their types, and for each tensor which rows of which tensor of the checkpoint it
holds. Rows are found by their values, so neither the names nor the order of rows are ours. The
test builds the file again from the recipe (regard/model/gguf_twin.h), and its attention and
logits must be those of the checkpoint.

  source   the checkpoint's folder, under tests/golden
  metadata [[key, type, value]], an array's type as ["array", type of its elements]
  tensors  [{name, shape (row-major), source and what is done to it}]; one of
           rows: [[tensor, first row, rows]] runs of rows (a vector's elements are its rows)
           values: what no tensor of the checkpoint holds (rotary factors)
           mxfp4: the bytes of a tensor of this type, in hexadecimal
           and besides: columns, rows are those of each matrix transposed; plus, added to each

The converter and its gguf package are those in the source package llama-cpp-python 0.3.36 on PyPI
(vendor/llama.cpp):
  pip download --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.36; tar xf ...
  python tools/make_gguf_golden.py llama_cpp_python-0.3.36/vendor/llama.cpp [--only llama]
Needs torch, transformers 5.23, safetensors.
"""

import argparse
import json
import pathlib
import re
import shutil
import sys
import tempfile

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
BERT = ["four_layers", "large_epsilon", "one_type", "pair"]
# Cases with something that GGUF does not say, since the published models all have it alike.
NOT_SAID = {
    "an activation": ["llama_biased", "roberta"],
    "a window": ["mistral", "qwen2", "qwen3_layer_types", "smollm3"],
    "the scale of the attention": ["gemma2", "gemma3", "gemma3_old_dialect", "mpt"],
    "the width of the MLP": ["falcon", "phi"],
    "the largest distance": ["t5", "t5_gated"],
    "dynamic or mscale": ["llama_dynamic", "llama_yarn_mscale"],
    "padding's own position": ["xlm_roberta"],
}
# What published checkpoints of a family have and ours lack: keys of config.json; drop: a pattern
# of tensors that the converter does not take; strip: a prefix of names that it does not know;
# copy: tensors that others have too.
PUBLISHED = {
    "gpt2": {"n_ctx": 48},
    "gpt_neox_serial": {"rotary_pct": 0.5},
    "mpt_usual": {"architectures": ["MPTForCausalLM"]},
    "roberta_usual": {"architectures": ["RobertaModel"], "drop": r"^lm_head"},
    "t5_gated_usual": {"copy": {"lm_head.weight": "shared.weight"}},
    "modernbert": {"drop": r"^(head|decoder)\."},
    "nomic_bert": {
        "architectures": ["NomicBertModel"], "drop": r"^cls\.", "strip": "nomic_bert.", "n_positions": 8192,
        "activation_function": "swiglu", "causal": False, "qkv_proj_bias": False,
        "mlp_fc1_bias": False, "mlp_fc2_bias": False, "prenorm": False,
        "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False,
        "rotary_emb_scale_base": None},
}


def publish(name, folder):
    """Gives a copy of a golden checkpoint what a published one has."""
    import safetensors.torch
    keys = dict(PUBLISHED.get(name, {}))
    pattern, prefix = keys.pop("drop", "^$"), keys.pop("strip", "")
    copies = keys.pop("copy", {})
    config = json.loads((folder / "config.json").read_text()) | keys
    (folder / "config.json").write_text(json.dumps(config))
    # The converter counts its words, and asks of which kind they are.
    (folder / "tokenizer.json").write_text(json.dumps({
        "model": {"type": "WordPiece", "vocab": {f"w{i}": i for i in range(
            config.get("vocab_size", 0))}}, "added_tokens": []}))
    for part in folder.glob("model*.safetensors"):
        tensors = safetensors.torch.load_file(part)
        tensors |= {key: tensors[value].clone() for key, value in copies.items()}
        safetensors.torch.save_file({key.removeprefix(prefix): value
                                     for key, value in tensors.items()
                                     if not re.search(pattern, key)}, part, {"format": "pt"})


def converted(folder, out):
    """Runs the converter. It throws what it refuses."""
    import torch
    from conversion import get_model_class
    from conversion.base import ModelBase, get_model_architecture, ModelType, gguf
    with torch.inference_mode():
        # As it is written; transformers 5 renames keys that the converter looks for.
        parameters = json.loads((folder / "config.json").read_text())
        ModelBase.load_hparams = staticmethod(lambda *_, **__: dict(parameters))
        model_class = get_model_class(get_model_architecture(parameters, ModelType.TEXT), mmproj=False)

        def modify_tensors(self, *arguments):
            # StableLM's returns what it should yield.
            left = yield from model_class.modify_tensors(self, *arguments)
            yield from left or ()

        # The golden checkpoints have no vocabulary.
        without_words = type(model_class.__name__, (model_class,), {
            "model_arch": model_class.model_arch, "set_vocab": lambda self: None,
            "modify_tensors": modify_tensors})
        without_words(folder, gguf.LlamaFileType.ALL_F32, out, eager=True).write()


class Rows:
    """Every row of a checkpoint's tensors, by its bytes."""

    def __init__(self, tensors):
        self.tensors = tensors
        self.tables = {}

    def table(self, width, columns, plus):
        """{bytes of a row: (tensor, row)}; width 1: every element is a row."""
        import numpy
        key = width, columns, plus
        if key not in self.tables:
            rows = self.tables[key] = {}
            for name, tensor in self.tensors.items():
                if columns:
                    if tensor.ndim < 2:
                        continue
                    tensor = numpy.swapaxes(tensor, -1, -2)
                if width > 1 and (tensor.ndim < 2 or tensor.shape[-1] != width):
                    continue
                tensor = numpy.ascontiguousarray(tensor + numpy.float32(plus)).reshape(-1, width)
                for row, values in enumerate(tensor):
                    rows.setdefault(values.tobytes(), (name, row))
        return self.tables[key]

    def recipe(self, values):
        """Where the rows of a tensor come from."""
        import numpy
        widths = [values.shape[-1], 1] if values.ndim > 1 else [1]
        for width in widths:
            parts = values.reshape(-1, width)
            for columns, plus in [(False, 0), (False, 1), (True, 0)]:
                if width == 1 and columns:
                    continue
                table = self.table(width, columns, plus)
                found = [table.get(row.tobytes()) for row in parts]
                if None in found:
                    continue
                recipe = {"rows": runs(found)}
                recipe |= {"columns": True} if columns else {}
                recipe |= {"width": 1} if width == 1 and values.ndim > 1 else {}
                return recipe | ({"plus": plus} if plus else {})
        flat = values.reshape(-1)
        if flat.size > 64 and not numpy.all(flat == flat[0]):
            raise SystemExit("a tensor that is no rows of the checkpoint's")
        return {"values": [float(x) for x in flat]}


def runs(found):
    """[[tensor, first row, rows]] of [(tensor, row)]."""
    out = []
    for name, row in found:
        if out and out[-1][0] == name and out[-1][1] + out[-1][2] == row:
            out[-1][2] += 1
        else:
            out.append([name, row, 1])
    return out


def recipe_of(folder, file):
    import numpy
    import safetensors.torch
    from conversion.base import gguf
    tensors = {}
    for part in sorted(folder.glob("model*.safetensors")):
        tensors |= {name: tensor.float().numpy()
                    for name, tensor in safetensors.torch.load_file(part).items()}
    rows = Rows(tensors)
    reader = gguf.GGUFReader(file)
    metadata = []
    for field in reader.fields.values():
        if field.name.startswith("GGUF."):
            continue
        names = [kind.name.lower() for kind in field.types]
        kind = names[0] if len(names) == 1 else names
        value = field.contents()
        metadata.append([field.name, kind, value])
    described = []
    for tensor in reader.tensors:
        if tensor.tensor_type == gguf.GGMLQuantizationType.MXFP4:
            described.append({"name": tensor.name, "shape": [int(x) for x in tensor.shape[::-1]],
                              "mxfp4": tensor.data.tobytes().hex()})
            continue
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32, tensor.name
        values = numpy.array(tensor.data, numpy.float32).reshape(tensor.shape[::-1])
        described.append({"name": tensor.name, "shape": [int(x) for x in values.shape]}
                         | rows.recipe(values))
    return {"source": str(folder.relative_to(GOLDEN)), "metadata": metadata, "tensors": described}


def written(recipe):
    """As JSON, a tensor or a value a line."""
    def lines(entries):
        return "[\n  " + ",\n  ".join(json.dumps(e) for e in entries) + "]"
    return (f'{{"source": {json.dumps(recipe["source"])},\n "metadata": {lines(recipe["metadata"])},'
            f'\n "tensors": {lines(recipe["tensors"])}}}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("converter", type=pathlib.Path, help="the folder vendor/llama.cpp")
    parser.add_argument("--only", default="", help="make the cases whose names begin so")
    options = parser.parse_args()
    sys.path[:0] = [str(options.converter), str(options.converter / "gguf-py")]
    out = GOLDEN / "gguf"
    out.mkdir(exist_ok=True)
    folders = [GOLDEN / "bert" / name for name in BERT]
    folders += sorted(x for x in (GOLDEN / "models").iterdir() if x.is_dir())
    for folder in folders:
        name = f"bert_{folder.name}" if folder.parent.name == "bert" else folder.name
        if not name.startswith(options.only) or any(name in x for x in NOT_SAID.values()):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            copy = pathlib.Path(shutil.copytree(folder, pathlib.Path(temporary) / folder.name))
            file = pathlib.Path(temporary) / "twin.gguf"
            publish(name, copy)
            try:
                converted(copy, file)
            except Exception as refusal:  # of any of its own kinds
                print(f"{name:24} not converted: {type(refusal).__name__} {refusal}")
                continue
            text = written(recipe_of(folder, file))
            (out / f"{name}.json").write_text(text)
            print(f"{name:24} {len(text) / 1024:.1f} KiB", flush=True)


if __name__ == "__main__":
    main()
