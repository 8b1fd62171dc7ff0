#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens checkpoints of `regard train` with transformers and compares, live.

For each architecture a small model is trained. transformers must load its last checkpoint without a
missing or a surplus tensor, cut the held-out documents into the same tokens, give every one of them
the same attention, and the same mean cross-entropy as the run measured: encoders are asked for
every token with none hidden, so that nothing is drawn.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers

WORDS = ["dog", "cat", "bird", "fish", "barks", "purrs", "sings", "swims", "never", "the"]


def corpus():
    return [" ".join(WORDS[(i * 7 + k * k) % 10] for k in range(3 + i % 6)) for i in range(200)]


def train(program, folder, architecture):
    (folder / "corpus.txt").write_text("\n".join(corpus()) + "\n")
    (folder / "classes.json").write_text('{"mask": 0, "swap": 0, "other": 1, "classes": {}}')
    run = folder / architecture
    encoder = architecture in ("bert", "modernbert")
    more = ["--corruption", folder / "classes.json"] if encoder else ["--kv-heads", 1]
    subprocess.run(list(map(str, [
        program, "train", folder / "corpus.txt", "-o", run, "--architecture", architecture,
        "--width", 32, "--heads", 2, "--layers", 2, "--positions", 64, "--batch", 16,
        "--pieces", 60 if encoder else 300, "--steps", 60, "--rate", 0.01, "--held-out", 0.1,
        *more])), check=True, stderr=subprocess.DEVNULL)
    return run, encoder


def compare(program, folder, architecture):
    """A list of what differs."""
    run, encoder = train(program, folder, architecture)
    checkpoint = run / "checkpoints/step-00000060"
    kind = transformers.AutoModelForMaskedLM if encoder else transformers.AutoModelForCausalLM
    model, info = kind.from_pretrained(checkpoint, attn_implementation="eager",
                                       dtype=torch.float64, output_loading_info=True)
    model = model.eval()
    wrong = [f"{what}: {keys}" for what, keys in info.items() if keys]
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(checkpoint / "tokenizer.json"))
    loss, count, apart = 0.0, 0, 0.0
    for text in corpus()[9::10]:
        ids = tokenizer(text, return_tensors="pt").input_ids
        with torch.no_grad():
            out = model(ids, output_attentions=True)
        logits, targets = (out.logits, ids) if encoder else (out.logits[:, :-1], ids[:, 1:])
        loss += torch.nn.functional.cross_entropy(logits[0], targets[0], reduction="sum").item()
        count += targets.numel()
        written = folder / "weights.npy"
        subprocess.run([program, "show", text, "--model", checkpoint, "-o", written], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ours, theirs = numpy.load(written), torch.cat(out.attentions).numpy()
        if ours.shape != theirs.shape:
            return wrong + [f"{text!r}: expected shape {theirs.shape}, found {ours.shape}"]
        apart = max(apart, numpy.abs(ours - theirs).max())
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["held_out_loss"]
    print(f"{architecture}: trained, {count} tokens: loss {last:.7f} and {loss / count:.7f}, "
          f"attention at most {apart:.1e} apart")
    if abs(last - loss / count) > 1e-5:
        wrong.append(f"loss: expected {loss / count}, found {last}")
    if apart > 1e-5:
        wrong.append(f"attention: expected at most 1e-5 apart, found {apart}")
    return wrong


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    options = parser.parse_args(arguments)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for architecture in ("bert", "modernbert", "gpt2", "llama"):
            for line in compare(options.program, pathlib.Path(folder), architecture):
                print(f"{architecture}: {line}")
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
