#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`regard train` from outside: what it writes, going on after kill -9 and SIGTERM, bad input."""

import json
import os
import pathlib
import pty
import re
import shlex
import signal
import subprocess
import tempfile
import time
import unittest
import xml.dom.minidom

REGARD = os.environ["REGARD_BINARY"]
NOUNS = ["dog", "cat", "bird", "fish"]
VERBS = ["barks", "purrs", "sings", "swims"]
CORPUS = "".join(f"the {NOUNS[i % 4]} {'never ' if i % 3 == 0 else ''}{VERBS[i % 4]} .\n"
                 for i in range(80))
SMALL = {"width": 16, "heads": 2, "layers": 2, "positions": 32, "pieces": 60, "batch": 8,
         "rate": 0.01, "held-out": 0.1}


def small(**changed):
    """Options of a small run; names with _ for -."""
    named = SMALL | {name.replace("_", "-"): value for name, value in changed.items()}
    return [part for name, value in named.items() for part in ("--" + name, str(value))]


def regard(*arguments, **more):
    return subprocess.run([REGARD, *map(str, arguments)], capture_output=True, timeout=300, **more)


def metrics(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    for line in kept:
        line.pop("tokens_per_second")
    return kept


class TrainCase(unittest.TestCase):
    """With a corpus in a folder of its own."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.corpus = self.folder / "corpus.txt"
        self.corpus.write_text(CORPUS)
        self.addCleanup(self.temporary.cleanup)

    def train(self, name, *more, check=True, **changed):
        run = regard("train", self.corpus, "-o", self.folder / name, *small(**changed), *more)
        if check:
            self.assertEqual(run.returncode, 0, run.stderr.decode())
        return run


class Train(TrainCase):
    def test_learns_and_writes_what_show_reads(self):
        self.train("run", steps=300, save_every=100, evaluate_every=100, width=32, choose=0.3)
        lines = metrics(self.folder / "run")
        self.assertEqual([line["step"] for line in lines], list(range(1, 301)))
        self.assertLess(lines[-1]["held_out_loss"], 0.7 * lines[0]["loss"])
        self.assertEqual(sorted(p.name for p in (self.folder / "run/checkpoints").iterdir()),
                         [f"step-{n:08}" for n in (0, 100, 200, 300)])
        curves = (self.folder / "run/curves.svg").read_text()
        self.assertEqual(curves.count("<polyline"), 3)  # loss, held out, rate
        xml.dom.minidom.parseString(curves)
        shown = regard("show", "the dog barks .", "--model", self.folder / "run", "--head", "L1H0",
                       "--format", "json")
        self.assertEqual(shown.returncode, 0, shown.stderr.decode())
        self.assertEqual([w["text"] for w in json.loads(shown.stdout)["words"]],
                         ["the", "dog", "barks", "."])

    def test_is_the_same_for_a_seed_and_any_number_of_threads(self):
        for name, threads in (("one", "1"), ("two", "2")):
            os.environ["REGARD_THREADS"] = threads
            self.train(name, steps=8)
        del os.environ["REGARD_THREADS"]
        weights = [(self.folder / n / "model.safetensors").read_bytes() for n in ("one", "two")]
        self.assertEqual(weights[0], weights[1])

    def test_goes_on_bit_for_bit_after_a_kill(self):
        more = {"steps": 1500, "save_every": 100, "evaluate_every": 200}
        self.train("whole", **more)
        command = [REGARD, "train", str(self.corpus), "-o", str(self.folder / "cut"),
                   *small(**more)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not (self.folder / "cut/checkpoints/step-00000200").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.005)
        process.kill()
        self.assertEqual(process.wait(), -signal.SIGKILL)
        self.train("cut", "--resume", **more)
        for name in ("model.safetensors", "state.safetensors"):
            self.assertEqual((self.folder / "cut" / name).read_bytes(),
                             (self.folder / "whole" / name).read_bytes())
        self.assertEqual(metrics(self.folder / "cut"), metrics(self.folder / "whole"))

    def test_ends_the_step_and_saves_when_asked_to_stop(self):
        for wanted in (signal.SIGINT, signal.SIGTERM):
            out = self.folder / f"stopped{wanted}"
            process = subprocess.Popen(
                [REGARD, "train", str(self.corpus), "-o", str(out), *small(steps=1000000)],
                stderr=subprocess.PIPE)
            while not (out / "metrics.jsonl").exists() or not (out / "metrics.jsonl").read_text():
                self.assertIsNone(process.poll())
                time.sleep(0.005)
            process.send_signal(wanted)
            error = process.communicate(timeout=60)[1].decode()
            self.assertEqual(process.returncode, 1)
            self.assertRegex(error, r"stopped after step \d+ of 1000000, saved in .*stopped")
            step = metrics(out)[-1]["step"]
            self.assertTrue((out / f"checkpoints/step-{step:08}/model.safetensors").exists())
            self.assertIn("polyline", (out / "curves.svg").read_text())

    def test_shows_a_bar_with_loss_speed_and_time_left_on_a_terminal(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = subprocess.Popen(
            [REGARD, "train", str(self.corpus), "-o", str(self.folder / "run"),
             *small(steps=40, evaluate_every=10)], stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the terminal's other end is closed
            pass
        self.assertEqual(process.wait(timeout=60), 0)
        self.assertRegex(shown.decode(), r"\r\[#{10}\.{10}\] step 20/40  loss \d+\.\d+  "
                         r"held out \d+\.\d+  \d+ tokens/s  0:0\d left")
        self.assertIn("[" + 20 * "#" + "] step 40/40", shown.decode())

    def test_reads_standard_input_a_generator_and_options_from_a_file(self):
        options = self.folder / "options"
        options.write_text("# a comment\nsteps = 2\nrate = 0.01\n")
        plain = [part for part in small() if part not in ("--rate", "0.01")]
        run = regard("train", "-", "-o", self.folder / "stdin", *plain, "--options", options,
                     input=CORPUS.encode())
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        run = regard("train", "--generator", f"cat {self.corpus}", "-o", self.folder / "made",
                     *plain, "--options", options)
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        self.assertEqual((self.folder / "stdin/model.safetensors").read_bytes(),
                         (self.folder / "made/model.safetensors").read_bytes())
        self.assertEqual(metrics(self.folder / "made")[1]["rate"], 0.01)
        self.assertEqual(len(metrics(self.folder / "made")), 2)

    def test_names_what_is_wrong(self):
        def error(*arguments, status=1, **more):
            run = regard("train", *arguments, **more)
            self.assertEqual(run.returncode, status, run.stderr.decode())
            lines = run.stderr.decode().splitlines()
            self.assertEqual(len(lines), 1, lines)
            return lines[0]

        out = ["-o", self.folder / "bad", "--steps", "2"]
        self.assertIn("CORPUS", error(*out, status=2))
        empty = self.folder / "empty"
        empty.write_text("\n \n")
        self.assertIn("found none", error(empty, *out))
        self.assertIn("absent", error(self.folder / "absent", *out))
        (self.folder / "latin").write_bytes(b"na\xefve\n")
        self.assertIn("byte 2: expected UTF-8", error(self.folder / "latin", *out))
        self.assertIn("pieces, all that the corpus has", error(self.corpus, *out, "--pieces", 5000))
        self.assertIn("vocabulary: expected a size of at least",
                      error(self.corpus, *out, "--pieces", 9))
        self.assertIn("batch of 500", error(self.corpus, *out, "--pieces", 60, "--batch", 500))
        self.assertIn("exit status 0", error("--generator", "false", *out))
        self.assertIn("divisor of the width",
                      error(self.corpus, *out, "--pieces", 60, "--heads", 3, status=2))
        self.assertIn("expected masked",
                      error(self.corpus, *out, "--pieces", 60, "--objective", "causal", status=2))
        self.assertIn("expected a number above", error(self.corpus, *out, "--rate", 0, status=2))
        for option, value in (("--beta1", 1), ("--beta2", 1), ("--decay", -1), ("--clip", "nan"),
                              ("--rate", "inf"), ("--held-out", 1), ("--init-output", -1)):
            self.assertIn(option + ": expected", error(self.corpus, *out, option, value, status=2))
        options = self.folder / "options"
        for text, status, said in (
                ("# fast\n\n rate = abc\n", 2, "line 3: rate: --rate: expected a number"),
                ("steps = 2\nstepps = 3\n", 1, "line 2: stepps: expected the name of an option"),
                ("rate = 1\nsteps = 2\nrate=2\n", 1, "line 3: rate: expected each option once"),
                ("curve = round\n", 2, "line 1: curve: --curve: round not in")):
            options.write_text(text)
            self.assertIn(f"{options}: {said}",
                          error(self.corpus, *out, "--options", options, status=status))
        self.assertIn("absent: expected a run to go on with",
                      error(self.corpus, *small(steps=2), "-o", self.folder / "absent", "--resume"))
        self.assertFalse((self.folder / "absent").exists())
        self.assertIn("--output: expected a folder", error(self.corpus, "--steps", 2, status=2))
        self.assertIn("hidden_size: expected a size", error(self.corpus, *out, "--pieces", 60,
                                                            "--width", 1 << 40))

    def test_holds_out_the_share_that_it_is_told(self):
        for share, held in ((0.9, 72), (0.4, 32), (0.05, 4), (0.01, 0)):
            run = self.train(f"share{share}", steps=1, held_out=share)
            self.assertIn(f"{80 - held} documents", run.stderr.decode())
            self.assertIn(f" {held} held out", run.stderr.decode())
            self.assertEqual("nothing is held out" in run.stderr.decode(), held == 0)

    def test_says_what_is_cut_off_and_which_length_a_model_cannot_have(self):
        words = self.folder / "words"
        words.write_text("a b c d\n" * 10 + "a b c d a b c d\n" * 10)
        more = ["--pieces", 9, "--batch", 2, "--steps", 1, "--width", 16, "--heads", 2]
        run = regard("train", words, "-o", self.folder / "cut", *more, "--length", 6,
                     "--positions", 32)
        self.assertIn("10 of 20 documents are longer than 6 tokens: 16.7 % of all tokens are left",
                      run.stderr.decode())
        run = regard("train", words, "-o", self.folder / "long", *more, "--length", 99,
                     "--positions", 32, "--architecture", "bert")
        self.assertIn("the model has 32 positions, so not 99", run.stderr.decode())

    def test_learns_byte_pairs_for_a_decoder_of_a_config(self):
        self.train("first", "--architecture", "gpt2", steps=1, pieces=260)
        config = json.loads((self.folder / "first/config.json").read_text())
        (self.folder / "config.json").write_text(json.dumps(config))
        run = regard("train", self.corpus, "-o", self.folder / "second", "--model-config",
                     self.folder / "config.json", "--pieces", 260, "--batch", 8, "--steps", 1)
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        tokenizer = json.loads((self.folder / "second/tokenizer.json").read_text())
        self.assertEqual(tokenizer["model"]["type"], "BPE")

    def test_keeps_a_second_process_out_and_reads_no_broken_state(self):
        command = [REGARD, "train", str(self.corpus), "-o", str(self.folder / "run"),
                   *small(steps=1000000, save_every=0)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.addCleanup(process.kill)
        while not (self.folder / "run/state.safetensors").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.005)
        second = regard(*command[1:], "--resume")
        self.assertEqual(second.returncode, 1)
        self.assertIn("another process", second.stderr.decode())
        process.terminate()
        process.wait(timeout=60)
        state = self.folder / "run/state.safetensors"
        state.write_bytes(re.sub(rb'"step":"(\d)(\d*)"', rb'"step":"x\2"', state.read_bytes()))
        broken = regard(*command[1:], "--resume")
        self.assertEqual(broken.returncode, 1)
        self.assertRegex(broken.stderr.decode(), r"state.safetensors: step: expected a number of 0")

    def test_refuses_another_configuration(self):
        self.train("run", steps=3)
        self.assertIn("--resume", self.train("run", steps=3, check=False).stderr.decode())
        before = (self.folder / "run/state.safetensors").read_bytes()
        for changed in ({"steps": 4}, {"width": 32}, {"batch": 4}, {"pieces": 61}):
            other = self.train("run", "--resume", check=False, **({"steps": 3} | changed))
            self.assertEqual(other.returncode, 1)
            self.assertIn("another configuration", other.stderr.decode())
        self.assertEqual((self.folder / "run/state.safetensors").read_bytes(), before)

    def test_stops_at_a_loss_that_is_no_number(self):
        nan = self.train("nan", "--clip", 0, check=False, steps=100, rate="1e30", save_every=1)
        self.assertEqual(nan.returncode, 1)
        found = re.search(r"step \d+: .*layer \d+: .*last good checkpoint is (.*step-0.*)",
                          nan.stderr.decode())
        self.assertTrue(found, nan.stderr.decode())
        drawn = (self.folder / "nan/curves.svg").read_text()  # up to where it ended
        self.assertIn("</svg>", drawn)
        self.assertNotIn("nan,", drawn)
        shown = regard("show", "the dog barks .", "--model", found[1], "--format", "json")
        self.assertEqual(shown.returncode, 0, shown.stderr.decode())

    def test_names_a_full_disk_and_goes_on_after_it(self):
        full = self.folder / "run"
        options = small(steps=4, width=64, save_every=2)
        command = [REGARD, "train", str(self.corpus), "-o", str(full), *options]
        for kilobytes in (40, 800):  # no room for the model, none for what is needed to go on
            limited = f"ulimit -f {kilobytes}; exec {shlex.join(command)}"
            run = subprocess.run(["bash", "-c", limited], capture_output=True, timeout=60)
            self.assertEqual(run.returncode, 1)
            self.assertIn(str(full), run.stderr.decode())
        self.train("run", "--resume", steps=4, width=64, save_every=2)
        self.train("whole", steps=4, width=64, save_every=2)
        self.assertEqual((full / "state.safetensors").read_bytes(),
                         (self.folder / "whole/state.safetensors").read_bytes())


if __name__ == "__main__":
    unittest.main()
