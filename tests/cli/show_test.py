#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `regard show` writes: every format, head and option, from golden weights, ready matrices and
the real model."""

import json
import os
import subprocess
import unittest
from xml.etree import ElementTree

from program import BINARY, MINILM, SENTENCE, CliTest, GoldenCase, read_npy, write_npy


class GoldenTest(GoldenCase):
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


if __name__ == "__main__":
    unittest.main()
