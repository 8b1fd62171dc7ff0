#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the program's attention weights with those of transformers in double precision, live.

Every layer, head, query and key of several texts, over one model folder. The tolerance is
max(1e-5, 3 x PyTorch's own difference between float32 and float64).
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers

TEXTS = [
    "The animal didn't cross the street because it was too tired.",
    "a",
    "Unaffordable co-operation: 3.14 % of $5,000 — \u201cnaïve\u201d?",
    "Привет, мир! 你好，世界。 こんにちは",
    "one two three " * 60,
]


def reference(folder, dtype, inputs):
    """[layer, head, query, key]."""
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=dtype)
    with torch.no_grad():
        maps = model.eval()(**inputs, output_attentions=True).attentions
    return torch.cat(maps).double().numpy()


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    options = parser.parse_args(arguments)

    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for text in TEXTS:
            inputs = tokenizer(text, return_tensors="pt", truncation=False)
            exact = reference(options.model, torch.float64, inputs)
            own = numpy.abs(reference(options.model, torch.float32, inputs) - exact).max()
            output = pathlib.Path(folder) / "weights.npy"
            subprocess.run([options.program, "show", text, "--model", options.model, "-o", output],
                           check=True, stdout=subprocess.DEVNULL)
            ours = numpy.load(output)
            tolerance = max(1e-5, 3 * own)
            if ours.shape != exact.shape:
                print(f"{text[:30]!r}: expected shape {exact.shape}, found {ours.shape}")
                failed += 1
                continue
            difference = numpy.abs(ours - exact).max()
            verdict = "ok" if difference <= tolerance else "FAILED"
            print(f"{text[:30]!r}: {ours.shape}, largest difference {difference:.1e}, "
                  f"tolerance {tolerance:.1e}: {verdict}")
            failed += difference > tolerance
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
