#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other verbs make of a run: recording, tiles, explanations, measures, comparisons; long
texts."""

import json
import math
import os
import struct
import subprocess
import time
import unittest

from program import BINARY, GOLDEN, CliTest, GoldenCase, numbers, read_npy
from safetensors_file import read_safetensors


class GoldenTest(GoldenCase):
    def test_a_trace_gives_back_the_weights(self):
        trace = self.path("t.safetensors")
        done = self.run_regard("record", *self.input(), "-o", trace)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(str(os.path.getsize(trace)), done.stderr.decode())
        tensors, metadata = read_safetensors(trace)
        self.assertEqual(metadata["regard.format"], "1")
        self.assertEqual(numbers(tensors["tokens.id"]), self.id_list)
        shape, found = read_npy(self.good("show", "--trace", trace, "--format", "npy"))
        self.assertEqual(list(shape), self.shape)
        self.assert_close(found, self.attention)

    def test_record_keeps_only_what_was_asked_for(self):
        trace = self.path("t.safetensors")
        self.good("record", *self.input(), "--layers", "0-1,3", "-o", trace)
        tensors, _ = read_safetensors(trace)
        self.assertEqual({name.split(".")[1] for name in tensors if name.startswith("layers.")},
                         {"0", "1", "3"})
        self.good("record", *self.input(), "--heads", "L2H1", "-o", trace)
        answer = json.loads(self.good("show", "--trace", trace, "--format", "json", "--level",
                                      "token"))
        self.assertEqual([(h["layer"], h["head"]) for h in answer["heads"]], [(2, 1)])
        self.assert_close(sum(answer["heads"][0]["weights"], []), self.head(2, 1))

    def test_a_tile_pools_the_region(self):
        trace = self.path("t.safetensors")
        self.good("record", *self.input(), "-o", trace)
        full = self.head(1, 1)
        width = self.shape[3]
        cells = {"sum": sum, "max": max, "mean": lambda block: sum(block) / len(block)}
        for pool, function in cells.items():
            self.good("tile", trace, "--head", "L1H1", "--rows", "4:12", "--cols", "8:24", "--size",
                      "4", "--pool", pool, "-o", self.path("tile.npy"))
            with open(self.path("tile.npy"), "rb") as file:
                shape, found = read_npy(file.read())
            self.assertEqual(shape, (4, 4))
            expected = [function([full[(4 + 2 * i + a) * width + 8 + 4 * j + b]
                                  for a in range(2) for b in range(4)])
                        for i in range(4) for j in range(4)]
            for a, b in zip(found, expected):
                self.assertAlmostEqual(a, b, delta=8 * self.tolerance)

    def test_a_tile_without_ranges_is_the_whole_map(self):
        trace = self.path("t.safetensors")
        self.good("record", *self.input(), "-o", trace)
        shape, found = read_npy(self.good("tile", trace, "--head", "L0H1", "--format", "npy"))
        self.assertEqual(list(shape), self.shape[2:])
        self.assert_close(found, self.head(0, 1))

    def test_explain_works_the_weights_through(self):
        answer = json.loads(self.good("explain", *self.input(), "--word", "@5", "--head", "L1H0",
                                      "--format", "json"))
        self.assertIsInstance(answer, dict)
        text = self.good("explain", *self.input(), "--word", "@5").decode()
        self.assertTrue(text)

    def test_heads_says_what_pytorchs_weights_say(self):
        size = self.shape[3]
        answer = json.loads(self.good("heads", *self.input(), "--format", "json"))
        self.assertEqual(len(answer["heads"]), self.shape[0] * self.shape[1])
        for head in answer["heads"]:
            weights = self.head(head["layer"], head["head"])
            entropy = -sum(w * math.log2(w) for w in weights if w > 0) / size
            distance = sum(w * abs(i // size - i % size) for i, w in enumerate(weights)) / size
            following = sum(weights[i * size + i + 1] for i in range(size - 1)) / size
            first = sum(weights[::size]) / size
            self.assertAlmostEqual(head["entropy"], entropy, delta=1e-4)
            self.assertAlmostEqual(head["distance"], distance, delta=1e-3)
            self.assertAlmostEqual(head["next"], following, delta=2e-5)
            self.assertAlmostEqual(head["first"], first, delta=2e-5)

    def test_heads_are_sorted_and_chosen_as_asked(self):
        text = self.good("heads", *self.input(), "--sort", "entropy", "--format", "csv").decode()
        rows = [line.split(",") for line in text.split("\r\n")[1:-1]]
        entropies = [float(row[1]) for row in rows]
        self.assertEqual(entropies, sorted(entropies, reverse=True))
        lines = self.good("heads", *self.input(), "--head", "L2H1").decode().split("\n")
        self.assertEqual(len([line for line in lines if line.startswith("L")]), 1)
        self.bad(2, "heads", *self.input(), "--sort", "beauty", says=["sort", "entropy", "beauty"])
        self.bad(2, "heads", *self.input(), "--head", "mean", says=["--head", "mean"])

    def compare(self, *more):
        return json.loads(self.good("compare", *self.input(), "--format", "json", *more))

    def test_compare_subtracts_pytorchs_weights_of_two_heads(self):
        answer = self.compare("--level", "token", "--head", "L1H0", "--with-head", "L2H1")
        self.assertEqual(answer["heads"], ["L1H0", "L2H1"])
        for name, head in (("first", (1, 0)), ("second", (2, 1))):
            self.assert_close([w for row in answer[name] for w in row], self.head(*head))
        worst = max(abs(d - (b - a)) for rows in zip(answer["first"], answer["second"],
                                                      answer["difference"])
                    for a, b, d in zip(*rows))
        self.assertLess(worst, 1e-6)
        self.assertTrue(all(row["same"] for row in answer["rows"]))

    def test_compare_of_two_models_is_aligned_and_drawn(self):
        other = os.path.join(GOLDEN, "tanh")
        answer = self.compare("--with-model", other, "--head", "L0H0", "--with-head", "L0H1")
        self.assertEqual(len(answer["first"]), len(answer["rows"]))
        self.assertEqual(len(answer["models"]), 2)
        text = self.good("compare", *self.input(), "--with-head", "L0H1").decode()
        self.assertIn("second minus first", text)
        begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
        for name, start in begins.items():
            self.assertTrue(self.good("compare", *self.input(), "--with-head", "L0H1", "--format",
                                      name).startswith(start))

    def test_compare_writes_a_line_of_csv_a_cell(self):
        answer = self.compare("--head", "L1H0", "--with-head", "L2H1")
        text = self.good("compare", *self.input(), "--head", "L1H0", "--with-head", "L2H1",
                         "--format", "csv").decode()
        lines = [line.split(",") for line in text.split("\r\n")[:-1]]
        size = len(answer["rows"])
        self.assertEqual(len(lines), size * size + 1)
        for i in range(size):
            for j in range(size):
                cells = [float(number) for number in lines[1 + i * size + j][-3:]]
                self.assertEqual(cells, [answer[name][i][j]
                                         for name in ("first", "second", "difference")])

    def test_a_half_recording_is_exact_for_its_rounded_numbers(self):
        whole, half = self.path("whole.safetensors"), self.path("half.safetensors")
        self.good("record", *self.input(), "-o", whole)
        self.good("record", *self.input(), "--half", "-o", half)
        stored, rounded = read_safetensors(whole)[0], read_safetensors(half)[0]
        for name in ("query", "key", "value"):
            full, short = stored[f"layers.0.{name}"], rounded[f"layers.0.{name}"]
            self.assertEqual((full[0], short[0]), ("F32", "F16"))
            self.assertEqual(2 * len(short[2]), len(full[2]))
            # The first layer's queries are the same but for the rounding, struct's own.
            count = len(full[2]) // 4
            wanted = struct.unpack(f"<{count}f", full[2])
            self.assertEqual(short[2], struct.pack(f"<{count}e", *wanted))
        answer = json.loads(self.good("show", "--trace", half, "--level", "token", "--head", "L0H0",
                                      "--format", "json"))
        self.assertIn("fp16", " ".join(answer["notes"]))
        for row in answer["heads"][0]["weights"]:
            self.assertAlmostEqual(sum(row), 1, delta=1e-5)
        whole_page, half_page = self.path("whole.html"), self.path("half.html")
        self.good("show", *self.input(), "-o", whole_page)
        self.good("show", *self.input(), "--half", "-o", half_page)
        self.assertLess(os.path.getsize(half_page), os.path.getsize(whole_page))

    def test_shades_sinks_and_parts_are_said_and_drawn(self):
        text = self.good("show", *self.input(), "--no-sinks").decode()
        self.assertIn("without sinks", " ".join(text.split()))
        for more in (["--scale", "rank"], ["--darkest", "row"], ["--no-sinks"]):
            self.assertTrue(self.good("show", *self.input(), *more, "--format",
                                      "png").startswith(b"\x89PNG"))
        self.bad(2, "show", *self.input(), "--part", "within", says=["pair"])
        self.bad(2, "compare", *self.input(), "--with-head", "L0H1", "--scale", "rank",
                 says=["rank"])

    def test_compare_needs_something_to_compare_with(self):
        self.bad(2, "compare", *self.input(), says=["--with-model", "--with-text", "--with-head"])
        self.bad(2, "compare", *self.input(), "--with-text", "a", says=["--with-text"])
        self.bad(2, "compare", *self.input(), "--with-head", "L9H9", says=["L9H9"])
        self.bad(2, "compare", *self.input(), "--head", "L0H0,L0H1", "--with-head", "L1H0",
                 says=["one head"])


def write_long_model(folder, positions):
    """The golden model of one layer with zeros for so many positions."""
    source = os.path.join(GOLDEN, "one_layer")
    os.mkdir(folder)
    with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["max_position_embeddings"] = positions
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    tensors, _ = read_safetensors(os.path.join(source, "model.safetensors"))
    for name, (dtype, shape, data) in tensors.items():
        if name.endswith("position_embeddings.weight"):
            size = len(data) // shape[0]
            tensors[name] = (dtype, [positions, shape[1]], bytes(size * positions))
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


class LongTest(CliTest):
    """Texts too long for their maps to be held."""

    def setUp(self):
        super().setUp()
        self.model = self.path("model")

    def input(self, tokens):
        write_long_model(self.model, tokens)
        with open(self.path("ids"), "w", encoding="utf-8") as file:
            file.write(",".join(str(1 + i * i % 60) for i in range(tokens)))
        return ["--model", self.model, "--ids", "@" + self.path("ids")]

    def test_a_recording_that_is_killed_leaves_the_old_file_or_none(self):
        given = self.input(20000)
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder}
        for old in (None, b"old"):
            trace = self.path("t.safetensors")
            if old is not None:
                with open(trace, "wb") as file:
                    file.write(old)
            with subprocess.Popen([BINARY, "record", *given, "-o", trace], env=environment,
                                  stderr=subprocess.DEVNULL) as process:
                while not any(".tmp-" in name for name in os.listdir(self.folder)):
                    self.assertIsNone(process.poll(), "it ended before it was killed")
                    time.sleep(0.001)
                process.kill()
            if old is None:
                self.assertFalse(os.path.exists(trace))
            else:
                with open(trace, "rb") as file:
                    self.assertEqual(file.read(), old)
            for name in os.listdir(self.folder):
                if ".tmp-" in name:
                    self.bad(1, "tile", self.path(name), "--head", "L0H0", "--format", "npy",
                             says=[name])
                    os.remove(self.path(name))

    def test_a_disk_without_room_is_said_before_the_model_runs_and_keeps_the_old_file(self):
        disk = self.path("disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk],
                                 check=False, capture_output=True)
        if mounted.returncode:
            self.skipTest("a small file system needs the right to mount")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        trace = os.path.join(disk, "t.safetensors")
        with open(trace, "wb") as file:
            file.write(b"old")
        error = self.bad(1, "record", *self.input(3000), "-o", trace, says=["t.safetensors", "room"])
        self.assertEqual(error.count("\n"), 1, error)
        self.assertEqual(os.listdir(disk), ["t.safetensors"])
        with open(trace, "rb") as file:
            self.assertEqual(file.read(), b"old")

    def test_a_long_trace_is_pooled_read_by_row_and_tiled(self):
        given = self.input(5000)
        trace = self.path("t.safetensors")
        done = self.run_regard("record", *given, "-o", trace)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = done.stderr.decode()
        self.assertIn("5000 tokens, 2 heads of 1 layers", said)
        size = int(said.split(" bytes")[0].split()[-1])
        self.assertLess(abs(os.path.getsize(trace) - size), 65536)
        grid = self.good("show", "--trace", trace, "--head", "L0H1").decode()
        self.assertIn("the largest weight of 39 x 39 tokens", grid)
        self.good("show", "--trace", trace, "--head", "mean", "-o", self.path("a.png"))
        row = self.good("show", "--trace", trace, "--head", "L0H1", "--word", "@4321").decode()
        self.assertIn("48", row)
        self.bad(2, "show", "--trace", trace, "--head", "L0H1", "--keep-mass", "0.5",
                 says=["keep-mass"])
        steps = json.loads(self.good("explain", "--trace", trace, "--head", "L0H1", "--word",
                                     "@4321", "--level", "token", "--format", "json"))
        self.assertEqual(steps["query_index"], 4321)
        self.assertEqual(len(steps["steps"]), 5000)
        self.assertAlmostEqual(sum(step["weight"] for step in steps["steps"]), 1, delta=1e-5)
        shape, cells = read_npy(self.good("tile", trace, "--head", "L0H1", "--rows", "4321:4322",
                                          "--cols", "0:5000", "--size", "5000", "--format", "npy"))
        self.assertEqual(tuple(shape), (1, 5000))
        for step in steps["steps"][::97]:
            self.assertAlmostEqual(cells[step["token"]], step["weight"], delta=1e-6)
        shape, whole = read_npy(self.good("tile", trace, "--head", "L0H1", "--size", "4", "--pool",
                                          "sum", "--format", "npy"))
        self.assertAlmostEqual(sum(whole), 5000, delta=0.05)


if __name__ == "__main__":
    unittest.main()
