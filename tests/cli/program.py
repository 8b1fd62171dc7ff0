# SPDX-License-Identifier: Apache-2.0
"""What the tests of the program share: how it is run, files read and written by hand, the golden
case. REGARD_BINARY names the program. Expected attention comes from PyTorch's golden files in
tests/golden/bert. With REGARD_MINILM naming the folder of all-MiniLM-L6-v2, the real model too.
"""

import ast
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

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


class GoldenCase(CliTest):
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
