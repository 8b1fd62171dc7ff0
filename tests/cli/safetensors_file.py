# SPDX-License-Identifier: Apache-2.0
"""Reads a safetensors file with the standard library, for tests."""
import json
import struct


def read_safetensors(path):
    """{name: (dtype, shape, bytes)}, metadata."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    body = data[8 + size:]
    return {name: (entry["dtype"], entry["shape"],
                   body[entry["data_offsets"][0]:entry["data_offsets"][1]])
            for name, entry in header.items()}, metadata
