#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Wrong ids, broken models and traces, full and closed outputs: an error in one line, and no harm."""

import json
import os
import resource
import shutil
import struct
import subprocess
import unittest

from program import BINARY, GoldenCase


class GoldenTest(GoldenCase):
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

    def weights_of(self, folder):
        """The model's file of weights, and its bytes."""
        weights = os.path.join(folder, "model.safetensors")
        with open(weights, "rb") as file:
            return weights, file.read()

    def test_broken_weights_are_one_line_that_names_the_file(self):
        folder = self.copy_model()
        weights, whole = self.weights_of(folder)
        for content in (b"", whole[:7], whole[:100], whole[:-1], whole + b"x",
                        struct.pack("<Q", 1 << 63) + whole[8:]):
            with open(weights, "wb") as file:
                file.write(content)
            self.bad(1, "show", "--model", folder, "--ids", "1,2", says=["model.safetensors"])

    def test_weights_that_are_no_numbers_are_an_error(self):
        folder = self.copy_model()
        weights, whole = self.weights_of(folder)
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


if __name__ == "__main__":
    unittest.main()
