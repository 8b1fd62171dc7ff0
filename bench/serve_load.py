#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Readers that ask `regard serve` for tiles of one long trace, all at once, for a while.

  python3 tools/make_synthetic_llama.py /tmp/llama --layers 1 --ids 131072
  build/release/regard record --model /tmp/llama --ids @/tmp/llama/ids.txt -o /tmp/long.safetensors
  python3 bench/serve_load.py --program build/release/regard --trace /tmp/long.safetensors

Each reader pans and zooms as the page's map does: tiles of 256 x 256 cells whose cells are 1, 2, 4 ..
tokens wide, aligned to their own size, and takes the overview's word where exact cells would take
long (docs/api.md). It prints requests, errors, milliseconds (median, 99 of 100,
largest) and the server's memory. Needs the Python standard library only.
"""

import argparse
import http.client
import json
import random
import re
import subprocess
import sys
import threading
import time

TILE = 256


def read(port, trace, size, heads, seconds, seed, results):
    """Asks for tiles until the time is over; appends (seconds, status) of each."""
    choose = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    zooms = [1 << z for z in range(32) if TILE << z <= max(TILE, size)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        zoom = choose.choice(zooms)
        span = TILE * zoom
        row = choose.randrange(max(1, size // span)) * span
        column = choose.randrange(max(1, size // span)) * span
        path = (f"/api/traces/{trace}/tile?head={choose.choice(heads)}"
                f"&rows={row}:{min(size, row + span)}&cols={column}:{min(size, column + span)}"
                f"&size={TILE}&pool=max&exact=false")
        begin = time.monotonic()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except OSError as error:
            status = str(error)
            connection.close()
        results.append((time.monotonic() - begin, status, zoom))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/release/regard")
    parser.add_argument("--trace", required=True, help="a file from `regard record`")
    parser.add_argument("--readers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    server = subprocess.Popen([options.program, "serve", "--port", "0", "--trace", options.trace],
                              stdout=subprocess.PIPE)
    try:
        port = int(re.search(rb":(\d+)/", server.stdout.readline()).group(1))
        connection = http.client.HTTPConnection("127.0.0.1", port)

        def ask(path):
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())

        one = ask("/api/traces")["traces"][0]
        heads = [f"L{layer['layer']}H{head}" for layer in ask(f"/api/traces/{one['id']}")["layers"]
                 for head in layer["heads"]]
        results = []
        readers = [threading.Thread(target=read, args=(port, one["id"], one["tokens"], heads,
                                                       options.seconds, seed, results))
                   for seed in range(options.readers)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        with open(f"/proc/{server.pid}/status", encoding="utf-8") as file:
            memory = dict(re.findall(r"(\w+):\s+(\d+) kB", file.read()))
    finally:
        server.terminate()
        server.wait()
    times = sorted(seconds for seconds, _, _ in results)
    errors = [status for _, status, _ in results if status != 200]
    print(f"{one['tokens']} tokens, {options.readers} readers, {options.seconds:.0f} s: "
          f"{len(times)} tiles, {len(errors)} errors; ms median {times[len(times) // 2] * 1e3:.1f}, "
          f"p99 {times[int(len(times) * 0.99)] * 1e3:.1f}, largest {times[-1] * 1e3:.1f}; "
          f"RssAnon {int(memory['RssAnon']) / 1024:.0f} MB, VmHWM {int(memory['VmHWM']) / 1024:.0f} MB")
    for zoom in sorted({zoom for _, _, zoom in results}):
        some = sorted(seconds for seconds, _, at in results if at == zoom)
        print(f"  {zoom:6} tokens a cell: {len(some)} tiles, ms median "
              f"{some[len(some) // 2] * 1e3:.1f}, p99 {some[int(len(some) * 0.99)] * 1e3:.1f}")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
