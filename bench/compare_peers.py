#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Regard beside its peers on one model: time and peak memory.

On a folder with a BERT-style model three tasks:

  forward   the forward pass (Regard: with every head recorded, and without)
  tile      the forward pass and then one head's map, pooled to at most 512 x 512
  maps      the forward pass and every map in full

  python3 bench/compare_peers.py MODEL_FOLDER [--bench build/release/bench/forward_bench]
          [--tokens 16,128,512] [--rounds 15] [--threads 2] [-o table.md] [--plot plot.svg]
          [--gguf MODEL.gguf]

On a GGUF file with a decoder (MODEL.gguf --tokens 128,512,2048) the forward pass without the
language head: Regard on the file as it is, the peers on what transformers makes of it in float32.

Peers: ONNX Runtime and PyTorch's scaled_dot_product_attention (flash and math), none of which gives
any attention, and Hugging Face eager with output_attentions. llama.cpp takes part when llama-bench
is installed and --gguf names the same model (time of its prompt pass; it shows no hidden states
that could be compared).

Each program is a process of its own. Results are compared first: nothing is timed unless hidden
states and weights agree. Then each round asks every program once in turn; the table holds medians
and the middle half. The peak of fused multiply-adds is measured in the same run. The peers live in
a virtual environment of their own with the versions of bench/requirements-peers.txt (in the user's
cache; REGARD_PEERS_PYTHON names an interpreter that has them instead).
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import re
import shutil
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
HIDDEN_TOLERANCE = 1e-3  # of values up to about 5, in float32, by several programs
WEIGHT_TOLERANCE = 1e-4

# name, worker, command, task
RUNS = [
    ("Regard, every head recorded", "regard", "run", "forward"),
    ("Regard, nothing recorded", "regard", "plain", "forward"),
    ("ONNX Runtime, no attention", "onnx", "run", "forward"),
    ("PyTorch SDPA flash, no attention", "flash", "run", "forward"),
    ("PyTorch SDPA math, no attention", "math", "run", "forward"),
    ("Hugging Face eager", "eager", "run", "forward"),
    ("Regard", "regard", "tile", "tile"),
    ("Hugging Face eager", "eager", "tile", "tile"),
    ("Regard", "regard", "maps", "maps"),
    ("Hugging Face eager", "eager", "maps", "maps"),
]
DECODER_RUNS = [
    ("Regard, every head recorded", "regard", "run", "forward"),
    ("Regard, nothing recorded", "regard", "plain", "forward"),
    ("PyTorch SDPA, no attention", "sdpa", "run", "forward"),
    ("Hugging Face eager, every map", "eager", "capture", "forward"),
]
TASKS = {"forward": "forward pass", "tile": "forward pass and one map", "maps": "every map in full"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder with config.json and weights, or a decoder as GGUF")
    parser.add_argument("--bench", default=HERE.parent / "build/release/bench/forward_bench")
    parser.add_argument("--tokens", default="16,128,512")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--gguf", help="the same model for llama.cpp")
    parser.add_argument("--dequantised", help="keep what transformers makes of a GGUF file here")
    parser.add_argument("-o", "--output", help="write the table here instead of standard output")
    parser.add_argument("--plot", help="write a plot here, SVG")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
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


# ---- inside a worker: one peer, spoken to by lines, as bench/forward_bench is --------------------


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak_megabytes():
    """The largest resident size since last asked (proc(5): VmHWM, clear_refs)."""
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


class TorchWorker:
    def __init__(self, folder, threads, kind):
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        torch.set_num_threads(threads)
        self.torch, self.kind = torch, kind
        self.model = transformers.AutoModel.from_pretrained(
            folder, attn_implementation="eager" if kind == "eager" else "sdpa",
            dtype=torch.float32).eval()
        self.config = self.model.config
        self.more = {"use_cache": False} if hasattr(self.config, "num_key_value_heads") else {}
        self.version = f"torch {torch.__version__}, transformers {transformers.__version__}"

    def set_ids(self, ids):
        self.ids = self.torch.tensor([ids])

    def forward(self, attentions):
        from torch.nn.attention import SDPBackend, sdpa_kernel

        with self.torch.no_grad():
            if self.kind == "eager":
                return self.model(input_ids=self.ids, output_attentions=attentions, **self.more)
            if self.kind == "sdpa":
                return self.model(input_ids=self.ids, **self.more)
            backend = SDPBackend.FLASH_ATTENTION if self.kind == "flash" else SDPBackend.MATH
            with sdpa_kernel(backend):
                return self.model(input_ids=self.ids)

    def hidden(self):
        return self.forward(False).last_hidden_state[0].numpy()

    def weights(self, layer, head):
        return self.forward(True).attentions[layer][0, head].numpy()

    def task(self, name):
        if name == "run":
            self.forward(False)
        elif name == "tile":
            self.forward(True).attentions[-1][0, -1].clone()
        elif name == "capture":
            self.forward(True)
        else:
            self.torch.stack(self.forward(True).attentions)


class OnnxWorker:
    def __init__(self, folder, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # A spinning pool would take the cores from whoever runs next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.force_spinning_stop", "1")
        with tempfile.TemporaryDirectory() as scratch:
            path = str(pathlib.Path(scratch) / "model.onnx")
            # In another process, so that this one's memory is ONNX Runtime's alone.
            subprocess.run([sys.executable, __file__, folder, "--worker", "export", "-o", path],
                           check=True, stdout=subprocess.DEVNULL)
            self.session = onnxruntime.InferenceSession(path, options,
                                                        providers=["CPUExecutionProvider"])
        self.version = f"onnxruntime {onnxruntime.__version__} (opset 17)"

    def set_ids(self, ids):
        import numpy

        ids = numpy.array([ids], dtype=numpy.int64)
        self.feed = {"ids": ids, "mask": numpy.ones_like(ids), "types": numpy.zeros_like(ids)}

    def hidden(self):
        return self.session.run(None, self.feed)[0][0]

    def task(self, _):
        self.session.run(None, self.feed)


def dequantise(path, folder):
    import torch
    import transformers

    path = pathlib.Path(path)
    model = transformers.AutoModel.from_pretrained(path.parent, gguf_file=path.name,
                                                   dtype=torch.float32)
    del model.config.quantization_config
    plain = transformers.AutoModel.from_config(model.config, dtype=torch.float32)
    plain.load_state_dict(model.state_dict())
    plain.save_pretrained(folder)


def export(folder, path):
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager",
                                                   dtype=torch.float32).eval()

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


def serve(arguments):
    if arguments.worker == "export":
        export(arguments.model, arguments.output)
        return
    if arguments.worker == "dequantise":
        dequantise(arguments.model, arguments.output)
        return
    out, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not break the protocol
    worker = (OnnxWorker(arguments.model, arguments.threads) if arguments.worker == "onnx"
              else TorchWorker(arguments.model, arguments.threads, arguments.worker))
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "ids":
            worker.set_ids([int(i) for i in rest[0].split(",")])
            answer = {"tokens": rest[0].count(",") + 1}
        elif command == "hidden":
            answer = {"hidden": worker.hidden().ravel().tolist()}
        elif command == "attention":
            answer = {"weights": worker.weights(int(rest[0]), int(rest[1])).ravel().tolist()}
        elif command == "memory":
            answer = {"megabytes": peak_megabytes()}
        elif command == "info":
            answer = {"version": worker.version}
            if config := getattr(worker, "config", None):
                answer |= {"type": config.model_type, "layers": config.num_hidden_layers,
                           "heads": config.num_attention_heads, "width": config.hidden_size,
                           "vocabulary": config.vocab_size}
        else:
            answer = {"seconds": [timed(lambda: worker.task(command))]}
        print(json.dumps(answer), file=out, flush=True)


# ---- the comparison ------------------------------------------------------------------------------


class Program:
    """A process that answers each line with a line of JSON."""

    def __init__(self, command):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(self.command, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{' '.join(self.command)}: ended with {self.process.wait()}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def largest_difference(a, b):
    if len(a) != len(b):
        raise SystemExit(f"results of different sizes, {len(a)} and {len(b)}")
    return max(map(lambda x, y: abs(x - y), a, b))


def check_equal(programs, info, tokens):
    """Hidden states of all and two heads' weights, before anything is timed."""
    golden = programs["eager"].ask("hidden")["hidden"]
    tolerance = HIDDEN_TOLERANCE * max(1, max(map(abs, golden)) / 5)
    hidden = weights = 0.0
    for name in programs.keys() - {"eager"}:
        difference = largest_difference(programs[name].ask("hidden")["hidden"], golden)
        if not difference < tolerance:
            raise SystemExit(f"{tokens} tokens: {name}'s hidden states differ by {difference:.2e}")
        hidden = max(hidden, difference)
    for layer, head in ((0, 0), (info["layers"] - 1, info["heads"] - 1)):
        question = f"attention {layer} {head}"
        difference = largest_difference(programs["regard"].ask(question)["weights"],
                                        programs["eager"].ask(question)["weights"])
        if not difference < WEIGHT_TOLERANCE:
            raise SystemExit(f"{tokens} tokens: L{layer}H{head} differs by {difference:.2e}")
        weights = max(weights, difference)
    return f"{tokens} tokens: hidden states within {hidden:.1e}, weights within {weights:.1e}."


def llama_milliseconds(arguments, tokens):
    program = shutil.which("llama-bench")
    if not program or not arguments.gguf:
        return None
    done = subprocess.run([program, "-m", arguments.gguf, "-p", str(tokens), "-n", "0", "-t",
                           str(arguments.threads), "-r", str(arguments.rounds), "-o", "json"],
                          check=True, capture_output=True, text=True)
    return [ns * 1e-6 for ns in json.loads(done.stdout)[0]["samples_ns"]]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def measure(arguments, programs, info, runs):
    """{(task, name): {tokens: (milliseconds, megabytes)}} and what was compared."""
    results, notes = {}, []
    for n in (int(n) for n in arguments.tokens.split(",")):
        # The same ids for everybody, spread over the vocabulary.
        ids = ",".join(str((7919 * i + 1000) % info["vocabulary"]) for i in range(n))
        for program in programs.values():
            program.ask("ids " + ids)
        notes.append(check_equal(programs, info, n))
        times = {run: [] for run in runs}
        for index in range(arguments.rounds + 1):
            for run in runs:
                program, command = programs[run[1]], run[2] + " 1"
                # Warm: caches and threads are the program's own again. A second does it anyway.
                if not times[run] or times[run][-1] < 1000:
                    program.ask(command)
                seconds = program.ask(command)["seconds"][0]
                if index > 0:
                    times[run].append(1e3 * seconds)
        for run, values in times.items():
            programs[run[1]].ask("memory")
            programs[run[1]].ask(run[2] + " 1")
            megabytes = programs[run[1]].ask("memory")["megabytes"]
            results.setdefault((run[3], run[0]), {})[n] = (values, megabytes)
        if values := llama_milliseconds(arguments, n):
            results.setdefault(("forward", "llama.cpp, no attention"), {})[n] = (values, None)
        print(f"{n} tokens done", file=sys.stderr)
    return results, notes


def table(results, task, tokens, runs):
    ours = results[(task, next(run[0] for run in runs if run[3] == task))]
    lines = ["| " + " | ".join([TASKS[task]] + [f"{n} tokens, ms | of Regard's time | MB"
                                                 for n in tokens]) + " |",
             "|---|" + "---:|" * (3 * len(tokens))]
    for (of, name), columns in results.items():
        if of != task:
            continue
        row = [name]
        for n in tokens:
            values, megabytes = columns[n]
            low, middle, high = statistics.quantiles(values, n=4)
            ratio = middle / statistics.median(ours[n][0])
            row += [f"{middle:.2f} ({low:.2f}-{high:.2f})",
                    "1" if columns is ours else f"{ratio:.2f} x",
                    "" if megabytes is None else f"{megabytes:.0f}"]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def plot(results, tokens):
    """Bars of milliseconds on a logarithmic axis, a panel a task, as SVG."""
    colours = ["#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bbbbbb"]
    names = list(dict.fromkeys(name for _, name in results))
    middles = {key: {n: statistics.median(values) for n, (values, _) in columns.items()}
               for key, columns in results.items()}
    flat = [value for columns in middles.values() for value in columns.values()]
    low, high = math.floor(math.log10(min(flat))), math.ceil(math.log10(max(flat)))
    left, width, bar, gap = 60, 720, 9, 14
    body, y = [], 30
    for task in dict.fromkeys(task for task, _ in results):
        body.append(f'<text x="{left}" y="{y}" font-weight="bold">{TASKS[task]}, ms</text>')
        y += 10
        for n in tokens:
            top = y
            for index, name in enumerate(names):
                if (task, name) not in middles:
                    continue
                value = middles[(task, name)][n]
                length = width * (math.log10(value) - low) / (high - low)
                body.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar}" '
                            f'fill="{colours[index % len(colours)]}"/>'
                            f'<text x="{left + length + 4:.1f}" y="{y + bar - 1}" font-size="9">'
                            f'{value:.3g}</text>')
                y += bar + 2
            body.append(f'<text x="{left - 6}" y="{(top + y) / 2 + 3:.0f}" text-anchor="end">{n}'
                        '</text>')
            y += gap
        y += 16
    for index, name in enumerate(names):
        body.append(f'<rect x="{left}" y="{y}" width="10" height="10" '
                    f'fill="{colours[index % len(colours)]}"/>'
                    f'<text x="{left + 16}" y="{y + 9}">{name}</text>')
        y += 16
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 60} {y + 10}" '
            'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" '
            'fill="white"/>\n' + "\n".join(body) + "\n</svg>\n")


def compare(arguments, scratch):
    decoder = arguments.model.endswith(".gguf")
    runs, folder = (RUNS, arguments.model)
    if decoder:
        runs, folder = DECODER_RUNS, arguments.dequantised or scratch
        arguments.gguf = arguments.model
        if not (pathlib.Path(folder) / "config.json").exists():
            subprocess.run([sys.executable, __file__, arguments.model, "--worker", "dequantise",
                            "-o", folder], check=True)
    worker = [sys.executable, __file__, folder, "--threads", arguments.threads, "--worker"]
    programs = {name: Program(worker + [name])
                for name in dict.fromkeys(run[1] for run in runs) if name != "regard"}
    programs["regard"] = Program([arguments.bench, arguments.model, "--threads", arguments.threads])
    info = programs["eager"].ask("info")
    own = programs["regard"].ask("info")
    peaks = [programs["regard"].ask("peak")["gflops"]]
    results, notes = measure(arguments, programs, info, runs)
    peaks.append(programs["regard"].ask("peak")["gflops"])
    versions = ", ".join(programs[name].ask("info")["version"]
                         for name in ("onnx", "eager") if name in programs)
    for program in programs.values():
        program.close()

    tokens = [int(n) for n in arguments.tokens.split(",")]
    if arguments.plot:
        pathlib.Path(arguments.plot).write_text(plot(results, tokens), encoding="utf-8")
    tables = "\n\n".join(table(results, task, tokens, runs)
                         for task in dict.fromkeys(run[3] for run in runs))
    return "\n".join([
        f"{info['type']}, {info['layers']} layers of {info['width']}, {info['heads']} heads each, "
        f"float32{' (Regard: the file as it is)' if decoder else ''}, batch 1, {arguments.threads} threads, {processor()}, {own['instruction_set']}, "
        f"{datetime.date.today()}. Medians of {arguments.rounds} interleaved rounds, in brackets "
        "the middle half; MB is the process's largest resident size during the task.", "",
        tables, "",
        f"FMA peak in the same run: {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s. "
        "Compared before timing, with Hugging Face eager: " + " ".join(notes), "",
        f"Peers: {versions}, Python {platform.python_version()}.", ""])


def main():
    arguments = parse_arguments()
    if arguments.worker:
        serve(arguments)
        return
    if arguments.rounds < 2:
        raise SystemExit("--rounds: expected at least 2")
    if not os.environ.get("REGARD_PEERS_INSIDE"):
        # Again, under the peers' interpreter and without the handicaps.
        environment = {k: v for k, v in os.environ.items() if k not in HANDICAPS}
        environment["REGARD_PEERS_INSIDE"] = "1"
        python = peers_python()
        os.execve(python, [python, __file__, *sys.argv[1:]], environment)
    with tempfile.TemporaryDirectory() as scratch:
        text = compare(arguments, scratch)
    if arguments.output:
        pathlib.Path(arguments.output).write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
