#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokenising 1 MB on one thread: Hugging Face's tokenizers library beside Regard, ids compared
first, runs taken in turn.

Usage: compare_tokenizers.py TOKENIZER_BENCH TOKENIZER_JSON TEXT    (needs the package tokenizers)
"""
import json
import os
import statistics
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402  (reads the setting when it is imported)

ROUNDS = 5


def regard(bench, environment):
    """(milliseconds, tokens) of one run."""
    done = subprocess.run([bench, "--benchmark_filter=^encode$", "--benchmark_format=json"],
                          env=environment, capture_output=True, check=True)
    entry = json.loads(done.stdout)["benchmarks"][0]
    return entry["cpu_time"], int(entry["tokens"])


def main(bench, path, text_file):
    with open(text_file, "rb") as file:
        text = file.read()[:1 << 20].decode("utf-8", errors="replace")
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    environment = {**os.environ, "REGARD_TOKENIZER": path, "REGARD_TEXT": text_file}
    ours, theirs = [], []
    for _ in range(ROUNDS):
        milliseconds, tokens = regard(bench, environment)
        ours.append(milliseconds)
        start = time.thread_time()
        count = len(tokenizer.encode(text).ids)
        theirs.append((time.thread_time() - start) * 1e3)
        if tokens != count:
            sys.exit(f"{tokens} tokens, where the library has {count}")
    for name, runs in (("regard", ours), (f"tokenizers {tokenizers.__version__}", theirs)):
        print(f"{name}: median {statistics.median(runs):.1f} ms, "
              f"{min(runs):.1f} to {max(runs):.1f}")
    print(f"ratio of medians {statistics.median(theirs) / statistics.median(ours):.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
