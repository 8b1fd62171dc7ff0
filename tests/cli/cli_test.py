# SPDX-License-Identifier: Apache-2.0
"""The program as a user runs it: every verb, every exit status, hostile input.

REGARD_BINARY names the program. Expected attention comes from PyTorch's golden files in
tests/golden/bert. With REGARD_MINILM naming the folder of all-MiniLM-L6-v2, the real model too.
"""

import ast
import json
import math
import os
import resource
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
from xml.etree import ElementTree

from safetensors_file import read_safetensors

BINARY = os.environ["REGARD_BINARY"]
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "bert")
MINILM = os.environ.get("REGARD_MINILM", "")
SENTENCE = "The animal didn't cross the street because it was too tired."


def numbers(entry):
    dtype, _, data = entry
    code, width = {"F32": ("f", 4), "I64": ("q", 8), "F64": ("d", 8)}[dtype]
    return struct.unpack(f"<{len(data) // width}{code}", data)


def read_npy(data):
    """shape, numbers of a little-endian float32 C-order array."""
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    size = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + size].decode())
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    body = data[10 + size:]
    return header["shape"], struct.unpack(f"<{len(body) // 4}f", body)


def write_npy(path, shape, values):
    header = repr({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"<{len(values)}f", *values))


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="regard-cli-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_regard(self, *arguments, stdin=b"", stdout=subprocess.PIPE, **settings):
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8"}
        environment.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
        environment.update(settings)
        return subprocess.run([BINARY, *arguments], input=stdin, stdout=stdout,
                              stderr=subprocess.PIPE, env=environment, timeout=120, check=False)

    def good(self, *arguments, **options):
        done = self.run_regard(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def bad(self, status, *arguments, says=(), **options):
        done = self.run_regard(*arguments, **options)
        error = done.stderr.decode()
        self.assertEqual(done.returncode, status, error)
        line = error.rstrip("\n").split("\n")[-1]
        self.assertTrue(line.startswith("regard: "), error)
        for part in says:
            self.assertIn(part, line)
        return error


class GoldenTest(CliTest):
    """With a tiny checkpoint and what PyTorch says of it."""

    @classmethod
    def setUpClass(cls):
        cls.model = os.path.join(GOLDEN, "four_layers")
        tensors, cls.metadata = read_safetensors(os.path.join(cls.model, "expected.safetensors"))
        cls.shape = tensors["attention"][1]
        cls.attention = numbers(tensors["attention"])
        cls.id_list = numbers(tensors["ids"])
        cls.ids = ",".join(map(str, cls.id_list))
        cls.plain = (not any(numbers(tensors["types"])) and all(numbers(tensors["mask"])))
        cls.tolerance = float(cls.metadata["tolerance.attention"])

    def input(self):
        return ["--model", self.model, "--ids", self.ids]

    def assert_close(self, found, expected):
        self.assertEqual(len(found), len(expected))
        self.assertLessEqual(max(abs(a - b) for a, b in zip(found, expected)), self.tolerance)

    def head(self, layer, head):
        size = self.shape[2] * self.shape[3]
        at = (layer * self.shape[1] + head) * size
        return self.attention[at:at + size]

    def test_the_golden_case_has_one_token_type_and_no_padding(self):
        self.assertTrue(self.plain)

    def test_npy_is_every_layer_and_head_as_pytorch_has_them_and_states_its_size(self):
        done = self.run_regard("show", *self.input(), "--format", "npy")
        self.assertEqual(done.returncode, 0, done.stderr)
        shape, found = read_npy(done.stdout)
        self.assertEqual(list(shape), self.shape)
        self.assert_close(found, self.attention)
        self.assertIn(str(4 * len(self.attention)), done.stderr.decode())

    def test_npy_of_a_head_is_that_head_only(self):
        self.good("show", *self.input(), "--head", "L2H1", "-o", self.path("a.npy"))
        with open(self.path("a.npy"), "rb") as file:
            shape, found = read_npy(file.read())
        self.assertEqual(list(shape), [1, 1, *self.shape[2:]])
        self.assert_close(found, self.head(2, 1))

    def test_npy_of_the_mean_is_the_mean_of_a_layers_heads(self):
        shape, found = read_npy(self.good("show", *self.input(), "--layer", "1", "--head", "mean",
                                          "--format", "npy"))
        self.assertEqual(list(shape), [1, 1, *self.shape[2:]])
        self.assert_close(found, [(a + b) / 2 for a, b in zip(self.head(1, 0), self.head(1, 1))])

    def test_json_has_the_fixed_members_and_the_golden_weights(self):
        answer = json.loads(self.good("show", *self.input(), "--layer", "3", "--head", "0",
                                      "--level", "token", "--format", "json"))
        for name in ("model", "text", "level", "tokens", "words", "heads", "notes"):
            self.assertIn(name, answer)
        self.assertEqual(answer["level"], "token")
        self.assertEqual([token["id"] for token in answer["tokens"]], list(self.id_list))
        self.assertEqual(answer["tokens"][0]["text"], f"#{self.id_list[0]}")
        self.assertEqual(len(answer["heads"]), 1)
        head = answer["heads"][0]
        self.assertEqual((head["layer"], head["head"]), (3, 0))
        self.assert_close(sum(head["weights"], []), self.head(3, 0))

    def test_a_list_of_heads_keeps_its_order(self):
        answer = json.loads(self.good("show", *self.input(), "--head", "L3H1,L0H0", "--format",
                                      "json"))
        self.assertEqual([(h["layer"], h["head"]) for h in answer["heads"]], [(3, 1), (0, 0)])

    def test_a_mean_has_no_layer_and_no_head_but_says_of_what(self):
        answer = json.loads(self.good("show", *self.input(), "--head", "mean", "--format", "json"))
        head = answer["heads"][0]
        self.assertIsNone(head["layer"])
        self.assertIsNone(head["head"])
        self.assertEqual(len(head["of"]), self.shape[0] * self.shape[1])

    def test_all_heads_are_all_heads(self):
        answer = json.loads(self.good("show", *self.input(), "--all-heads", "--format", "json"))
        self.assertEqual({(h["layer"], h["head"]) for h in answer["heads"]},
                         {(l, h) for l in range(self.shape[0]) for h in range(self.shape[1])})

    def test_ids_may_come_from_a_file_with_any_white_space(self):
        with open(self.path("ids"), "w", encoding="utf-8") as file:
            file.write("\n".join(map(str, self.id_list)) + "\n")
        same = ["--head", "L0H0", "--format", "json"]
        self.assertEqual(self.good("show", *self.input(), *same),
                         self.good("show", "--model", self.model, "--ids", "@" + self.path("ids"),
                                   *same))

    def test_keep_mass_keeps_at_least_the_share_and_says_so(self):
        answer = json.loads(self.good("show", *self.input(), "--head", "L0H0", "--keep-mass", "0.5",
                                      "--format", "json"))
        for row in answer["heads"][0]["weights"]:
            self.assertGreaterEqual(sum(row), 0.5 - 1e-5)
        self.assertTrue(any("0.5" in note or "50" in note for note in answer["notes"]),
                        answer["notes"])

    def test_a_text_may_come_through_a_pipe_with_a_name(self):
        read, write = os.pipe()
        os.write(write, ",".join(map(str, self.id_list)).encode())
        os.close(write)
        try:
            done = subprocess.run([BINARY, "show", "--model", self.model, "--ids",
                                   f"@/dev/fd/{read}", "--head", "L0H0", "--format", "json"],
                                  pass_fds=[read], capture_output=True, timeout=120, check=False)
        finally:
            os.close(read)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([token["id"] for token in json.loads(done.stdout)["tokens"]],
                         list(self.id_list))

    def test_an_extension_counts_in_capitals_too(self):
        self.good("show", *self.input(), "-o", self.path("a.PNG"))
        with open(self.path("a.PNG"), "rb") as file:
            self.assertEqual(file.read(4), b"\x89PNG")

    def test_what_goes_only_with_a_text_is_refused_with_a_trace(self):
        trace = self.path("t.safetensors")
        self.good("record", *self.input(), "-o", trace)
        for more in (["--model", self.model], ["--pair", "b"], ["--truncate"]):
            self.bad(2, "show", "--trace", trace, *more, says=["--trace", more[0]])
        self.bad(2, "show", "--trace", trace, "--words", self.path("w.txt"), says=["--words"])

    def test_explain_refuses_what_goes_only_with_a_text_and_a_sentence(self):
        trace = self.path("t.safetensors")
        self.good("record", *self.input(), "-o", trace)
        for more in (["--model", self.model], ["--pair", "b"], ["--truncate"]):
            self.bad(2, "explain", "--trace", trace, "--word", "@3", *more,
                     says=["--trace", more[0]])
        self.bad(2, "explain", "--trace", trace, "--word", "@3", "--level", "sentence",
                 says=["--level", "sentence"])

    def test_standard_output_by_name_is_written_where_it_stands(self):
        for mode in ("wb", "ab"):
            with open(self.path("log"), mode) as file:
                file.write(b"before\n")
                file.flush()
                self.good("show", *self.input(), "--format", "csv", "-o", "/dev/stdout",
                          stdout=file)
                file.seek(0, os.SEEK_END)
                file.write(b"after\n")
        with open(self.path("log"), "rb") as file:
            text = file.read()
        self.assertEqual((text.count(b"before\n"), text.count(b"query (attends"),
                          text.count(b"after\n")), (2, 2, 2))

    def test_a_head_that_is_named_twice_is_shown_once(self):
        answer = json.loads(self.good("show", *self.input(), "--head", "L3H1,L0H0,L3H1",
                                      "--format", "json"))
        self.assertEqual([(h["layer"], h["head"]) for h in answer["heads"]], [(3, 1), (0, 0)])

    def test_names_of_folders_do_not_command_the_terminal(self):
        os.makedirs(self.path("cache/models/\x1b]0;title\x07"))
        text = self.good("models", "list", REGARD_CACHE=self.path("cache"))
        self.assertNotIn(b"\x1b", text)
        self.assertNotIn(b"\x07", text)
        self.assertIn(b"title", text)

    def test_csv_has_a_header_and_a_line_a_query(self):
        lines = self.good("show", *self.input(), "--head", "L0H0", "--format", "csv").decode()
        self.assertEqual(len(lines.rstrip("\n").split("\n")), self.shape[2] + 1)

    def test_pictures_are_what_their_names_say_and_equal_each_time(self):
        for name, magic in (("a.png", b"\x89PNG\r\n"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF-")):
            for more in ([], ["--dark", "--scale", "log"], ["--all-heads"], ["--word", "@3"]):
                with self.subTest(name=name, more=more):
                    self.good("show", *self.input(), *more, "-o", self.path(name),
                              SOURCE_DATE_EPOCH="1700000000")
                    with open(self.path(name), "rb") as file:
                        first = file.read()
                    self.assertTrue(first.startswith(magic))
                    self.good("show", *self.input(), *more, "-o", self.path(name),
                              SOURCE_DATE_EPOCH="1700000000")
                    with open(self.path(name), "rb") as file:
                        self.assertEqual(file.read(), first)

    def test_an_svg_is_well_formed_and_its_words_are_text(self):
        space = "{http://www.w3.org/2000/svg}"
        for more in ([], ["--word", "@3"], ["--all-heads"]):
            root = ElementTree.fromstring(
                self.good("show", *self.input(), *more, "--format", "svg"))
            self.assertEqual(root.tag, space + "svg")
            text = " ".join("".join(node.itertext()) for node in root.iter(space + "text"))
            for words in ("query (attends from)", "key (attended to)"):
                self.assertIn(words, text, more)

    def test_a_pipe_gets_text_without_escapes(self):
        for more in ([], ["--word", "@3"], ["--all-heads"], ["--scale", "log"]):
            with self.subTest(more=more):
                text = self.good("show", *self.input(), *more, COLORTERM="truecolor",
                                 TERM="xterm-256color")
                self.assertTrue(text)
                self.assertNotIn(b"\x1b", text)

    def test_timing_goes_to_standard_error(self):
        done = self.run_regard("show", *self.input(), "--format", "json", "--timing")
        self.assertEqual(done.returncode, 0)
        json.loads(done.stdout)
        self.assertIn(b" ms", done.stderr)

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

    def test_tokenize_of_ids_lists_them(self):
        answer = json.loads(self.good("tokenize", *self.input(), "--format", "json"))
        self.assertEqual([token["id"] for token in answer["tokens"]], list(self.id_list))

    def test_models_info_tells_the_shape(self):
        answer = json.loads(self.good("models", "info", self.model, "--format", "json"))
        self.assertEqual(answer["architecture"], "bert")
        self.assertEqual((answer["layers"], answer["heads"]), tuple(self.shape[:2]))
        self.assertIsNone(answer["tokenizer"])

    def test_models_list_finds_the_folders_of_the_cache(self):
        shutil.copytree(self.model, self.path("cache/models/tiny"))
        os.makedirs(self.path("cache/models/empty"))
        os.makedirs(self.path("cache/models/.minilm.fetching"))
        answer = json.loads(self.good("models", "list", "--format", "json",
                                      REGARD_CACHE=self.path("cache")))
        entries = {entry["name"]: entry for entry in answer["models"]}
        self.assertEqual(set(entries), {"lesson", "tiny", "empty"})
        self.assertTrue(entries["tiny"]["opens"])
        self.assertEqual(entries["tiny"]["layers"], self.shape[0])
        self.assertFalse(entries["empty"]["opens"])
        self.good("show", "--model", "tiny", "--ids", "1,2,3", REGARD_CACHE=self.path("cache"))
        self.good("show", "--ids", "1,2,3", REGARD_CACHE=self.path("cache"), REGARD_MODEL="tiny")

    # What is wrong.

    def test_ids_outside_the_vocabulary_fail(self):
        for ids in ("64", "-1", "9223372036854775807", "1,2,999999"):
            self.bad(1, "show", "--model", self.model, f"--ids={ids}")

    def test_ids_that_are_no_numbers_are_wrong_use(self):
        for ids in ("a", "1,b", "1.5", "9223372036854775808", ",", ""):
            self.bad(2, "show", "--model", self.model, f"--ids={ids}", says=["--ids"])

    def test_too_many_tokens_name_the_limit_and_truncate_cuts(self):
        ids = ",".join(["5"] * 60)
        self.bad(1, "show", "--model", self.model, "--ids", ids, says=["48", "60", "--truncate"])
        answer = json.loads(self.good("show", "--model", self.model, "--ids", ids, "--truncate",
                                      "--format", "json"))
        self.assertEqual(len(answer["tokens"]), 48)
        self.assertTrue(any("48" in note for note in answer["notes"]))

    def test_a_layer_or_head_that_is_not_there_is_an_error(self):
        self.bad(2, "show", *self.input(), "--layer", "99", says=["99"])
        self.assertIn(self.run_regard("show", *self.input(), "--head", "L9H9").returncode, (1, 2))
        self.bad(2, "show", *self.input(), "--head", "first", says=["first"])
        self.bad(2, "record", *self.input(), "--layers", "0-99", "-o", self.path("t"), says=["4"])
        self.bad(2, "record", *self.input(), "--layers", "3-1", "-o", self.path("t"))

    def test_a_word_that_is_not_there_lists_the_words(self):
        self.bad(2, "show", *self.input(), "--word", "zebra", says=["zebra", "#"])

    def test_a_folder_without_tokenizer_asks_for_ids(self):
        self.bad(1, "show", "word", "--model", self.model, says=["tokenizer.json", "--ids"])

    def copy_model(self):
        shutil.copytree(self.model, self.path("model"))
        return self.path("model")

    def test_a_broken_configuration_is_one_line_that_names_the_file(self):
        folder = self.copy_model()
        for content in (b"", b"{", b"[]", b"\xff\xfe", b"{}", b'{"model_type": "nobody"}',
                        b"[" * 100000):
            with open(os.path.join(folder, "config.json"), "wb") as file:
                file.write(content)
            self.bad(1, "show", "--model", folder, "--ids", "1,2", says=["config.json"])
        os.remove(os.path.join(folder, "config.json"))
        self.bad(1, "show", "--model", folder, "--ids", "1,2", says=["config.json"])

    def test_a_key_that_touches_attention_and_is_unknown_is_refused(self):
        folder = self.copy_model()
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        config["attention_twist"] = 1
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.bad(1, "show", "--model", folder, "--ids", "1,2", says=["attention_twist"])

    def test_broken_weights_are_one_line_that_names_the_file(self):
        folder = self.copy_model()
        weights = os.path.join(folder, "model.safetensors")
        with open(weights, "rb") as file:
            whole = file.read()
        for content in (b"", whole[:7], whole[:100], whole[:-1], whole + b"x",
                        struct.pack("<Q", 1 << 63) + whole[8:]):
            with open(weights, "wb") as file:
                file.write(content)
            self.bad(1, "show", "--model", folder, "--ids", "1,2", says=["model.safetensors"])

    def test_weights_that_are_no_numbers_are_an_error(self):
        folder = self.copy_model()
        weights = os.path.join(folder, "model.safetensors")
        with open(weights, "rb") as file:
            whole = file.read()
        size = 8 + struct.unpack("<Q", whole[:8])[0]
        with open(weights, "wb") as file:
            file.write(whole[:size] + b"\xff" * (len(whole) - size))
        self.bad(1, "show", "--model", folder, "--ids", "1,2")

    def test_a_broken_tokenizer_is_an_error_even_beside_a_vocabulary(self):
        folder = self.copy_model()
        with open(os.path.join(folder, "tokenizer.json"), "wb") as file:
            file.write(b"{")
        with open(os.path.join(folder, "vocab.txt"), "wb") as file:
            file.write(b"[UNK]\n[CLS]\n[SEP]\nhello\n")
        self.bad(1, "show", "hello", "--model", folder, says=["tokenizer.json"])

    def test_text_of_a_vocabulary_folder_is_mended_cut_and_found(self):
        folder = self.copy_model()
        with open(os.path.join(folder, "vocab.txt"), "wb") as file:
            file.write(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\nthere\n!\n")
        answer = json.loads(self.good("show", "-", "--model", folder, "--format", "json",
                                      stdin=b"Hello \xff there!"))
        self.assertTrue(any("U+FFFD" in note for note in answer["notes"]), answer["notes"])
        self.assertIn("\ufffd", answer["text"])
        with open(self.path("long"), "w", encoding="utf-8") as file:
            file.write("hello there " * 100)
        long = "@" + self.path("long")
        self.bad(1, "show", long, "--model", folder, says=["48", "202", "--truncate"])
        answer = json.loads(self.good("show", long, "--model", folder, "--truncate", "--format",
                                      "json"))
        self.assertEqual(len(answer["tokens"]), 48)
        self.assertEqual(answer["tokens"][-1]["text"], "[SEP]")
        self.assertEqual(answer["tokens"][0]["text"], "[CLS]")
        answer = json.loads(self.good("show", long, "--pair", "hello !", "--model", folder,
                                      "--truncate", "--format", "json"))
        self.assertEqual([token["text"] for token in answer["tokens"][-4:]],
                         ["[SEP]", "hello", "!", "[SEP]"])
        for empty in ("", "  \n"):
            self.bad(1, "show", empty, "--model", folder, says=["text"])

    def test_a_full_disk_a_missing_folder_and_a_folder_as_target_fail(self):
        for more in (["--format", "json"], ["--format", "text"], ["--format", "npy"],
                     ["--format", "png"]):
            with open("/dev/full", "wb") as full:
                done = self.run_regard("show", *self.input(), *more, stdout=full)
            self.assertEqual(done.returncode, 1, more)
            self.assertTrue(done.stderr.decode().split("\n")[-2].startswith("regard: "))
            self.bad(1, "show", *self.input(), *more, "-o", "/dev/full")
        self.bad(1, "show", *self.input(), "-o", self.path("none/a.json"), says=["none/a.json"])
        os.mkdir(self.path("folder.json"))
        self.bad(1, "show", *self.input(), "-o", self.path("folder.json"))
        self.assertTrue(os.path.isdir(self.path("folder.json")))

    def test_a_read_only_folder_keeps_the_old_file(self):
        target = self.path("target")
        os.mkdir(target)
        with open(os.path.join(target, "a.json"), "w", encoding="utf-8") as file:
            file.write("old")
        os.chmod(target, 0o555)
        self.addCleanup(os.chmod, target, 0o755)
        os.chmod(self.folder, 0o755)
        # Root may write anywhere: then as nobody, who must be able to read what is needed.
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        program = shutil.copy(BINARY, self.path("regard")) if user else BINARY
        try:
            done = subprocess.run([program, "show", "--model", self.copy_model(), "--ids", "1,2,3",
                                   "-o", os.path.join(target, "a.json")], capture_output=True,
                                  timeout=120, check=False, **user)
        except PermissionError as error:
            self.skipTest(f"nobody may not run the program: {error}")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"a.json", done.stderr)
        self.assertEqual(os.listdir(target), ["a.json"])
        with open(os.path.join(target, "a.json"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "old")

    def test_a_limit_on_the_size_of_files_is_an_error_that_keeps_the_old_file(self):
        with open(self.path("a.json"), "w", encoding="utf-8") as file:
            file.write("old")
        done = subprocess.run(
            [BINARY, "show", *self.input(), "--all-heads", "-o", self.path("a.json")],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
            capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"a.json", done.stderr)
        self.assertEqual(os.listdir(self.folder), ["a.json"])
        with open(self.path("a.json"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "old")

    def test_nothing_but_the_output_is_left_in_the_folder(self):
        self.good("show", *self.input(), "-o", self.path("a.json"))
        self.assertEqual(os.listdir(self.folder), ["a.json"])

    def test_a_closed_pipe_is_no_crash(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as closed:
            done = self.run_regard("show", *self.input(), "--format", "json", stdout=closed)
        self.assertEqual(done.returncode, 1)

    def test_a_trace_that_is_no_trace_or_is_cut_is_an_error(self):
        trace = self.path("t.safetensors")
        self.good("record", *self.input(), "-o", trace)
        with open(trace, "rb") as file:
            whole = file.read()
        for content in (b"", whole[:50], whole[:-1], whole.replace(b'"regard.format":"1"',
                                                                    b'"regard.format":"9"')):
            with open(trace, "wb") as file:
                file.write(content)
            self.bad(1, "tile", trace, "--head", "L0H0", "-o", self.path("a.npy"),
                     says=["t.safetensors"])
        self.assertFalse(os.path.exists(self.path("a.npy")))
        self.bad(1, "show", "--trace", os.path.join(self.model, "model.safetensors"))

    def test_tile_ranges_must_lie_in_the_map(self):
        trace = self.path("t.safetensors")
        self.good("record", *self.input(), "-o", trace)
        for rows in ("5:2", "0:999", "a:b", "7", "-1:3", "3:3"):
            self.bad(2, "tile", trace, "--head", "L0H0", f"--rows={rows}", "--format", "npy",
                     says=["--rows"])
        self.bad(2, "tile", trace, "--head", "L0H0", "--size", "0", "--format", "npy")
        self.bad(2, "tile", trace, "--head", "L0H0", "--pool", "median", "--format", "npy",
                 says=["median"])
        self.bad(2, "tile", trace, "--format", "npy", says=["--head"])


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


class MatricesTest(CliTest):
    def test_ready_matrices_are_shown_as_they_are(self):
        write_npy(self.path("a.npy"), [2, 2, 2], [1, 0, 0, 1, 0.25, 0.75, 0.5, 0.5])
        with open(self.path("w.txt"), "w", encoding="utf-8") as file:
            file.write("it\nanimal\n")
        given = ["--attention", self.path("a.npy"), "--words", self.path("w.txt")]
        answer = json.loads(self.good("show", *given, "--head", "L0H1", "--format", "json"))
        self.assertEqual(answer["heads"][0]["weights"], [[0.25, 0.75], [0.5, 0.5]])
        self.assertEqual([token["text"] for token in answer["tokens"]], ["it", "animal"])
        self.assertIn(b"animal", self.good("show", *given))
        self.bad(2, "show", "--attention", self.path("a.npy"), says=["--words"])
        self.bad(2, "show", *given, "--pair", "b", says=["--pair"])
        self.bad(2, "show", *given, "--level", "sentence", says=["--level"])
        self.bad(2, "show", "text", *given)
        with open(self.path("w.txt"), "a", encoding="utf-8") as file:
            file.write("third\n")
        self.bad(1, "show", *given, says=["w.txt"])
        with open(self.path("a.npy"), "wb") as file:
            file.write(b"\x93NUMPY\x01\x00")
        self.bad(1, "show", *given, says=["a.npy"])


    def test_weights_that_no_softmax_gives_are_shown_and_said(self):
        write_npy(self.path("a.npy"), [2, 2], [1.5, -0.5, 0.25, 0.5])
        with open(self.path("w.txt"), "wb") as file:
            file.write("\ufeffit\r\nanimal".encode())
        answer = json.loads(self.good("show", "--attention", self.path("a.npy"), "--words",
                                      self.path("w.txt"), "--format", "json"))
        self.assertEqual(answer["heads"][0]["weights"], [[1.5, -0.5], [0.25, 0.5]])
        self.assertEqual([token["text"] for token in answer["tokens"]], ["it", "animal"])
        notes = " ".join(answer["notes"])
        self.assertIn("1 weights are negative", notes)
        self.assertIn("1 of 2 rows do not sum to 1", notes)


class UseTest(CliTest):
    def test_the_usage_line_of_help_names_the_verb_once(self):
        for verb in (["show"], ["tile"], ["models"], ["models", "info"]):
            self.assertIn("Usage: regard " + " ".join(verb) + " [OPTIONS]",
                          self.good(*verb, "--help").decode())

    def test_help_and_version_are_printed(self):
        text = self.good("--help").decode()
        for verb in ("show", "explain", "record", "tile", "tokenize", "models"):
            self.assertIn(verb, text)
            self.assertIn("Example:\n  regard ", self.good(verb, "--help").decode())
        for part in ("regard ", "commit ", "instruction set ", "Highway ", "simdjson ", "ICU "):
            self.assertIn(part, self.good("--version").decode())

    def test_wrong_use_is_one_line_and_status_2(self):
        for arguments, names in ((["--nonsense"], "--nonsense"), (["show", "a", "--nonsense"],
                                                                  "--nonsense"),
                                 (["dance"], "dance"), (["show", "a", "b"], "b"),
                                 ([], "verb"), (["show"], "TEXT"),
                                 (["show", "a", "--layer", "x"], "--layer"),
                                 (["show", "a", "--level", "letter"], "letter"),
                                 (["show", "a", "--scale", "cubic"], "cubic"),
                                 (["show", "a", "--keep-mass", "1.5"], "--keep-mass"),
                                 (["show", "a", "--keep-mass", "nan"], "--keep-mass"),
                                 (["show", "a", "-o", "x.bmp"], "svg"),
                                 (["show", "a", "--format", "bmp"], "bmp"),
                                 (["record", "a"], "-o"), (["explain", "a"], "--word"),
                                 (["show", "a", "--keep-mass", "0,5"],
                                  '--keep-mass: expected a number, found "0,5"'),
                                 (["show", "a", "--links", "-1"], "--links"),
                                 (["show", "a", "--links", "99999999999999999999"], "--links"),
                                 (["show", "a", "--format", ""], "--format"),
                                 (["show", "a", "-o", ""], "--output"),
                                 (["show", "a", "--model", ""], "--model"),
                                 (["models", "info", ""], "MODEL"),
                                 (["record", "a", "-o", "t", "--layers", ""], "--layers"),
                                 (["record", "a", "-o", "t", "--heads", "L3"], "--heads"),
                                 (["models"], "list or info"), (["models", "pull"], "ID")):
            with self.subTest(arguments=arguments):
                error = self.bad(2, *arguments, says=[names])
                self.assertEqual(error.count("\n"), 1, error)

    def test_a_word_that_is_a_verbs_name_is_a_text(self):
        self.bad(1, "show", "models", "--model", self.path("none"), says=["none"])

    def test_a_missing_model_says_where_it_was_sought(self):
        self.bad(1, "show", "a", "--model", "minilm", says=["models/minilm", "models pull"])
        self.bad(1, "show", "a", "--model", "nobody", says=["nobody"])
        self.bad(1, "show", "a", "--model", "/dev/null", says=["/dev/null"])

    def test_a_file_of_text_that_is_missing_is_named(self):
        self.bad(1, "tokenize", "@" + self.path("none.txt"), says=["none.txt"])

    def test_settings_that_make_no_sense_are_named(self):
        self.bad(2, "models", "list", REGARD_THREADS="many", says=["REGARD_THREADS"])
        self.bad(2, "models", "list", SOURCE_DATE_EPOCH="now", says=["SOURCE_DATE_EPOCH"])
        self.assertIn(self.run_regard("models", "list", REGARD_ISA="abacus").returncode, (1, 2))

    def test_without_a_cache_folder_the_list_says_how_to_name_one(self):
        self.assertIn(b"REGARD_CACHE", self.good("models", "list", HOME=""))

    def test_an_empty_cache_lists_the_model_of_the_program(self):
        models = json.loads(self.good("models", "list", "--format", "json"))["models"]
        self.assertEqual([(model["name"], model["opens"]) for model in models], [("lesson", True)])

    def test_the_model_of_the_program_needs_no_file(self):
        forms = [SENTENCE.replace("didn't", negation)
                 for negation in ("didn't", "did not", "couldn't", "could not", "would not")]
        for said, antecedent, why in (
                *((form, "animal", "tired") for form in forms),
                *((form.replace("tired", "wide"), "street", "wide") for form in forms)):
            answer = json.loads(self.good("show", said, "--format", "json", HOME=""))
            self.assertEqual(answer["model"], "lesson")
            self.assertNotIn("vocabulary", " ".join(answer["notes"]))
            texts = [word["text"] for word in answer["words"]]
            row = answer["heads"][0]["weights"][texts.index("it")]
            strongest = sorted(range(len(row)), key=lambda i: -row[i])[:2]
            self.assertEqual({texts[i] for i in strongest}, {antecedent, why}, said)
            self.assertIn(f"it -> {antecedent} ", self.good("show", said, HOME="").decode())
        for word in ("it", "tired", "The"):
            self.assertIn(b"(attends from): " + word.lower().encode(),
                          self.good("explain", SENTENCE, "--word", word))
        self.good("show", SENTENCE, "--all-heads")
        for suffix in ("png", "html"):
            self.good("show", SENTENCE, "-o", self.path(f"lesson.{suffix}"))

    def test_a_text_that_the_model_of_the_program_does_not_know_is_said_to_be_one(self):
        text = "Photosynthesis converts sunlight into chemical energy."
        notes = json.loads(self.good("show", text, "--format", "json"))["notes"]
        shown = self.good("show", text).decode()
        for note in notes:
            self.assertIn(note, shown)
        self.assertIn("Photosynthesis", " ".join(notes))
        self.assertIn("--model minilm", " ".join(notes))
        with_one = json.loads(self.good("show", SENTENCE.replace("street", "autobahn"), "--format",
                                        "json"))["notes"]
        self.assertIn("autobahn", " ".join(with_one))
        self.assertNotIn("minilm", " ".join(with_one))


@unittest.skipUnless(MINILM, "REGARD_MINILM does not name the folder of all-MiniLM-L6-v2")
class MiniLmTest(CliTest):
    def answer(self, *more):
        return json.loads(self.good("show", SENTENCE, "--model", MINILM, "--format", "json", *more))

    def weight(self, head, query, key):
        answer = self.answer("--head", head)
        words = [word["text"] for word in answer["words"]]
        return answer["heads"][0]["weights"][words.index(query)][words.index(key)]

    def test_the_weights_are_those_of_transformers(self):
        self.assertAlmostEqual(self.weight("L3H1", "it", "animal"), 0.6768, delta=5e-5)
        self.assertAlmostEqual(self.weight("L5H11", "it", "animal"), 0.6733, delta=5e-5)
        self.assertAlmostEqual(self.weight("L2H1", "it", "tired"), 0.7146, delta=5e-5)

    def test_compare_pairs_the_words_in_which_two_texts_differ(self):
        other = SENTENCE.replace("tired", "wide")
        answer = json.loads(self.good("compare", SENTENCE, "--with-text", other, "--model", MINILM,
                                      "--head", "L3H1", "--format", "json"))
        self.assertEqual(answer["heads"], ["L3H1", "L3H1"])
        texts = [row["text"] for row in answer["rows"]]
        self.assertIn("tired / wide", texts)
        row, column = texts.index("it"), texts.index("animal")
        self.assertAlmostEqual(answer["first"][row][column], 0.6768, delta=5e-5)

    def test_words_are_words_with_their_bytes(self):
        answer = self.answer()
        words = [word["text"] for word in answer["words"]]
        self.assertEqual(words[1:-1], ["The", "animal", "didn't", "cross", "the", "street",
                                       "because", "it", "was", "too", "tired", "."])
        for word in answer["words"][1:-1]:
            self.assertEqual(SENTENCE[word["start"]:word["end"]], word["text"])
        self.assertEqual(answer["level"], "word")
        self.assertTrue(answer["heads"][0]["why"])
        for row in answer["heads"][0]["weights"]:
            self.assertEqual(len(row), len(words))
            self.assertAlmostEqual(sum(row), 1, delta=1e-5)

    def test_the_first_screen_shows_both_words_of_it(self):
        text = self.good("show", SENTENCE, "--model", MINILM).decode()
        self.assertIn("it -> animal 0.68 L3H1", text)
        self.assertIn("it -> tired 0.71 L2H1", text)

    def test_numbers_do_not_depend_on_the_locale(self):
        plain = self.good("show", SENTENCE, "--model", MINILM, "--format", "json")
        other = self.good("show", SENTENCE, "--model", MINILM, "--format", "json",
                          LC_ALL="de_DE.UTF-8")
        self.assertEqual(plain, other)

    def test_without_special_tokens_their_rows_and_columns_are_gone_and_it_is_said(self):
        answer = self.answer("--no-special")
        self.assertEqual(len(answer["heads"][0]["weights"]), 12)
        self.assertTrue(answer["notes"])

    def test_pairs_and_sentences_and_explanations_work(self):
        answer = self.answer("--pair", "A second one.")
        self.assertEqual(answer["pair"], "A second one.")
        answer = json.loads(self.good("show", "One is here. Two are there.", "--model", MINILM,
                                      "--level", "sentence", "--format", "json"))
        self.assertEqual(answer["level"], "sentence")
        text = self.good("explain", SENTENCE, "--model", MINILM, "--word", "it", "--head",
                         "L3H1").decode()
        self.assertIn("animal", text)
        table = self.good("tokenize", SENTENCE, "--model", MINILM).decode()
        self.assertIn("[CLS]", table)
        answer = json.loads(self.good("tokenize", "a", "--pair", "b", "--model", MINILM, "--format",
                                      "json"))
        self.assertEqual([token["text"] for token in answer["tokens"]],
                         ["[CLS]", "a", "[SEP]", "b", "[SEP]"])


class Bench(unittest.TestCase):
    def test_measures_every_kernel_and_the_model_as_shares_of_the_peak(self):
        done = subprocess.run([BINARY, "bench", "--json", "--model",
                               os.path.join(GOLDEN, "one_layer")], capture_output=True, check=True)
        report = json.loads(done.stdout)
        self.assertGreater(report["peak_gflops"], 0)
        self.assertGreater(report["memory_gigabytes_per_second"], 0)
        kernels = report["kernels"]
        self.assertEqual({kernel["kernel"] for kernel in kernels},
                         {"matmul", "attention", "softmax"})
        for row in kernels + report["forward"]:
            self.assertGreater(row["seconds"], 0)
            if row["kernel"] != "softmax":
                self.assertGreater(row["peak_share"], 0)
        self.assertIn(b"measuring: ", done.stderr)
        self.check_operations(kernels + report["forward"])

    def check_operations(self, rows):
        """What a rate counts: 2 a multiply-add of the products, of attention the pairs seen."""
        with open(os.path.join(GOLDEN, "one_layer", "config.json")) as file:
            config = json.load(file)
        width, mlp = config["hidden_size"], config["intermediate_size"]
        counted = {"512 x 384 x 1536": 2 * 512 * 384 * 1536,
                   "d 32 N 512": 4 * 512 * 512 * 256,
                   "d 128 N 2048": 4 * 2048 * 2048 * 256,
                   "d 64 N 512 causal": 4 * (512 * 513 // 2) * 256,
                   "16 tokens": 2 * 16 * width * (4 * width + 2 * mlp) + 4 * 16 * 16 * width}
        found = {row["shape"]: row for row in rows if row["shape"] in counted}
        self.assertEqual(found.keys(), counted.keys())
        for shape, operations in counted.items():
            rate, seconds = found[shape]["gflops"], found[shape]["seconds"]
            printed = 5e-4 / rate + 5e-10 / seconds  # both are rounded
            self.assertLess(abs(rate * 1e9 * seconds / operations - 1), 1e-5 + 2 * printed, shape)

    def test_names_a_model_that_is_not_there(self):
        done = subprocess.run([BINARY, "bench", "--model", "/nowhere"], capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/nowhere", done.stderr)


if __name__ == "__main__":
    unittest.main()
