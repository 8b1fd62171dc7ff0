# SPDX-License-Identifier: Apache-2.0
"""What the server answers. Expected weights come from PyTorch's golden file in
tests/golden/bert/four_layers. With REGARD_MINILM naming the folder of all-MiniLM-L6-v2 the examples
of docs/api.md are run. serving.py has the server.
"""

import json
import os
import re
import shutil
import tempfile
import unittest

from serving import HERE, floats, Server, ServerTest

MINILM = os.environ.get("REGARD_MINILM", "")
API = os.path.join(HERE, "..", "..", "docs", "api.md")


class Answers(ServerTest):
    """What is served is right."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trace = cls.server.run(model="tiny", text=cls.server.text)
        _, shape, data = cls.server.expected["attention"]
        cls.layers, cls.heads, cls.size = shape[0], shape[1], shape[2]
        cls.attention = floats(data)
        cls.tolerance = float(cls.server.metadata["tolerance.attention"])

    def weight(self, layer, head, query, key):
        return self.attention[((layer * self.heads + head) * self.size + query) * self.size + key]

    def path(self, what, **parameters):
        query = "&".join(f"{k}={v}" for k, v in parameters.items())
        return f"/api/traces/{self.trace}/{what}?{query}"

    def tile(self, **parameters):
        status, headers, data = self.server.ask("GET", self.path("tile", **parameters))
        self.assertEqual(status, 200, data)
        rows, columns = map(int, headers["X-Regard-Shape"].split(","))
        cells = floats(data)
        self.assertEqual(len(cells), rows * columns)
        return rows, columns, cells

    def test_tiles_are_pytorchs_weights(self):
        for layer in range(self.layers):
            for head in range(self.heads):
                rows, columns, cells = self.tile(kind="self", head=f"L{layer}H{head}",
                                                 rows=f"0:{self.size}", cols=f"0:{self.size}",
                                                 size=self.size, pool="mean")
                self.assertEqual((rows, columns), (self.size, self.size))
                worst = max(abs(cells[q * columns + k] - self.weight(layer, head, q, k))
                            for q in range(rows) for k in range(columns))
                self.assertLessEqual(worst, self.tolerance)

    def test_a_tile_pools_its_region(self):
        rows, columns, cells = self.tile(kind="self", head="L1H0", rows="4:8", cols="10:18", size=2,
                                         pool="max")
        self.assertEqual((rows, columns), (2, 2))
        largest = max(self.weight(1, 0, q, k) for q in (6, 7) for k in range(14, 18))
        self.assertAlmostEqual(cells[3], largest, delta=self.tolerance)

    def test_cells_of_a_given_extent_end_with_the_region(self):
        rows, columns, cells = self.tile(head="L1H0", rows="4:9", cols="10:18", cell="2,8",
                                         pool="sum")
        self.assertEqual((rows, columns), (3, 1))
        for cell, queries in zip(cells, ((4, 5), (6, 7), (8,))):
            weights = sum(self.weight(1, 0, q, k) for q in queries for k in range(10, 18))
            self.assertAlmostEqual(cell, weights, delta=16 * self.tolerance)

    def test_a_small_tile_is_exact_whether_asked_or_not(self):
        status, headers, _ = self.server.ask("GET", self.path("tile", head="L1H0", size=4,
                                                              exact="false"))
        self.assertEqual((status, headers["X-Regard-Exact"]), (200, "true"))

    def test_the_info_has_the_tokens_with_their_bytes_and_every_head(self):
        info = self.server.json("GET", f"/api/traces/{self.trace}")
        side = info["sides"][0]
        self.assertEqual([token["id"] for token in side["tokens"]], list(self.server.ids))
        for token in side["tokens"][1:-1]:
            self.assertEqual(side["text"][token["start"]:token["end"]], token["text"])
        self.assertEqual([layer["layer"] for layer in info["layers"]], list(range(self.layers)))
        self.assertEqual(info["layers"][0]["heads"], list(range(self.heads)))
        self.assertEqual(info["id"], self.trace)

    def test_an_explanation_adds_up_to_pytorchs_weights(self):
        one = self.server.json("GET", self.path("explain", kind="self", head="L2H1", token=5))
        self.assertEqual(len(one["steps"]), self.size)
        for step in one["steps"]:
            dot = sum(a * b for a, b in zip(one["query"], step["key"]))
            self.assertAlmostEqual(dot, step["dot"], delta=1e-3)
            self.assertAlmostEqual(step["weight"], self.weight(2, 1, 5, step["token"]),
                                   delta=self.tolerance)
        output = sum(step["weight"] * step["value"][0] for step in one["steps"])
        self.assertAlmostEqual(output, one["output"][0], delta=1e-5)

    def test_measures_are_those_of_pytorchs_weights(self):
        measures = self.server.json("GET", f"/api/traces/{self.trace}/measures")["measures"]
        self.assertEqual(len(measures), self.layers * self.heads)
        for one in measures:
            layer, head = one["head"]["layer"], one["head"]["head"]
            first = sum(self.weight(layer, head, q, 0) for q in range(self.size)) / self.size
            self.assertAlmostEqual(one["first"], first, delta=1e-4)

    def test_exports_are_the_programs_pictures_and_data(self):
        begins = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml", "csv": b"query (attends from)",
                  "json": b'{"format":', "npy": b"\x93NUMPY"}
        for name, start in begins.items():
            status, headers, data = self.server.ask(
                "GET", self.path("export", kind="self", head="L3H1", view="heatmap", format=name,
                                 level="word", scale="linear", specials="true", keepMass=1,
                                 dark="false"))
            self.assertEqual(status, 200, data)
            self.assertTrue(data.startswith(start), (name, data[:20]))
            self.assertIn(f"regard-heatmap-L3H1.{name}", headers["Content-Disposition"])
        weights = json.loads(self.server.ask("GET", self.path(
            "export", head="L3H1", format="json", level="token"))[2])["heads"][0]["weights"]
        self.assertAlmostEqual(weights[7][9], self.weight(3, 1, 7, 9), delta=self.tolerance)
        for more in ({"view": "heads", "format": "svg"}, {"view": "heads", "format": "csv"},
                     {"view": "row", "word": 3, "format": "png", "dark": "true"},
                     {"view": "heatmap", "keepMass": 0.5, "specials": "false", "format": "pdf"},
                     {"view": "heatmap", "scale": "rank", "top": "row", "format": "png"}):
            status, _, data = self.server.ask("GET", self.path("export", head="L0H0", **more))
            self.assertEqual(status, 200, data[:200])

    def test_an_export_without_sinks_is_divided_by_what_is_left(self):
        status, _, data = self.server.ask("GET", self.path(
            "export", head="L3H1", format="json", level="token", sinks="false"))
        self.assertEqual(status, 200, data[:200])
        answer = json.loads(data)
        weights = answer["heads"][0]["weights"]
        left = [self.weight(3, 1, 7, key) for key, token in enumerate(answer["tokens"])
                if token["start"] < token["end"]]  # no special token
        self.assertLess(len(left), self.size)
        self.assertEqual(len(weights[7]), len(left))
        for found, weight in zip(weights[7], left):
            self.assertAlmostEqual(found, weight / sum(left), delta=1e-4)
        self.assertIn("without sinks", " ".join(answer["notes"]))

    def test_models_are_the_programs_own_and_those_of_the_cache(self):
        answer = self.server.json("GET", "/api/models")
        self.assertEqual(answer["chosen"], "tiny")
        self.assertEqual([(one["name"], one["opens"], one["layers"], one["heads"])
                          for one in answer["models"]], [("lesson", True, 3, 4), ("tiny", True, 4, 2)])

    def test_the_programs_own_model_runs(self):
        trace = self.server.run(model="lesson", text="The animal was tired.")
        info = self.server.json("GET", f"/api/traces/{trace}")
        self.assertEqual((info["model"], len(info["layers"])), ("lesson", 3))
        self.assertEqual((info["choice"]["head"]["layer"], info["choice"]["head"]["head"]), (2, 3))
        self.assertEqual(info["notes"], [])  # of one head, not of the mean
        mean = [(one["kind"], one["layer"], one["head"]) for one in info["choice"]["mean"]]
        self.assertEqual(mean, [("self", 2, 3), ("self", 0, 0)])

    def test_the_export_of_several_heads_is_their_mean(self):
        trace = self.server.run(model="lesson", text="The animal was tired.")

        def weights(heads):
            found = self.server.json("GET", f"/api/traces/{trace}/export?head={heads}&format=json")
            self.assertEqual(len(found["heads"]), 1)
            return sum(found["heads"][0]["weights"], [])

        one, other, mean = weights("L1H3"), weights("L0H0"), weights("L1H3,L0H0")
        for a, b, c in zip(one, other, mean):
            self.assertAlmostEqual((a + b) / 2, c, delta=1e-6)
        for wrong in ("L1H3,", ",L1H3", "L1H3,x"):
            self.assertEqual(self.server.ask("GET", f"/api/traces/{trace}/export?head={wrong}")[0], 400)
        self.assertEqual(self.server.ask("GET", f"/api/traces/{trace}/export?head=L1H3,L7H0")[0], 404)
        self.assertEqual(self.server.ask("GET", f"/api/traces/{trace}/tile?head=L1H3,L0H0")[0], 400)

    def test_a_pair_and_a_cut_text_run(self):
        trace = self.server.run(model="tiny", text="w5 w9", pair="w4")
        side = self.server.json("GET", f"/api/traces/{trace}")["sides"][0]
        self.assertEqual(side["pair"], "w4")
        self.assertEqual([token["sequence"] for token in side["tokens"]], [-1, 0, 0, -1, 1, -1])
        trace = self.server.run(model="tiny", text="w5 " * 100, truncate=True)
        self.assertEqual(len(self.server.json("GET", f"/api/traces/{trace}")["sides"][0]["tokens"]),
                         48)

    def test_traces_are_listed_newest_first(self):
        trace = self.server.run(model="tiny", text="w7 w8")
        traces = self.server.json("GET", "/api/traces")["traces"]
        self.assertEqual(traces[0]["id"], trace)
        self.assertEqual((traces[0]["text"], traces[0]["tokens"]), ("w7 w8", 4))
        self.assertIn(self.trace, [one["id"] for one in traces])

    def test_a_run_tells_its_progress_and_can_be_followed_again(self):
        run = self.server.json("POST", "/api/runs", {"model": "tiny", "text": "w5"})["run"]
        first, again = self.server.events(run), self.server.events(run)
        self.assertEqual(first[-1][0], "done")
        self.assertEqual(again[-1], first[-1])
        for name, value in first[:-1]:
            self.assertEqual(name, "progress")
            self.assertLessEqual(value["done"], value["total"])

    def test_a_run_that_fails_says_why_and_leaves_the_server_usable(self):
        run = self.server.json("POST", "/api/runs", {"text": "w5 " * 100})["run"]
        name, value = self.server.events(run)[-1]
        self.assertEqual(name, "failed")
        self.assertIn("at most 48 tokens", value["error"])
        self.server.run(model="tiny", text="w5")

    def test_a_cancelled_run_fails_with_that_reason(self):
        run = self.server.json("POST", "/api/runs", {"text": "w5"})["run"]
        status, _, data = self.server.ask("DELETE", f"/api/runs/{run}")
        self.assertEqual((status, data), (204, b""))
        name, value = self.server.events(run)[-1]
        self.assertIn((name, value.get("error")), [("failed", "cancelled"), ("done", None)])

    def test_the_page_comes_with_its_files_under_a_strict_policy(self):
        for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"),
                           ("/page.css", "text/css")):
            status, headers, data = self.server.ask("GET", path)
            self.assertEqual(status, 200)
            self.assertTrue(headers["Content-Type"].startswith(kind))
            self.assertGreater(len(data), 100)
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")


class Budget(ServerTest):
    """Traces beyond the budget go to disk and come back."""
    arguments = ("--memory", "0")

    def test_a_trace_that_was_moved_to_disk_answers_as_before_and_leaves_no_file(self):
        trace = self.server.run(model="tiny", text=self.server.text)
        _, shape, data = self.server.expected["attention"]
        attention, size = floats(data), shape[2]
        for _ in range(5):
            self.server.run(model="tiny", text="w5 w9")
        status, headers, cells = self.server.ask(
            "GET", f"/api/traces/{trace}/tile?head=L3H1&size={size}")
        self.assertEqual(status, 200, cells)
        at = (3 * shape[1] + 1) * size * size
        worst = max(abs(a - b) for a, b in zip(floats(cells), attention[at:at + size * size]))
        self.assertLessEqual(worst, float(self.server.metadata["tolerance.attention"]))
        info = self.server.json("GET", f"/api/traces/{trace}")
        self.assertEqual(info["sides"][0]["text"], self.server.text)
        folders = os.listdir(self.server.temporary)
        self.assertEqual(len(folders), 1)
        inner = os.path.join(self.server.temporary, folders[0])
        self.assertEqual(os.listdir(inner), [])
        self.assertEqual(os.stat(inner).st_mode & 0o077, 0)

    def test_the_oldest_of_more_than_256_traces_is_forgotten(self):
        first = self.server.run(model="tiny", text="w5")
        for _ in range(257):
            self.server.run(model="tiny", text="w5")
        self.bad(404, "GET", f"/api/traces/{first}", says=["forgotten"])
        self.assertEqual(len(self.server.json("GET", "/api/traces")["traces"]), 256)


@unittest.skipUnless(MINILM, "needs the model's weights: REGARD_MINILM")
class Examples(unittest.TestCase):
    """docs/api.md says what the server says."""

    def compare(self, found, documented, where):
        if isinstance(documented, dict):
            self.assertEqual(sorted(found), sorted(documented), where)
            for key, value in documented.items():
                self.compare(found[key], value, f"{where}.{key}")
        elif isinstance(documented, list):
            cut = bool(documented) and documented[-1] == "..."
            wanted = documented[:-1] if cut else documented
            if not cut:
                self.assertEqual(len(found), len(wanted), where)
            for i, value in enumerate(wanted):
                self.compare(found[i], value, f"{where}[{i}]")
        elif isinstance(documented, float):
            self.assertAlmostEqual(found, documented, delta=2e-3, msg=where)
        elif isinstance(documented, str) and documented.endswith("..."):
            self.assertTrue(found.startswith(documented[:-3]), (where, found))
        elif isinstance(documented, int) and documented > 1000000:  # bytes of a folder
            self.assertAlmostEqual(found / documented, 1, delta=0.1, msg=where)
        elif documented not in ("TRACE", "RUN"):
            self.assertEqual(found, documented, where)

    def test_every_example_answers_as_documented(self):
        with open(API, encoding="utf-8") as file:
            blocks = re.findall(r"```(http|json|events)\n(.*?)```", file.read(), re.S)
        self.assertGreater(len(blocks), 12)
        home = tempfile.mkdtemp(prefix="regard-api-")
        self.addCleanup(shutil.rmtree, home)
        os.mkdir(os.path.join(home, "models"))
        os.symlink(MINILM, os.path.join(home, "models", "minilm"))
        server = Server(model="minilm", REGARD_CACHE=home)
        self.addCleanup(server.end)
        names = {}
        for i in range(0, len(blocks), 2):
            (kind, request), (expects, answer) = blocks[i], blocks[i + 1]
            self.assertEqual(kind, "http", request)
            for name, value in names.items():
                request = request.replace(name, value)
            line, _, body = request.strip().partition("\n")
            method, path = line.split(" ")
            status, _, data = server.ask(method, path, body.strip() or None)
            self.assertIn(status, (200, 202), (request, data))
            if expects == "events":
                found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", data.decode())
                name, value = re.findall(r"event: (\w+)\ndata: (.*)\n", answer)[-1]
                self.assertEqual(found[-1][0], name)
                found = json.loads(found[-1][1])
                self.compare(found, json.loads(value), request)
            else:
                found = json.loads(data)
                self.compare(found, json.loads(answer), request)
            if "run" in found:
                names["RUN"] = found["run"]
            if "trace" in found:
                names["TRACE"] = found["trace"]


if __name__ == "__main__":
    unittest.main()
