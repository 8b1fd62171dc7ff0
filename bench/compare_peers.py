#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Warm forward passes of one BERT-style model: Regard with every head recorded, beside ONNX Runtime
(no attention comes out of it) and Hugging Face eager with output_attentions.

  python3 bench/compare_peers.py MODEL_FOLDER [--bench build/release/bench/forward_bench]
          [--tokens 16,128,512] [--rounds 15] [--threads 2] [-o table.md]

The results are compared first. Then each round runs every program once in turn; the table holds
medians, the middle half, and the ratio of the medians. The peak of fused multiply-adds is measured
in the same run. The peers live in a virtual environment of their own with the versions of
bench/requirements-peers.txt (in the user's cache; REGARD_PEERS_PYTHON names an interpreter that has
them instead).
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
import warnings

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements-peers.txt"
# Settings of one machine's BLAS that would slow a peer down.
HANDICAPS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
HIDDEN_TOLERANCE = 1e-3  # of values up to about 5, in float32, by three programs
WEIGHT_TOLERANCE = 1e-4


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder with config.json and weights")
    parser.add_argument("--bench", default=HERE.parent / "build/release/bench/forward_bench")
    parser.add_argument("--tokens", default="16,128,512")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("-o", "--output", help="write the table here instead of standard output")
    return parser.parse_args()


def peers_python():
    """The interpreter with the peers, made once."""
    if named := os.environ.get("REGARD_PEERS_PYTHON"):
        return named
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "regard" / "peers"
    python = folder / "bin" / "python"
    done = folder / "requirements-peers.txt"
    if not done.exists() or done.read_text() != REQUIREMENTS.read_text():
        print(f"making {folder} with the peers' packages", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
        done.write_text(REQUIREMENTS.read_text())
    return str(python)


def enter_peers_environment():
    """Starts this script again under the peers' interpreter and without the handicaps."""
    if os.environ.get("REGARD_PEERS_INSIDE"):
        return
    environment = {k: v for k, v in os.environ.items() if k not in HANDICAPS}
    environment["REGARD_PEERS_INSIDE"] = "1"
    python = peers_python()
    os.execve(python, [python, __file__, *sys.argv[1:]], environment)


class Regard:
    """bench/forward_bench, spoken to by lines."""

    def __init__(self, program, folder, threads):
        self.process = subprocess.Popen([program, folder, "--threads", str(threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"forward_bench ended at \"{command}\" with {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def export(model, path):
    import torch

    class LastHidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, ids, mask, types):
            return self.model(input_ids=ids, attention_mask=mask,
                              token_type_ids=types).last_hidden_state

    warnings.simplefilter("ignore")  # the exporter's, about being old
    ids = torch.arange(1, 17)[None]
    axes = {name: {0: "batch", 1: "n"} for name in ("ids", "mask", "types")}
    # Without eval() here the export would leave the model in training mode, dropout and all.
    torch.onnx.export(LastHidden().eval(), (ids, torch.ones_like(ids), torch.zeros_like(ids)), path,
                      input_names=["ids", "mask", "types"], output_names=["hidden"],
                      dynamic_axes=axes, opset_version=17, dynamo=False)
    assert not model.training


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def check_equal(regard, hf, session, feed, tokens):
    """Hidden states of all three and two heads' weights, before anything is timed."""
    import numpy
    import torch

    with torch.no_grad():
        reference = hf(input_ids=torch.tensor(feed["ids"]), output_attentions=True)
    hidden = reference.last_hidden_state[0].numpy()
    found = {"ONNX Runtime": session.run(None, feed)[0][0],
             "Regard": numpy.array(regard.ask("hidden")["hidden"],
                                   dtype=numpy.float32).reshape(hidden.shape)}
    worst = {}
    for name, value in found.items():
        worst[name] = float(abs(value - hidden).max())
        if not worst[name] < HIDDEN_TOLERANCE:
            raise SystemExit(f"{tokens} tokens: {name}'s hidden states differ by {worst[name]:.2e}")
    for layer, head in ((0, 0), (len(reference.attentions) - 1, hf.config.num_attention_heads - 1)):
        weights = numpy.array(regard.ask(f"attention {layer} {head}")["weights"])
        golden = reference.attentions[layer][0, head].numpy().ravel()
        difference = float(abs(weights - golden).max())
        if not difference < WEIGHT_TOLERANCE:
            raise SystemExit(f"{tokens} tokens: L{layer}H{head} differs by {difference:.2e}")
        worst["weights"] = max(worst.get("weights", 0.0), difference)
    return worst


def cell(seconds):
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{1e3 * middle:.2f} ({1e3 * low:.2f}-{1e3 * high:.2f})"


def processor():
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def compare(arguments):
    import numpy
    import onnxruntime
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(arguments.threads)
    hf = transformers.AutoModel.from_pretrained(arguments.model, attn_implementation="eager",
                                                dtype=torch.float32).eval()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    # A spinning pool would take the cores from whoever runs next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "model.onnx")
        export(hf, path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    regard = Regard(arguments.bench, arguments.model, arguments.threads)
    info = regard.ask("info")
    peaks = [regard.ask("peak")["gflops"]]

    rows, notes = [], []
    for n in (int(n) for n in arguments.tokens.split(",")):
        ids = numpy.random.default_rng(n).integers(0, hf.config.vocab_size, (1, n))
        feed = {"ids": ids, "mask": numpy.ones_like(ids), "types": numpy.zeros_like(ids)}
        tensor = torch.tensor(ids)
        regard.ask("ids " + ",".join(map(str, ids[0])))
        worst = check_equal(regard, hf, session, feed, n)
        notes.append(f"{n} tokens: hidden states within "
                     f"{max(worst['Regard'], worst['ONNX Runtime']):.1e} of Hugging Face's, "
                     f"weights within {worst['weights']:.1e}.")

        def eager():
            with torch.no_grad():
                hf(input_ids=tensor, output_attentions=True)

        programs = {
            "Regard": lambda: regard.ask("run 1")["seconds"][0],
            "Regard, plain": lambda: regard.ask("plain 1")["seconds"][0],
            "ONNX Runtime": lambda: timed(lambda: session.run(None, feed)),
            "Hugging Face": lambda: timed(eager),
        }
        times = {name: [] for name in programs}
        for index in range(arguments.rounds + 1):
            for name, program in programs.items():
                program()  # warm: caches and threads are the program's own again
                seconds = program()
                if index > 0:
                    times[name].append(seconds)
        middle = {name: statistics.median(values) for name, values in times.items()}
        rows.append([str(n), *(cell(values) for values in times.values()),
                     f"{middle['ONNX Runtime'] / middle['Regard']:.2f} x",
                     f"{middle['Hugging Face'] / middle['Regard']:.2f} x",
                     f"{100 * (middle['Regard'] / middle['Regard, plain'] - 1):+.1f} %"])
    peaks.append(regard.ask("peak")["gflops"])
    regard.close()

    header = ["tokens", "Regard, every head recorded, ms", "Regard, nothing recorded, ms",
              "ONNX Runtime, no attention, ms", "Hugging Face eager, all maps, ms",
              "faster than ONNX Runtime", "faster than Hugging Face", "cost of recording"]
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---:"] * len(header), *rows]]
    return "\n".join([
        f"{hf.config.model_type}, {hf.config.num_hidden_layers} layers of {hf.config.hidden_size}, "
        f"{hf.config.num_attention_heads} heads each, float32, batch 1, "
        f"{arguments.threads} threads, {processor()}, {info['instruction_set']}, "
        f"{datetime.date.today()}. Medians of {arguments.rounds} interleaved rounds, in brackets "
        "the middle half.", "", *lines, "",
        f"FMA peak in the same run: {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s. "
        + " ".join(notes), "",
        f"Peers: onnxruntime {onnxruntime.__version__} (opset 17), torch {torch.__version__}, "
        f"transformers {transformers.__version__}, Python {platform.python_version()}.", ""])


def main():
    arguments = parse_arguments()
    if arguments.rounds < 2:
        raise SystemExit("--rounds: expected at least 2")
    enter_peers_environment()
    table = compare(arguments)
    if arguments.output:
        pathlib.Path(arguments.output).write_text(table)
    else:
        print(table, end="")


if __name__ == "__main__":
    main()
