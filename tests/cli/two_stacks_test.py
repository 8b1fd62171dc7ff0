# SPDX-License-Identifier: Apache-2.0
"""Encoder-decoder models as a user sees them: every output of cross-attention, against what PyTorch
says of the tiny checkpoints of tests/golden/models.
"""

import csv
import io
import json
import os
import unittest

from program import CliTest, numbers, read_npy
from safetensors_file import read_safetensors

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "models")


class TwoStacksTest(CliTest):
    def load(self, name):
        self.model = os.path.join(MODELS, name)
        self.tensors, self.metadata = read_safetensors(
            os.path.join(self.model, "expected.safetensors"))
        listed = lambda key: ",".join(map(str, numbers(self.tensors[key])))
        self.encoder = ["--model", self.model, "--ids", listed("ids")]
        self.both = self.encoder + ["--target-ids", listed("target")]

    def golden(self, kind):
        """Shape and weights of all heads, and how near the program must be."""
        _, shape, _ = self.tensors[kind + "_attention"]
        return shape, numbers(self.tensors[kind + "_attention"]), float(
            self.metadata[f"tolerance.{kind}_attention"])

    def assert_close(self, found, expected, tolerance):
        self.assertEqual(len(found), len(expected))
        self.assertLessEqual(max(abs(a - b) for a, b in zip(found, expected)), tolerance)

    def json_of(self, *arguments):
        return json.loads(self.good(*arguments, "--format", "json"))

    def test_json_and_npy_of_every_kind_are_pytorchs_and_rows_sum_to_one(self):
        for name in ("t5", "t5_gated", "bart", "mbart", "marian"):
            self.load(name)
            for kind in ("encoder", "decoder", "cross"):
                with self.subTest(name=name, kind=kind):
                    shape, expected, tolerance = self.golden(kind)
                    answer = self.json_of("show", *self.both, "--kind", kind, "--all-heads",
                                          "--level", "token")
                    self.assertEqual(answer["kind"], kind)
                    self.assertEqual(len(answer["tokens"]), shape[2])
                    self.assertEqual("columns" in answer, kind == "cross")
                    if kind == "cross":
                        self.assertEqual(len(answer["columns"]["tokens"]), shape[3])
                        self.assertEqual([token["id"] for token in answer["columns"]["tokens"]],
                                         list(numbers(self.tensors["ids"])))
                    heads = sorted(answer["heads"], key=lambda h: (h["layer"], h["head"]))
                    self.assertEqual(len(heads), shape[0] * shape[1])
                    found = [weight for h in heads for row in h["weights"] for weight in row]
                    self.assert_close(found, expected, tolerance)
                    for head in heads:
                        for row in head["weights"]:
                            self.assertAlmostEqual(sum(row), 1, delta=1e-5)
                    size, dense = read_npy(self.good("show", *self.both, "--kind", kind,
                                                     "--format", "npy"))
                    self.assertEqual(list(size), shape)
                    self.assert_close(dense, expected, tolerance)

    def test_a_target_means_cross_attention_and_the_answer_says_so(self):
        self.load("t5")
        answer = self.json_of("show", *self.both)
        self.assertEqual(answer["kind"], "cross")
        self.assertTrue(any("cross-attention" in note for note in answer["notes"]))
        answer = self.json_of("show", *self.encoder)
        self.assertEqual(answer["kind"], "encoder")
        self.assertTrue(any("--target" in note for note in answer["notes"]))
        text = self.good("show", *self.both).decode()
        self.assertIn("cross-attention, layer", text.split("\n")[0])

    def test_a_kind_that_is_not_there_is_wrong_use(self):
        self.load("t5")
        self.bad(2, "show", *self.both, "--kind", "self", says=["encoder, decoder", "cross"])
        self.bad(2, "show", *self.encoder, "--kind", "cross", says=["--target"])
        self.bad(2, "show", *self.both, "--kind", "sideways", says=["--kind"])
        self.bad(2, "show", "--model", os.path.join(MODELS, "gpt2"), "--ids", "1,2,3", "--kind",
                 "cross", says=["self"])

    def test_a_recorded_trace_gives_the_same_weights_rows_and_tiles(self):
        self.load("bart")
        shape, expected, tolerance = self.golden("cross")
        trace = self.path("t.safetensors")
        self.good("record", *self.both, "--kind", "cross", "-o", trace)
        tensors, metadata = read_safetensors(trace)
        self.assertEqual(metadata["regard.kind"], "cross")
        self.assertEqual(numbers(tensors["keys.tokens.id"]), numbers(self.tensors["ids"]))
        answer = self.json_of("show", "--trace", trace, "--head", "L1H0", "--level", "token")
        size = shape[2] * shape[3]
        head = expected[shape[1] * size:(shape[1] + 1) * size]
        self.assert_close(sum(answer["heads"][0]["weights"], []), head, tolerance)
        self.good("tile", trace, "--head", "L1H0", "--rows", "3:5", "--cols", "8:11", "-o",
                  self.path("tile.npy"))
        with open(self.path("tile.npy"), "rb") as file:
            tile_shape, tile = read_npy(file.read())
        self.assertEqual(list(tile_shape), [2, 3])
        self.assert_close(tile, [head[r * shape[3] + c] for r in (3, 4) for c in (8, 9, 10)],
                          tolerance)

    def test_explain_works_a_row_through_over_the_other_text(self):
        self.load("marian")
        shape, expected, tolerance = self.golden("cross")
        answer = self.json_of("explain", *self.both, "--word", "@2", "--head", "L1H1")
        self.assertEqual(len(answer["steps"]), shape[3])
        self.assertEqual(len(answer["columns"]["tokens"]), shape[3])
        begin = ((1 * shape[1] + 1) * shape[2] + 2) * shape[3]
        self.assert_close([step["weight"] for step in answer["steps"]],
                          expected[begin:begin + shape[3]], tolerance)
        text = self.good("explain", *self.both, "--word", "@2", "--head", "L1H1").decode()
        self.assertIn(f"#{numbers(self.tensors['ids'])[-1]}", text)

    def test_csv_and_pictures_have_the_words_of_both(self):
        self.load("t5")
        rows = list(csv.reader(io.StringIO(self.good(
            "show", *self.both, "--format", "csv").decode(), newline="")))
        ids, target = numbers(self.tensors["ids"]), numbers(self.tensors["target"])
        self.assertEqual(rows[0][1:], [f"#{i}" for i in ids])
        self.assertEqual([row[0] for row in rows[1:]], [f"#{i}" for i in target])
        for more in ([], ["--all-heads"], ["--word", "@3"]):
            for name in ("a.svg", "a.png", "a.pdf"):
                self.good("show", *self.both, *more, "-o", self.path(name))
            self.assertTrue(self.good("show", *self.both, *more))
        self.good("show", *self.both, "--head", "mean", "-o", self.path("mean.npy"))
        self.good("show", *self.both, "--no-special", "--keep-mass", "0.5")

    def test_a_generated_target_attends_like_the_same_target_given(self):
        self.load("t5")
        trace = self.path("t.safetensors")
        self.good("record", *self.encoder, "--generate", "6", "--kind", "cross", "-o", trace)
        made = self.json_of("show", "--trace", trace, "--all-heads", "--level", "token")
        ids = [token["id"] for token in made["tokens"]]
        self.assertGreater(len(ids), 1)
        printed = self.good("generate", *self.encoder, "--tokens", "6", "--show-ids").decode()
        self.assertEqual(printed.strip(), ",".join(map(str, ids[1:])))
        given = self.json_of("show", *self.encoder, "--target-ids", ",".join(map(str, ids)),
                             "--kind", "cross", "--all-heads", "--level", "token")
        # The chosen head stands first, and the decoder's own first token is no candidate.
        in_order = lambda answer: sorted(answer["heads"], key=lambda h: (h["layer"], h["head"]))
        for a, b in zip(in_order(made), in_order(given)):
            self.assert_close(sum(a["weights"], []), sum(b["weights"], []), 1e-6)

    def test_models_info_and_list_tell_both_stacks(self):
        self.load("bart")
        answer = self.json_of("models", "info", self.model)
        self.assertEqual((answer["layers"], answer["heads"]), tuple(self.golden("encoder")[0][:2]))
        cross = tuple(self.golden("cross")[0][:2])
        self.assertEqual((answer["decoder_layers"], answer["decoder_heads"]), cross)
        self.assertEqual((answer["cross_layers"], answer["cross_heads"]), cross)
        os.makedirs(self.path("cache/models"))
        os.symlink(os.path.abspath(self.model), self.path("cache/models/mine"))
        settings = {"REGARD_CACHE": self.path("cache")}
        entry = json.loads(self.good("models", "list", "--format", "json",
                                     **settings))["models"][1]
        self.assertEqual((entry["decoder_layers"], entry["decoder_heads"]), cross)
        self.assertIn("--ids", entry["note"])
        self.assertIn("2+2", self.good("models", "list", **settings).decode())


if __name__ == "__main__":
    unittest.main()
