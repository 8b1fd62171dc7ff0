#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Regard's fused attention beside PyTorch's scaled_dot_product_attention, flash and math, in one
process on the same arrays: milliseconds, a Markdown table.

  python3 bench/compare_sdpa.py [--library build/release/bench/attention_peer.so] [--threads 2]
      [--rounds 9] [--tokens 512,2048,4096] [--dims 32,64,128]

Heads are as many as make 256 columns. Outputs are compared first: nothing is timed unless they
agree. A round asks everyone once in turn; the table holds medians, and in brackets the middle half
of Regard's. A turn warms a program for 20 ms, so that no one shares a core with another's threads
that have yet to go to sleep, and then takes the median of 20 ms. Peak memory is what a call adds to the process (largest minus resident
before). Needs torch, as in bench/requirements-peers.txt.
"""
import argparse
import ctypes
import pathlib
import re
import statistics
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

HERE = pathlib.Path(__file__).resolve().parent
WIDTH = 256


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default=HERE.parent / "build/release/bench/attention_peer.so")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", default="512,2048,4096")
    parser.add_argument("--dims", default="32,64,128")
    return parser.parse_args()


class Shape:
    """One shape's arrays and the programs that work on them."""

    def __init__(self, library, tokens, dim, causal, threads):
        self.causal, heads = causal, WIDTH // dim
        generator = torch.Generator().manual_seed(1)
        self.q, self.k, self.v = (torch.randn(1, heads, tokens, dim, generator=generator)
                                  for _ in range(3))
        blocks = (tokens + 63) // 64  # of the overview; its edge is 64 up to 32,768 tokens
        self.out = torch.empty(tokens, heads, dim)
        self.keep = [torch.empty(heads, tokens, dtype=torch.float64),
                     torch.empty(heads, blocks, blocks), torch.empty(heads, blocks, blocks),
                     torch.empty_like(self.q), torch.empty_like(self.k)]
        at = [ctypes.c_void_p(x.data_ptr()) for x in (self.q, self.k, self.v, self.out, *self.keep)]
        sizes = [ctypes.c_int64(heads), ctypes.c_int64(tokens), ctypes.c_int64(dim),
                 ctypes.c_int(causal), ctypes.c_int(threads)]
        nothing = [ctypes.c_void_p(None)] * 4
        self.runs = {
            "regard": lambda: library.regard_attention(*at[:3], *sizes, *at[3:]),
            "bare": lambda: library.regard_attention(*at[:3], *sizes, *at[3:5], *nothing),
            "flash": lambda: self.torch_attention(SDPBackend.FLASH_ATTENTION),
            "math": lambda: self.torch_attention(SDPBackend.MATH),
        }

    def torch_attention(self, backend):
        with torch.no_grad(), sdpa_kernel(backend):
            return torch.nn.functional.scaled_dot_product_attention(self.q, self.k, self.v,
                                                                    is_causal=self.causal)

    def check(self):
        self.runs["regard"]()
        ours = self.out.transpose(0, 1)
        apart = max((self.runs[name]()[0] - ours).abs().max().item() for name in ("flash", "math"))
        if not apart < 1e-5:
            raise SystemExit(f"outputs differ by {apart}")
        return apart

    def measure(self, rounds):
        times = {name: [] for name in self.runs}
        for _ in range(rounds):
            for name, run in self.runs.items():
                calls(run)
                times[name].append(1e3 * statistics.median(calls(run)))
        return times

    def added_megabytes(self, name):
        """What a call adds (proc(5): VmHWM, VmRSS, clear_refs)."""
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        self.runs[name]()
        return max(0.0, resident("VmHWM") - before)


def calls(run, seconds=0.02):
    """Seconds of each of the calls that fill this time, at least one."""
    taken = []
    while not taken or sum(taken) < seconds:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return taken


def resident(field):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(field + r":\s+(\d+)", status)[1]) / 1024


def main():
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    library = ctypes.CDLL(str(options.library))
    library.regard_instruction_set.restype = ctypes.c_char_p
    print(f"{options.threads} threads, {library.regard_instruction_set().decode()}, "
          f"torch {torch.__version__}, medians of {options.rounds} interleaved rounds, ms\n")
    print("| d | tokens | mask | Regard, recorded | Regard, bare | flash | of Regard's | math | "
          "of Regard's | Regard, MB | flash, MB | math, MB |")
    print("|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    worst = 0.0
    for dim in map(int, options.dims.split(",")):
        for causal in (False, True):
            for tokens in map(int, options.tokens.split(",")):
                shape = Shape(library, tokens, dim, causal, options.threads)
                memory = {name: shape.added_megabytes(name) for name in ("regard", "flash", "math")}
                worst = max(worst, shape.check())
                times = shape.measure(options.rounds)
                middle = {name: statistics.median(t) for name, t in times.items()}
                low, _, high = statistics.quantiles(times["regard"], n=4)
                print(f"| {dim} | {tokens:,} | {'causal' if causal else 'none'} | "
                      f"{middle['regard']:.2f} ({low:.2f}-{high:.2f}) | {middle['bare']:.2f} | "
                      f"{middle['flash']:.2f} | {middle['flash'] / middle['regard']:.2f} x | "
                      f"{middle['math']:.2f} | {middle['math'] / middle['regard']:.2f} x | "
                      f"{memory['regard']:.0f} | {memory['flash']:.0f} | {memory['math']:.0f} |",
                      flush=True)
    print(f"\nOutputs agree within {worst:.1e}.")


if __name__ == "__main__":
    main()
