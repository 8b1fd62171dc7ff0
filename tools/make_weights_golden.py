#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/weights: small files of weights as other programs write them.

types.gguf           a tensor of each type, written by the gguf package: random blocks with finite
                     scales, a block of extremes first, and values of metadata of every type
types.safetensors    the gguf package's dequantisation of each, and transformers' of MXFP4 as
                     Hugging Face stores it (mxfp4_blocks, mxfp4_scales, mxfp4)

torch.bin            a state dictionary as torch.save writes it: every plain type, a parameter,
                     transposed and sliced views, two tensors of one storage
torch.safetensors    the same tensors, dense
torch_protocol_4.bin pickled with a newer protocol, one tensor "a" of 1 and 2
torch_old.bin        as before PyTorch 1.6
torch_script.bin     a TorchScript archive

  python tools/make_weights_golden.py

The files in git were made with gguf 0.19, torch 2.13 and transformers 5.23.
"""

import collections
import pathlib

import gguf
import numpy
import safetensors.numpy
import safetensors.torch
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "weights"
ROWS, COLUMNS = 3, 512
TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL MXFP4 F16 BF16 F32".split()
# Where the halves that are scales lie in a block.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0],
          "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
# Largest and smallest halves, both zeros, subnormals.
EXTREMES = [65504.0, -65504.0, 0.0, -0.0, 6e-8, -6.1e-5]


def random_blocks(name, rng):
    elements, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    blocks = rng.integers(0, 256, (ROWS * COLUMNS // elements, size), dtype=numpy.uint8)
    for at in HALVES.get(name, []):
        scales = rng.normal(0, 0.1, len(blocks)).astype(numpy.float16)
        extremes = numpy.array(EXTREMES[:len(blocks)], numpy.float16)
        scales[:len(extremes)] = extremes if at != 82 and at != 2 else extremes[::-1]
        blocks[:, at:at + 2] = scales.view(numpy.uint8).reshape(-1, 2)
    if name == "MXFP4":  # exponents near 127, the extremes among them
        blocks[:, 0] = numpy.clip(rng.normal(127, 6, len(blocks)), 0, 250)
        blocks[:4, 0] = [0, 1, 2, 250]
    return blocks.reshape(ROWS, -1)


def write_types():
    rng = numpy.random.default_rng(20260107)
    writer = gguf.GGUFWriter(str(FOLDER / "types.gguf"), "none")
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_float32("test.f32", 0.5)
    writer.add_uint64("test.u64", 1 << 62)
    writer.add_int64("test.i64", -(1 << 62))
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "caf\u00e9")
    writer.add_array("test.strings", ["a", "", "\u4e2d"])
    writer.add_array("test.ints", [1, -2, 3])
    writer.add_array("test.floats", [0.5, -2.5])
    expected = {}
    for name in TYPES:
        kind = GGMLQuantizationType[name]
        if name == "F32":
            data = rng.normal(0, 1, (ROWS, COLUMNS)).astype(numpy.float32)
        elif name == "F16":
            data = rng.normal(0, 1, (ROWS, COLUMNS)).astype(numpy.float16)
        elif name == "BF16":
            data = gguf.quantize(rng.normal(0, 1, (ROWS, COLUMNS)).astype(numpy.float32), kind)
        else:
            data = random_blocks(name, rng)
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = gguf.dequantize(data, kind).reshape(ROWS, COLUMNS)
        assert numpy.isfinite(expected[name]).all(), name

    blocks = rng.integers(0, 256, (2, ROWS, 4, 16), dtype=numpy.uint8)
    scales = numpy.clip(rng.normal(127, 6, (2, ROWS, 4)), 0, 250).astype(numpy.uint8)
    dense = convert_moe_packed_tensors(torch.from_numpy(blocks), torch.from_numpy(scales),
                                       dtype=torch.float32)
    # transformers turns the last two axes round.
    expected["mxfp4"] = numpy.ascontiguousarray(dense.transpose(1, 2).numpy())
    expected["mxfp4_blocks"], expected["mxfp4_scales"] = blocks, scales
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    safetensors.numpy.save_file(expected, FOLDER / "types.safetensors")


def write_torch():
    torch.manual_seed(20260107)
    base = torch.randn(4, 6)
    state = collections.OrderedDict(
        f32=base, f64=torch.randn(3, dtype=torch.float64), f16=torch.randn(2, 3).half(),
        bf16=torch.randn(5).bfloat16(), i64=torch.arange(-2, 3), i32=torch.arange(3).int(),
        i16=torch.arange(3).short(), i8=torch.arange(-1, 2).to(torch.int8),
        u8=torch.arange(3).to(torch.uint8), bool=torch.tensor([True, False, True]),
        scalar=torch.tensor(2.5), none=torch.zeros(0, 3), parameter=torch.nn.Parameter(base[1:3]),
        transposed=base.t(), columns=base[:, 1:4], permuted=torch.randn(2, 3, 4).permute(2, 0, 1),
        one_row=base[2:3].t())
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    torch.save(state, FOLDER / "torch.bin")
    safetensors.torch.save_file({name: tensor.detach().clone().contiguous()
                                 for name, tensor in state.items()}, FOLDER / "torch.safetensors")
    small = {"a": torch.tensor([1.0, 2.0])}
    torch.save(small, FOLDER / "torch_protocol_4.bin", pickle_protocol=4)
    torch.save(small, FOLDER / "torch_old.bin", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), FOLDER / "torch_script.bin")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_types()
    write_torch()
