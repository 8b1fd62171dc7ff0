# SPDX-License-Identifier: Apache-2.0
"""Finding models by folder, file, name and hub id; fetching them from a server that speaks the
hub's URLs, well and badly. REGARD_BINARY names the program."""

import hashlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

BINARY = os.environ["REGARD_BINARY"]
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
MODEL = os.path.join(GOLDEN, "bert", "four_layers")
SHARDED = os.path.join(GOLDEN, "bert", "sharded")
GGUF = os.path.join(GOLDEN, "weights", "types.gguf")
COMMIT = "86b5e0934494bd15c9632b12f734a8a67f723594"
IDS = "1,2,3"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def files_of(folder):
    return {name: read(os.path.join(folder, name)) for name in os.listdir(folder)
            if name == "config.json" or name.startswith("model")}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.handle_request()

    def do_GET(self):
        self.handle_request()

    def handle_request(self):
        hub = self.server.hub
        hub.requests.append((self.command, self.path, dict(self.headers)))
        parts = self.path.strip("/").split("/")
        if hub.hang:
            hub.stop.wait(20)
            return None
        if parts[0] == "lfs":
            return self.send_lfs(hub, parts[1])
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.answer(401, X_Error_Message="Access to this model is restricted.")
        if parts[:2] == ["api", "models"] and "/".join(parts[2:4]) == hub.id:
            if parts[4:] not in (["revision", "main"], ["revision", COMMIT], ["revision", "v1"],
                                 ["revision", "refs%2Fpr%2F1"]):
                return self.answer(404, X_Error_Code="RevisionNotFound")
            listing = {"id": hub.id, "sha": COMMIT,
                       "siblings": [{"rfilename": name} for name in hub.files]}
            return self.answer(200, json.dumps(listing).encode())
        if "/".join(parts[:2]) == hub.id and parts[2] == "resolve" and parts[4] in hub.files:
            data = hub.files[parts[4]]
            if len(data) < 2000:
                tag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                return self.answer(200, data, ETag=f'"{tag}"', X_Repo_Commit=COMMIT)
            digest = hashlib.sha256(data).hexdigest()
            # The files themselves are on another host.
            return self.answer(302, Location=f"http://localhost:{hub.port}/lfs/{digest}",
                               X_Linked_Etag=f'"{digest}"', X_Linked_Size=str(len(data)),
                               X_Repo_Commit=COMMIT)
        return self.answer(404, X_Error_Code="EntryNotFound")

    def send_lfs(self, hub, digest):
        data = next(d for d in hub.files.values() if hashlib.sha256(d).hexdigest() == digest)
        if hub.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        total = len(data)
        first = 0
        wanted = self.headers.get("Range")
        if wanted and hub.ranges:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= total:
                return self.answer(416)
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - first))
        self.end_headers()
        rest = data[first:]
        if hub.drops > 0:
            hub.drops -= 1
            self.wfile.write(rest[:len(rest) // 3])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return None
        self.wfile.write(rest)
        return None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Connections that break are what some tests want."""


class Hub:
    """A model hub with one model."""

    def __init__(self, files, model_id="org/name"):
        self.files, self.id = files, model_id
        self.token, self.drops, self.corrupt, self.ranges, self.hang = "", 0, False, True, False
        self.requests, self.stop = [], threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.hub = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()


class ModelsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="regard-models-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.cache = self.path("hf")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run_regard(self, *arguments, **settings):
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8",
                       "HF_HUB_CACHE": self.cache}
        environment.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
        environment.update(settings)
        return subprocess.run([BINARY, *arguments], capture_output=True, env=environment,
                              cwd=self.folder, timeout=120, check=False)

    def good(self, *arguments, **settings):
        done = self.run_regard(*arguments, **settings)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def bad(self, *arguments, says=(), status=1, **settings):
        done = self.run_regard(*arguments, **settings)
        error = done.stderr.decode()
        self.assertEqual(done.returncode, status, error)
        self.assertEqual(error.count("\n"), 1, error)
        for part in says:
            self.assertIn(part, error)

    def shows(self, model, **settings):
        return json.loads(self.good("show", "--model", model, "--ids", IDS, "--format", "json",
                                    **settings))

    def add_snapshot(self, name="models--org--name", source=MODEL, revision="main"):
        """As Python's huggingface_hub lays it out."""
        folder = os.path.join(self.cache, name)
        snapshot = os.path.join(folder, "snapshots", COMMIT)
        os.makedirs(os.path.join(folder, "blobs"), exist_ok=True)
        os.makedirs(os.path.dirname(os.path.join(folder, "refs", revision)), exist_ok=True)
        os.makedirs(snapshot, exist_ok=True)
        for file, data in files_of(source).items():
            blob = hashlib.sha256(data).hexdigest()
            with open(os.path.join(folder, "blobs", blob), "wb") as out:
                out.write(data)
            if not os.path.lexists(os.path.join(snapshot, file)):
                os.symlink(f"../../blobs/{blob}", os.path.join(snapshot, file))
        with open(os.path.join(folder, "refs", revision), "w", encoding="utf-8") as out:
            out.write(COMMIT)
        return folder


class FindingTest(ModelsTest):
    def test_a_file_of_weights_beside_its_configuration_is_a_model(self):
        expected = self.shows(MODEL)["heads"]
        self.assertEqual(self.shows(os.path.join(MODEL, "model.safetensors"))["heads"], expected)

    def test_a_hub_id_is_looked_up_in_the_hubs_cache(self):
        self.add_snapshot()
        expected = self.shows(MODEL)["heads"]
        for model in ("org/name", "org/name@main", f"org/name@{COMMIT}"):
            self.assertEqual(self.shows(model)["heads"], expected, model)
        self.assertEqual(self.shows("org/name")["model"], "org/name")
        self.assertEqual(self.shows("org/name", HF_HUB_OFFLINE="1")["heads"], expected)

    def test_the_cache_is_found_as_python_finds_it(self):
        self.add_snapshot()
        shutil.move(self.cache, self.path("home", "hub"))
        self.shows("org/name", HF_HUB_CACHE="", HF_HOME=self.path("home"))
        os.makedirs(self.path(".cache", "huggingface"))
        shutil.move(self.path("home", "hub"), self.path(".cache", "huggingface", "hub"))
        self.shows("org/name", HF_HUB_CACHE="")

    def test_revisions_are_told_apart(self):
        self.add_snapshot(revision="refs/pr/1")
        self.shows("org/name@refs/pr/1")
        self.bad("show", "--model", "org/name", "--ids", IDS,
                 says=["the revision main", "refs/pr/1"])

    def test_a_name_may_be_short_or_of_an_own_cache(self):
        self.add_snapshot("models--sentence-transformers--all-MiniLM-L6-v2")
        self.shows("minilm")
        self.good("show", "--ids", IDS, "--format", "json")
        shutil.copytree(MODEL, self.path(".cache", "regard", "models", "mine"))
        self.shows("mine")
        self.add_snapshot("models--gpt2x")
        self.shows("gpt2x")

    def test_a_broken_cache_says_where(self):
        folder = self.add_snapshot()
        shutil.rmtree(os.path.join(folder, "blobs"))
        self.bad("show", "--model", "org/name", "--ids", IDS, says=["snapshots", COMMIT])
        shutil.rmtree(os.path.join(folder, "snapshots"))
        self.bad("show", "--model", "org/name", "--ids", IDS, says=["refs/main", COMMIT])
        with open(os.path.join(folder, "refs", "main"), "w", encoding="utf-8") as out:
            out.write("../../../etc")
        self.bad("show", "--model", "org/name", "--ids", IDS, says=["the name of a commit"])

    def test_what_is_nowhere_says_where_it_was_sought_and_how_to_fetch_it(self):
        self.bad("show", "--model", "org/none", "--ids", IDS,
                 says=["models--org--none", "models pull org/none"])
        self.bad("show", "--model", "../none/x", "--ids", IDS, says=["../none/x", "nothing of that name"])
        with open(self.path("x.txt"), "w", encoding="utf-8") as out:
            out.write("x")
        self.bad("show", "--model", "x.txt", "--ids", IDS, says=["x.txt", ".gguf"])

    def test_the_list_has_both_caches_and_says_what_is_broken(self):
        self.add_snapshot()
        os.makedirs(os.path.join(self.add_snapshot("models--org--broken"), "refs", "x"))
        shutil.rmtree(os.path.join(self.cache, "models--org--broken", "blobs"))
        shutil.copytree(MODEL, self.path(".cache", "regard", "models", "mine"))
        models = {entry["name"]: entry for entry in
                  json.loads(self.good("models", "list", "--format", "json"))["models"]}
        self.assertEqual(sorted(models), ["lesson", "mine", "org/broken", "org/name"])
        for name in ("mine", "org/name"):
            self.assertTrue(models[name]["opens"], models[name])
            self.assertEqual(models[name]["architecture"], "bert")
        self.assertGreater(models["org/name"]["bytes"],
                           os.path.getsize(os.path.join(MODEL, "model.safetensors")))
        self.assertFalse(models["org/broken"]["opens"])
        self.assertTrue(models["org/broken"]["note"])
        text = self.good("models", "list")
        self.assertIn("org/name", text)
        self.assertIn("cannot be opened", text)

    def test_a_folder_with_one_gguf_file_is_listed_by_its_metadata(self):
        os.makedirs(self.path(".cache", "regard", "models", "types"))
        shutil.copy(GGUF, self.path(".cache", "regard", "models", "types"))
        entry = json.loads(self.good("models", "list", "--format", "json"))["models"][1]
        self.assertEqual(entry["name"], "types")
        self.assertFalse(entry["opens"])
        self.assertIn("general.architecture", entry["note"])


class PullingTest(ModelsTest):
    def hub(self, files=None, **settings):
        hub = Hub(files if files is not None else files_of(MODEL))
        self.addCleanup(hub.close)
        for name, value in settings.items():
            setattr(hub, name, value)
        return hub

    def pull(self, hub, model="org/name", **settings):
        return self.good("models", "pull", model, HF_ENDPOINT=hub.url, **settings).strip()

    def bad_pull(self, hub, says, model="org/name", **settings):
        self.bad("models", "pull", model, HF_ENDPOINT=hub.url, says=says, **settings)

    def snapshot(self):
        return os.path.join(self.cache, "models--org--name", "snapshots", COMMIT)

    def assert_pulled(self, files):
        for name, data in files.items():
            self.assertEqual(read(os.path.join(self.snapshot(), name)), data)
        self.assertEqual(sorted(os.listdir(self.snapshot())), sorted(files))

    def test_a_model_is_pulled_into_the_hubs_layout_and_then_found(self):
        hub = self.hub()
        hub.files = {**hub.files, "README.md": b"x", "onnx": b"y", "tf_model.h5": b"z" * 3000,
                     "tokenizer.txt": b"w"}
        self.assertEqual(self.pull(hub), self.snapshot())
        self.assert_pulled(files_of(MODEL))
        weights = os.path.join(self.snapshot(), "model.safetensors")
        digest = hashlib.sha256(read(weights)).hexdigest()
        self.assertEqual(os.readlink(weights), f"../../blobs/{digest}")
        self.assertEqual(read(os.path.join(self.cache, "models--org--name", "refs", "main")),
                         COMMIT.encode())
        self.assertEqual(self.shows("org/name")["heads"], self.shows(MODEL)["heads"])
        asked = len(hub.requests)
        self.pull(hub)
        self.assertEqual([path for _, path, _ in hub.requests[asked:]],
                         ["/api/models/org/name/revision/main"])

    def test_a_revision_gets_its_own_reference(self):
        hub = self.hub()
        self.pull(hub, "org/name@v1")
        self.assertTrue(os.path.exists(os.path.join(self.cache, "models--org--name/refs/v1")))
        self.shows("org/name@v1")
        self.bad("show", "--model", "org/name", "--ids", IDS, says=["the revision main", "v1"])
        self.bad_pull(hub, ["404", "org/name@v2"], "org/name@v2")

    def test_a_revision_with_slashes_is_one_part_of_the_address(self):
        hub = self.hub()
        self.pull(hub, "org/name@refs/pr/1")
        self.shows("org/name@refs/pr/1")

    def test_shards_are_pulled_with_their_index(self):
        files = files_of(SHARDED)
        self.assertIn("model.safetensors.index.json", files)
        self.pull(self.hub(files))
        self.assert_pulled(files)

    def test_one_gguf_file_is_pulled_or_the_one_that_is_named(self):
        data = read(GGUF)
        self.pull(self.hub({"a.gguf": data}))
        self.assert_pulled({"a.gguf": data})
        two = self.hub({"a.gguf": data, "b.gguf": data + b"\0"})
        shutil.rmtree(self.cache)
        self.bad_pull(two, ["one .gguf", "a.gguf, b.gguf"])
        self.assertEqual(self.pull(two, "org/name/b.gguf"),
                         os.path.join(self.snapshot(), "b.gguf"))
        self.bad_pull(two, ["c.gguf"], "org/name/c.gguf")
        self.bad_pull(self.hub({"config.json": b"{}"}), ["none of them"])

    def test_dropped_connections_are_resumed(self):
        hub = self.hub(drops=4)
        self.pull(hub)
        self.assert_pulled(files_of(MODEL))
        ranges = [headers["Range"] for _, path, headers in hub.requests
                  if "Range" in headers and path.startswith("/lfs/")]
        self.assertEqual(len(ranges), 4)
        self.assertEqual(len(set(ranges)), 4)

    def test_a_server_without_ranges_begins_again(self):
        self.pull(self.hub(drops=2, ranges=False))
        self.assert_pulled(files_of(MODEL))

    def test_a_download_that_broke_off_is_resumed_by_the_next_pull(self):
        hub = self.hub()
        data = hub.files["model.safetensors"]
        blobs = os.path.join(self.cache, "models--org--name", "blobs")
        os.makedirs(blobs)
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest + ".incomplete"), "wb") as out:
            out.write(data[:1000])
        self.pull(hub)
        self.assert_pulled(files_of(MODEL))
        self.assertIn("bytes=1000-", [h.get("Range") for _, _, h in hub.requests])
        self.assertEqual([n for n in os.listdir(blobs) if n.endswith(".incomplete")], [])

    def test_a_wrong_hash_is_an_error_and_leaves_nothing(self):
        hub = self.hub(corrupt=True)
        self.bad_pull(hub, ["SHA-256", hashlib.sha256(hub.files["model.safetensors"]).hexdigest()])
        self.assertFalse(os.path.exists(os.path.join(self.snapshot(), "model.safetensors")))
        self.assertFalse(os.path.exists(os.path.join(self.cache, "models--org--name/refs/main")))
        hub.corrupt = False
        self.pull(hub)
        self.assert_pulled(files_of(MODEL))

    def test_a_token_is_sent_to_the_hub_and_to_nobody_else(self):
        hub = self.hub(token="secret")
        self.bad_pull(hub, ["401", "HF_TOKEN", "restricted"])
        self.bad_pull(hub, ["401", "HF_TOKEN"], HF_TOKEN="wrong")
        hub.requests.clear()
        self.pull(hub, HF_TOKEN="secret")
        for _, path, headers in hub.requests:
            self.assertEqual("Authorization" in headers, not path.startswith("/lfs/"), path)

    def test_what_the_hub_does_not_have_is_an_error(self):
        self.bad_pull(self.hub(), ["404", "org/other"], "org/other")
        self.bad_pull(self.hub(), ["ORG/NAME"], "../../etc", status=2)
        self.bad("models", "pull", status=2)

    def test_a_hub_that_hangs_or_is_away_is_an_error_in_time(self):
        self.bad_pull(self.hub(hang=True), ["an answer of the hub"], HF_HUB_DOWNLOAD_TIMEOUT="1")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.bad("models", "pull", "org/name", says=["an answer of the hub"],
                     HF_ENDPOINT=f"http://127.0.0.1:{unused.getsockname()[1]}")

    def test_offline_nothing_is_asked(self):
        hub = self.hub()
        self.bad_pull(hub, ["HF_HUB_OFFLINE"], HF_HUB_OFFLINE="1")
        self.assertEqual(hub.requests, [])

    def test_names_that_lead_out_of_the_folder_are_not_fetched(self):
        hub = self.hub()
        hub.files = {**hub.files, "../../config.json": b"{}", "model-../x.safetensors": b"x"}
        self.pull(hub)
        self.assert_pulled(files_of(MODEL))


if __name__ == "__main__":
    unittest.main()
