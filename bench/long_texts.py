#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records longer and longer texts with a synthetic Llama of one layer and prints time, peak memory
and file size as a Markdown table, and the least-squares line of memory over tokens.

  python3 bench/long_texts.py build/release/regard [--tokens 16384,32768,65536,131072]
      [--heads 2] [--kv-heads 1] [--head-dim 16] [--folder /tmp] [--plot long-texts.svg]

The model is that of tools/make_synthetic_llama.py: only the number of tokens changes, so that what
grows is what a text costs. Needs the Python standard library only.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

MAKER = pathlib.Path(__file__).resolve().parent.parent / "tools" / "make_synthetic_llama.py"


def run(*command):
    """Seconds and peak memory in megabytes of a command."""
    start = time.time()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        error = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: {error}")
    return time.time() - start, usage.ru_maxrss / 1024


def panel(name, values, tokens, left):
    """A curve over the tokens, from zero on both axes, as SVG."""
    width, height, top = 300, 200, 40
    most, longest = max(values), max(tokens)
    at = [(left + width * n / longest, top + height * (1 - value / most))
          for n, value in zip(tokens, values)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    lines = [f'<text x="{left}" y="20" font-weight="bold">{name}</text>',
             f'<path d="M{left} {top}V{top + height}H{left + width}" fill="none" stroke="#888"/>',
             f'<polyline points="{points}" fill="none" stroke="#4477aa" stroke-width="2"/>']
    for (x, y), n, value in zip(at, tokens, values):
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#4477aa"/>',
                  f'<text x="{x - 6:.1f}" y="{y - 6:.1f}" text-anchor="end">{value:.3g}</text>',
                  f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle" '
                  f'font-size="10">{n // 1024}k</text>']
    return "\n".join(lines)


def plot(points):
    tokens, peaks, seconds = zip(*points)
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 290" '
            'font-family="sans-serif" font-size="12">\n'
            '<rect width="100%" height="100%" fill="white"/>\n'
            + panel("record, peak memory, MB", peaks, tokens, 50) + "\n"
            + panel("record, seconds", seconds, tokens, 430)
            + '\n<text x="380" y="280" text-anchor="middle">tokens</text>\n</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--tokens", default="16384,32768,65536,131072")
    parser.add_argument("--heads", default="2")
    parser.add_argument("--kv-heads", default="1")
    parser.add_argument("--head-dim", default="16")
    parser.add_argument("--folder")
    parser.add_argument("--plot", help="write both curves here, SVG")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="regard-long-", dir=options.folder)
    model, trace = os.path.join(folder, "model"), os.path.join(folder, "t.safetensors")
    points = []
    try:
        print("| tokens | record, s | record, peak MB | file, MB | tile of the file, s | tile, peak MB |")
        print("|---:|---:|---:|---:|---:|---:|")
        for tokens in map(int, options.tokens.split(",")):
            run(sys.executable, str(MAKER), model, "--heads", options.heads, "--kv-heads",
                options.kv_heads, "--head-dim", options.head_dim, "--ids", str(tokens))
            seconds, peak = run(options.binary, "record", "--model", model, "--ids",
                                "@" + os.path.join(model, "ids.txt"), "-o", trace)
            look, small = run(options.binary, "tile", trace, "--head", "L0H1", "--rows",
                              f"{tokens - 512}:{tokens}", "--cols", "0:512", "-o",
                              os.path.join(folder, "tile.npy"))
            points.append((tokens, peak, seconds))
            print(f"| {tokens} | {seconds:.1f} | {peak:.0f} | {os.path.getsize(trace) / 1e6:.0f} | "
                  f"{look:.2f} | {small:.0f} |", flush=True)
    finally:
        shutil.rmtree(folder)
    if len(points) > 1:
        if options.plot:
            pathlib.Path(options.plot).write_text(plot(points), encoding="utf-8")
        n = len(points)
        mean_x, mean_y = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
        slope = (sum((x - mean_x) * (y - mean_y) for x, y, _ in points)
                 / sum((x - mean_x) ** 2 for x, _, _ in points))
        offset = mean_y - slope * mean_x
        worst = max(abs(offset + slope * x - y) / y for x, y, _ in points)
        print(f"\npeak = {offset:.0f} MB + {slope * 1000:.2f} MB per 1,000 tokens, "
              f"every point within {worst:.0%}")


if __name__ == "__main__":
    main()
