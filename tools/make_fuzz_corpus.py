#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes fuzz/corpus/safetensors: good_* must open, bad_* must be refused."""
import json
import pathlib
import struct

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus" / "safetensors"


def tensor(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def pack(header, data=b"\0" * 4, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


PAIR = [tensor(offsets=(0, 4)), tensor(offsets=(4, 8))]
FILES = {
    "good_one": pack({"a": tensor()}),
    "good_empty": pack({}, b""),
    "good_scalar_and_nothing": pack({"a": tensor(shape=()), "b": tensor(shape=(0, 3), offsets=(4, 4))}),
    "good_metadata": pack({"__metadata__": {"k": "v"}, "a": tensor()}),
    "good_unaligned": pack(b" ".join([b"{", json.dumps({"a": tensor()}).encode()[1:]])),
    "bad_nothing": b"",
    "bad_seven_bytes": b"\0" * 7,
    "bad_length_2_63": pack({"a": tensor()}, length=1 << 63),
    "bad_length_all_ones": pack({"a": tensor()}, length=(1 << 64) - 1),
    "bad_truncated_header": pack({"a": tensor()}, b"", length=1000),
    "bad_truncated_data": pack({"a": tensor()}, b"\0" * 3),
    "bad_empty_header": pack(b""),
    "bad_leading_space": pack(b" " + json.dumps({"a": tensor()}).encode()),
    "bad_array": pack(b"[]", b""),
    "bad_json": pack(b'{"a"', b""),
    "bad_duplicate": pack(b'{"a":%b,"a":%b}' % tuple(json.dumps(t).encode() for t in PAIR), b"\0" * 8),
    "bad_dtype": pack({"a": tensor(dtype="F31")}),
    "bad_negative_axis": pack({"a": tensor(shape=(-1,))}),
    "bad_overflowing_shape": pack({"a": tensor(shape=(1 << 40, 1 << 40))}),
    "bad_offsets_and_shape": pack({"a": tensor(shape=(2,))}),
    "bad_offsets_reversed": pack({"a": tensor(offsets=(4, 0))}),
    "bad_offsets_beyond": pack({"a": tensor(offsets=(4, 8))}),
    "bad_one_offset": pack({"a": tensor(offsets=(4,))}),
    "bad_hole": pack({"a": PAIR[0], "b": tensor(offsets=(8, 12))}, b"\0" * 12),
    "bad_overlap": pack({"a": tensor(), "b": tensor()}),
    "bad_trailing": pack({"a": tensor()}, b"\0" * 5),
    "bad_metadata": pack({"__metadata__": {"k": 1}, "a": tensor()}),
    "bad_metadata_list": pack({"__metadata__": [], "a": tensor()}),
    "bad_missing_shape": pack({"a": {"dtype": "F32", "data_offsets": [0, 4]}}),
}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        (FOLDER / name).write_bytes(content)
