#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Help, wrong use, settings, lists of models, the model of the program, measuring."""

import json
import os
import shutil
import subprocess
import unittest

from program import BINARY, GOLDEN, SENTENCE, CliTest, GoldenCase


class GoldenTest(GoldenCase):
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
        self.bad(2, "models", "list", REGARD_ISA="abacus", says=["abacus"])

    def test_each_instruction_set_of_the_machine_can_be_forced(self):
        line = next(line for line in self.good("--version").decode().splitlines()
                    if line.startswith("instruction set"))
        names = line.partition("(of ")[2].rstrip(")").split(", ")
        self.assertIn("scalar", names)
        rows = []
        for name in names:
            self.assertIn(f"instruction set {name} (", self.good("--version", REGARD_ISA=name).decode())
            shown = json.loads(self.good("show", SENTENCE, "--format", "json", REGARD_ISA=name))
            rows.append(sum(shown["heads"][0]["weights"], []))
        for other in rows[1:]:
            for a, b in zip(rows[0], other):
                self.assertAlmostEqual(a, b, delta=1e-5)

    def test_a_text_without_quotes_or_verb_and_a_files_name_are_answered_as_such(self):
        self.bad(2, "show", "The", "animal", "slept", says=["animal", "quotes"])
        self.bad(2, SENTENCE, says=["verb", "regard show"])
        name = self.path("story.txt")
        with open(name, "w", encoding="utf-8") as file:
            file.write(SENTENCE)
        self.assertIn(f"@{name}", self.run_regard("show", name).stderr.decode())
        self.assertEqual(self.run_regard("show", "@" + name).stderr, b"")

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
                if row["peak_share"] is not None:  # other programs disturbed it
                    self.assertGreater(row["peak_share"], 0)
                    self.assertLessEqual(row["peak_share"], 1)
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
