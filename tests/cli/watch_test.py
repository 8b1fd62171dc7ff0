#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Watching training: `regard show --run` in every form, `regard train --watch`, and a model that is
served while it is trained.
"""

import json
import re
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.request
import xml.dom.minidom

from train_test import REGARD, TrainCase, metrics, regard, small


def get(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.loads(answer.read())


def run_at(address, **wanted):
    """Runs a text on the server; its trace's information."""
    request = urllib.request.Request(address + "api/runs", json.dumps(wanted).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        run = json.loads(answer.read())["run"]
    with urllib.request.urlopen(f"{address}api/runs/{run}/events", timeout=60) as events:
        done = events.read().decode()
    trace = re.search(r'event: done\ndata: .*?"trace": *"([^"]+)"', done)
    if not trace:  # the server ended before the run did
        raise ConnectionError(done)
    return get(f"{address}api/traces/{trace[1]}")


class Watch(TrainCase):
    def test_shows_a_text_at_every_checkpoint(self):
        self.train("run", steps=20, save_every=10, evaluate_every=10)
        run = self.folder / "run"
        shown = regard("show", "the dog barks .", "--run", run, "--head", "L1H0", "--format", "json")
        self.assertEqual(shown.returncode, 0, shown.stderr.decode())
        steps = json.loads(shown.stdout)["checkpoints"]
        self.assertEqual([step["step"] for step in steps], [0, 10, 20])
        self.assertNotIn("loss", steps[0])
        lines = metrics(run)
        for step in steps[1:]:
            self.assertEqual(step["loss"], lines[step["step"] - 1]["loss"])
            self.assertEqual(step["held_out_loss"], lines[step["step"] - 1]["held_out_loss"])
        for step in steps:
            alone = regard("show", "the dog barks .", "--head", "L1H0", "--format", "json",
                           "--model", run / f"checkpoints/step-{step['step']:08}")
            self.assertEqual(step["view"]["heads"], json.loads(alone.stdout)["heads"])
            self.assertEqual([of["head"] for of in step["measures"]],
                             ["L0H0", "L0H1", "L1H0", "L1H1"])
        text = regard("show", "the dog barks .", "--run", run)
        self.assertRegex(text.stderr.decode(), r"L\dH\d at step 20: ")
        self.assertRegex(text.stdout.decode(), r"step 0\n(.|\n)*step 10  loss \d(.|\n)*"
                         r"step 20  loss \d+\.\d+  held out \d+\.\d+\nL\dH\d:  entropy \d")
        for bad, status in (([self.folder / "absent"], 1), ([run, "-o", self.folder / "x.csv"], 2),
                            ([run, "-o", self.folder / "x.png", "--all-heads"], 2),
                            ([run, "-o", self.folder / "x.png", "--view", "links"], 2)):
            self.assertEqual(regard("show", "a", "--run", *bad).returncode, status)
            self.assertFalse((self.folder / "x.png").exists())

    def test_draws_a_strip_of_maps_on_one_scale(self):
        self.train("run", steps=20, save_every=10, evaluate_every=10)
        run = self.folder / "run"
        for name, start in (("x.png", b"\x89PNG"), ("x.pdf", b"%PDF"), ("x.svg", b"<?xml")):
            drawn = regard("show", "the dog barks .", "--run", run, "-o", self.folder / name)
            self.assertEqual(drawn.returncode, 0, drawn.stderr.decode())
            self.assertTrue((self.folder / name).read_bytes().startswith(start))
        svg = (self.folder / "x.svg").read_text()
        xml.dom.minidom.parseString(svg)
        lines = metrics(run)
        for said in ("step 0", "step 10", "step 20", f"loss {lines[9]['loss']:.4f}",
                     f"held out {lines[19]['held_out_loss']:.4f}", "through training"):
            self.assertIn(said, svg)
        self.assertEqual(len(re.findall(r">barks<", svg)), 6)  # row and column of each map

    def test_writes_a_page_with_the_text_at_every_checkpoint(self):
        self.train("run", steps=20, save_every=10, evaluate_every=10)
        done = regard("show", "the dog barks .", "--run", self.folder / "run", "-o",
                      self.folder / "x.html")
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        page = (self.folder / "x.html").read_text()
        runs = [json.loads(data) for data in re.findall(
            r'<script type="application/json" data-trace="[^"]*">(.*?)</script>', page, re.S)]
        self.assertEqual([run["checkpoint"]["step"] for run in runs], [20, 10, 0])
        lines = metrics(self.folder / "run")
        self.assertEqual(runs[0]["checkpoint"]["loss"], lines[19]["loss"])
        self.assertEqual(runs[0]["checkpoint"]["heldOut"], lines[19]["held_out_loss"])
        self.assertIsNone(runs[2]["checkpoint"]["loss"])
        self.assertEqual(regard("show", "a", "--run", self.folder / "run", "-o",
                                self.folder / "y.html", "--head", "L0H0").returncode, 2)

    def test_many_checkpoints_are_thinned_out_evenly(self):
        self.train("run", steps=60, save_every=2)
        drawn = regard("show", "the dog barks .", "--run", self.folder / "run", "--head", "L0H0",
                       "-o", self.folder / "x.svg")
        self.assertIn("24 of 31 checkpoints are shown", drawn.stderr.decode())
        shown = [int(n) for n in re.findall(r">step (\d+)<",
                                            (self.folder / "x.svg").read_text())]
        self.assertEqual((len(shown), shown[0], shown[-1]), (24, 0, 60))
        self.assertLessEqual(max(b - a for a, b in zip(shown, shown[1:])), 4)

    def watched(self, name, *more, **changed):
        process = subprocess.Popen(
            [REGARD, "train", str(self.corpus), "-o", str(self.folder / name), "--watch",
             *more, *small(**changed)], stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stderr:
            if found := re.search(rb"http://127\.0\.0\.1:\d+/", line):
                return process, found[0].decode()
        self.fail(process.wait())

    def test_serves_the_run_while_it_is_trained_and_ends_with_it(self):
        process, address = self.watched("run", steps=1000000, save_every=50)
        seen = []
        while len(seen) < 3:
            self.assertIsNone(process.poll())
            seen = get(address + "api/checkpoints")["checkpoints"]
            time.sleep(0.01)
        self.assertEqual([one["step"] for one in seen[:3]], [0, 50, 100])
        self.assertIsNotNone(seen[1]["loss"])
        first = run_at(address, text="the dog barks .", checkpoint=0)
        later = run_at(address, text="the dog barks .", checkpoint=100)
        self.assertEqual(first["sides"], later["sides"])
        self.assertNotEqual(first["links"], later["links"])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 1)
        with self.assertRaises(urllib.error.URLError):
            get(address + "api/checkpoints")

    def test_training_is_the_same_when_it_is_watched(self):
        more = {"steps": 400, "save_every": 100}
        self.train("alone", **more)
        process, address = self.watched("seen", **more)
        try:
            while process.poll() is None:
                run_at(address, text="the dog barks .", checkpoint=0)
        except (urllib.error.URLError, ConnectionError, OSError):
            pass  # the run has ended, and the server with it
        self.assertEqual(process.wait(timeout=60), 0)
        for name in ("model.safetensors", "state.safetensors"):
            self.assertEqual((self.folder / "alone" / name).read_bytes(),
                             (self.folder / "seen" / name).read_bytes())

    def test_a_port_that_is_taken_is_named(self):
        _, address = self.watched("first", steps=1000000, save_every=0)
        port = address.rsplit(":", 1)[1].strip("/")
        second = self.train("second", "--watch", "--port", port, check=False, steps=5)
        self.assertEqual(second.returncode, 1)
        self.assertIn(port, second.stderr.decode())


if __name__ == "__main__":
    unittest.main()
