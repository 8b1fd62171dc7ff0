#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steps of training against PyTorch: a BERT with masked language modelling, the same weights, the
same texts, the same threads, in turns in one run.

    OMP_NUM_THREADS=2 bench/compare_training.py --regard build/release/regard [--steps 20]

Both run AdamW with clipping on batches of equal texts of random words, 15 % of the tokens to be
predicted (what is hidden is drawn by each alone, so losses agree as curves do). PyTorch is given
transformers' BertForMaskedLM with its fused attention and its loss on all positions, as its
Trainer does it. Needs torch, transformers and tokenizers.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

import torch
import transformers

CASES = [(128, 4, 4, 32, 48), (256, 4, 8, 32, 64), (384, 6, 6, 8, 256)]
WORDS = 7990


def write_inputs(folder, batch, length, steps):
    """Texts of `length` words that follow Zipf's law, and a tokenizer with a piece a word."""
    draw = random.Random(1)
    weights = [1 / (rank + 10) for rank in range(WORDS)]
    lines = [" ".join(f"w{i}" for i in draw.choices(range(WORDS), weights, k=length))
             for _ in range(batch * steps)]
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = special + [f"w{i}" for i in range(WORDS)] + [f"x{i}" for i in range(5)]
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": True}
                         for i, t in enumerate(special)],
        "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None,
        "decoder": None, "model": {"type": "WordLevel", "unk_token": "[UNK]",
                                   "vocab": {p: i for i, p in enumerate(pieces)}}}))
    return [[5 + int(word[1:]) for word in line.split()] for line in lines]


def regard(binary, folder, case, steps):
    """Seconds of each step, losses, and the folder of the run."""
    width, layers, heads, batch, length = case
    out = folder / f"run{time.time_ns()}"
    command = [binary, "train", folder / "corpus.txt", "--tokenizer", folder / "tokenizer.json",
               "-o", out, "--architecture", "bert", "--width", width, "--layers", layers,
               "--heads", heads, "--positions", max(length, 64), "--batch", batch, "--steps", steps,
               "--rate", 1e-3, "--held-out", 0, "--in-order", "--save-every", 0,
               "--evaluate-every", 0]
    subprocess.run(list(map(str, command)), check=True, stderr=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [x["tokens"] / x["tokens_per_second"] for x in lines], [x["loss"] for x in lines], out


def pytorch(start, texts, batch, steps):
    torch.manual_seed(2)
    model = transformers.BertForMaskedLM.from_pretrained(start, attn_implementation="sdpa").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    seconds, losses = [], []
    for step in range(steps):
        ids = torch.tensor(texts[step * batch:(step + 1) * batch])
        chosen, draw = torch.rand(ids.shape) < 0.15, torch.rand(ids.shape)
        labels = ids.masked_fill(~chosen, -100)
        swap = torch.randint(5, 5 + WORDS, ids.shape)
        ids = torch.where(chosen & (draw < 0.8), torch.tensor(4), ids)
        ids = torch.where(chosen & (draw >= 0.8) & (draw < 0.9), swap, ids)
        began = time.perf_counter()
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - began)
        losses.append(loss.item())
    return seconds, losses


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regard", required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, "
          f"{torch.get_num_threads()} threads; milliseconds a step, median of "
          f"{options.rounds} x {options.steps}")
    for case in CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            texts = write_inputs(folder, case[3], case[4], options.steps)
            ours, theirs = [], []
            for _ in range(options.rounds):
                seconds, our_losses, out = regard(options.regard, folder, case, options.steps)
                ours += seconds
                seconds, their_losses = pytorch(out / "checkpoints/step-00000000", texts, case[3],
                                                options.steps)
                theirs += seconds
            a, b = statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3
            last = slice(-5, None)
            print(f"{case}: Regard {a:.1f}, PyTorch {b:.1f}: {b / a:.2f} x; loss "
                  f"{our_losses[0]:.3f} -> {statistics.mean(our_losses[last]):.3f} and "
                  f"{their_losses[0]:.3f} -> {statistics.mean(their_losses[last]):.3f}", flush=True)


if __name__ == "__main__":
    main()
