#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steps of training against PyTorch: a BERT with masked language modelling, the same weights, the
same batches, the same threads, in turns in one run.

    bench/compare_training.py --regard build/release/regard [--steps 20] [--rounds 2]

Both run AdamW with clipping on the same texts of random words. What is hidden follows from the
words (one in seven is always hidden and always to be predicted), so that both see the very same
batches: their losses must agree to 1e-3 at every step, or this fails. PyTorch is given
transformers' BertForMaskedLM with its fused attention and its loss on all positions, as its
Trainer does it. Each runs in a process of its own, whose peak memory is the system's word. Needs
torch and transformers.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

CASES = [(128, 4, 4, 32, 48), (256, 4, 8, 32, 64), (384, 6, 6, 8, 256)]
WORDS, MASK, FIRST = 7990, 4, 5


def hidden(word):
    return word % 7 == 3


def write_inputs(folder, batch, length, steps):
    """Texts of `length` words that follow Zipf's law, a tokenizer with a piece a word, and which
    words are hidden."""
    draw = random.Random(1)
    weights = [1 / (rank + 10) for rank in range(WORDS)]
    texts = [draw.choices(range(WORDS), weights, k=length) for _ in range(batch * steps)]
    (folder / "corpus.txt").write_text(
        "".join(" ".join(f"w{i}" for i in text) + "\n" for text in texts))
    (folder / "texts.json").write_text(json.dumps(texts))
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
    (folder / "hidden.json").write_text(json.dumps({"mask": 1, "swap": 0, "classes": {
        "hidden": {"words": [f"w{i}" for i in range(WORDS) if hidden(i)], "choose": 1}}}))


def measured(command):
    """Runs it; megabytes at the peak."""
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"failed: {command}")
    return used.ru_maxrss / 1024


def regard(binary, folder, case, steps, threads):
    """Seconds of each step, losses, megabytes, and the folder of the run."""
    width, layers, heads, batch, length = case
    out = folder / f"run{time.time_ns()}"
    os.environ["REGARD_THREADS"] = str(threads)
    megabytes = measured([
        binary, "train", folder / "corpus.txt", "--tokenizer", folder / "tokenizer.json", "-o", out,
        "--architecture", "bert", "--width", width, "--layers", layers, "--heads", heads,
        "--positions", max(length, 64), "--batch", batch, "--steps", steps, "--rate", 1e-3,
        "--held-out", 0, "--in-order", "--decay-all", "--corruption", folder / "hidden.json",
        "--save-every", 0, "--evaluate-every", 0])
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return ([x["tokens"] / x["tokens_per_second"] for x in lines], [x["loss"] for x in lines],
            megabytes, out)


def peer(folder, start, batch, threads):
    """In a process of its own: writes seconds and losses to folder/peer.json."""
    import torch
    import transformers
    torch.set_num_threads(threads)
    model = transformers.BertForMaskedLM.from_pretrained(start, attn_implementation="sdpa").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    texts = torch.tensor(json.loads((folder / "texts.json").read_text()))
    seconds, losses = [], []
    for words in texts.split(batch):
        chosen, ids = hidden(words), words + FIRST
        labels = ids.masked_fill(~chosen, -100)
        ids = ids.masked_fill(chosen, MASK)
        began = time.perf_counter()
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - began)
        losses.append(loss.item())
    (folder / "peer.json").write_text(json.dumps({
        "seconds": seconds, "losses": losses,
        "versions": f"torch {torch.__version__}, transformers {transformers.__version__}"}))


def compare(options, case):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_inputs(folder, case[3], case[4], options.steps)
        ours, theirs = [], []
        for _ in range(options.rounds):
            seconds, our_losses, our_peak, out = regard(options.regard, folder, case, options.steps,
                                                        options.threads)
            ours += seconds[1:]
            their_peak = measured([sys.executable, __file__, "--peer", folder, "--threads",
                                   options.threads, "--start",
                                   out / "checkpoints/step-00000000", "--batch", case[3]])
            told = json.loads((folder / "peer.json").read_text())
            theirs += told["seconds"][1:]
            apart = max(abs(a - b) for a, b in zip(our_losses, told["losses"], strict=True))
            if not apart < 1e-3:
                sys.exit(f"{case}: losses {apart} apart: {our_losses} and {told['losses']}")
        a, b = statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3
        spread = [statistics.quantiles(x, n=10) for x in (ours, theirs)]
        print(f"{case}: Regard {a:.1f} ms ({spread[0][0] * 1e3:.1f} to {spread[0][-1] * 1e3:.1f}), "
              f"PyTorch {b:.1f} ms ({spread[1][0] * 1e3:.1f} to {spread[1][-1] * 1e3:.1f}): "
              f"{b / a:.2f} x; loss {our_losses[0]:.4f} -> {our_losses[-1]:.4f}, at most "
              f"{apart:.1e} apart; peak {our_peak:.0f} and {their_peak:.0f} MB "
              f"({told['versions']})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regard", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="one of the three")
    for internal, kind in (("--peer", pathlib.Path), ("--start", pathlib.Path), ("--batch", int)):
        parser.add_argument(internal, type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options.peer, options.start, options.batch, options.threads)
    if not options.regard:
        parser.error("--regard is required")
    print(f"{options.threads} threads; milliseconds a step: median (and the middle 80 %) of "
          f"{options.rounds} x {options.steps - 1}")
    for case in CASES if options.case is None else [CASES[options.case]]:
        compare(options, case)


if __name__ == "__main__":
    main()
