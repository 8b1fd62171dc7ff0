# SPDX-License-Identifier: Apache-2.0
"""The server under test: `regard serve` with a small model of its own, and requests to it.

REGARD_BINARY names the program. Its model is tests/golden/bert/four_layers, whose ids become words
here. All traffic stays on the loopback device.
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

BINARY = os.environ["REGARD_BINARY"]
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "..", "..", "tests")
GOLDEN = os.path.join(TESTS, "golden", "bert", "four_layers")

sys.path.append(os.path.join(TESTS, "cli"))
from safetensors_file import read_safetensors  # noqa: E402


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


class Server:
    """`regard serve` with one model of its own, on a free port."""

    def __init__(self, *arguments, model=None, **settings):
        self.home = tempfile.mkdtemp(prefix="regard-server-")
        self.temporary = os.path.join(self.home, "tmp")
        os.mkdir(self.temporary)
        self.expected, self.metadata = read_safetensors(
            os.path.join(GOLDEN, "expected.safetensors"))
        _, shape, data = self.expected["ids"]
        self.ids = struct.unpack(f"<{shape[0]}q", data)
        if model is None:
            model = self.make_model()
        environment = {"PATH": os.environ["PATH"], "HOME": self.home, "TMPDIR": self.temporary,
                       "REGARD_CACHE": self.home, "LC_ALL": "C.UTF-8"}
        environment.update(settings)
        # Its own process: ended with the test whatever happens.
        self.process = subprocess.Popen(
            [BINARY, "serve", "--port", "0", "--model", model, *arguments],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://\S*?:(\d+)/", line)
        if not found:
            raise AssertionError(line + self.process.stderr.read().decode())
        self.line = line
        self.port = int(found.group(1))

    def make_model(self):
        """The golden model with a vocabulary in which its ids are words; as "tiny" in the cache."""
        folder = os.path.join(self.home, "models", "tiny")
        os.makedirs(folder)
        for name in ("config.json", "model.safetensors"):
            shutil.copy(os.path.join(GOLDEN, name), folder)
        words = [f"w{i}" for i in range(64)]
        words[self.ids[0]], words[self.ids[-1]] = "[CLS]", "[SEP]"
        unused = sorted(set(range(64)) - set(self.ids))
        words[unused[0]], words[unused[1]] = "[PAD]", "[UNK]"
        with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
            file.write("\n".join(words) + "\n")
        return "tiny"

    @property
    def text(self):
        """The text that the tokenizer cuts into the golden ids."""
        return " ".join(f"w{i}" for i in self.ids[1:-1])

    def connect(self, timeout=30):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers, bytes."""
        connection = self.connect()
        try:
            headers = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            if body is not None:
                headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None):
        status, _, data = self.ask(method, path, body)
        if status not in (200, 202):
            raise AssertionError(f"{status}: {data}")
        return json.loads(data)

    def events(self, run):
        """All events of a run, to its end."""
        status, headers, data = self.ask("GET", f"/api/runs/{run}/events")
        assert status == 200 and headers["Content-Type"] == "text/event-stream", (status, data)
        found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", data.decode())
        return [(name, json.loads(value)) for name, value in found]

    def run(self, **request):
        """Runs a text; the trace's id."""
        run = self.json("POST", "/api/runs", request)["run"]
        name, value = self.events(run)[-1]
        assert name == "done", value
        return value["trace"]

    def raw(self, data, timeout=10):
        """What comes back for these bytes, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as client:
            client.sendall(data)
            answer = b""
            while part := client.recv(65536):
                answer += part
            return answer

    def memory(self):
        """Anonymous memory in bytes: without mapped files."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"RssAnon:\s+(\d+) kB", file.read()).group(1)) * 1024

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        status = self.process.wait(timeout=30)
        errors = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        left = os.listdir(self.temporary)
        shutil.rmtree(self.home)
        return status, errors, left


class ServerTest(unittest.TestCase):
    arguments = ()
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments, **cls.settings)
        cls.addClassCleanup(cls.end)

    @classmethod
    def end(cls):
        status, errors, left = cls.server.end()
        assert status == 0 and errors == "" and left == [], (status, errors, left)

    def bad(self, expected, method, path, body=None, says=(), headers=None):
        status, answer, data = self.server.ask(method, path, body, headers)
        self.assertEqual(status, expected, data)
        self.assertEqual(answer["Content-Type"], "application/json")
        reason = json.loads(data)["error"]
        for part in says:
            self.assertIn(part, reason)
        return reason
