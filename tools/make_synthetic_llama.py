#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a folder with a synthetic Llama of a layer or two, for runs over very long texts.

Random weights, grouped heads, rotary positions, no tokenizer: texts are token ids.

  python3 tools/make_synthetic_llama.py /tmp/llama --layers 2 --ids 131072
  build/release/regard record --model /tmp/llama --ids @/tmp/llama/ids.txt -o /tmp/long.safetensors

Needs the Python standard library only.
"""

import argparse
import array
import json
import pathlib
import random
import struct

VOCABULARY = 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=2)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--ids", type=int, default=131072, help="length of ids.txt in tokens")
    options = parser.parse_args()
    dim, width = options.head_dim, options.heads * options.head_dim
    mlp, kv = 2 * width, options.kv_heads * dim
    draw = random.Random(7)

    tensors = {"model.embed_tokens.weight": (VOCABULARY, width), "model.norm.weight": (width,)}
    for layer in range(options.layers):
        prefix = f"model.layers.{layer}."
        tensors |= {
            prefix + "input_layernorm.weight": (width,),
            prefix + "post_attention_layernorm.weight": (width,),
            prefix + "self_attn.q_proj.weight": (width, width),
            prefix + "self_attn.k_proj.weight": (kv, width),
            prefix + "self_attn.v_proj.weight": (kv, width),
            prefix + "self_attn.o_proj.weight": (width, width),
            prefix + "mlp.gate_proj.weight": (mlp, width),
            prefix + "mlp.up_proj.weight": (mlp, width),
            prefix + "mlp.down_proj.weight": (width, mlp),
        }
    header, data = {}, bytearray()
    for name, shape in tensors.items():
        if len(shape) == 1:
            values = array.array("f", [1.0] * shape[0])
        else:
            # Queries and keys are drawn wider, so that rows of attention are peaked.
            scale = (2.0 if ".q_proj" in name or ".k_proj" in name else 1.0) * shape[1] ** -0.5
            values = array.array("f", (draw.gauss(0, scale) for _ in range(shape[0] * shape[1])))
        header[name] = {"dtype": "F32", "shape": list(shape),
                        "data_offsets": [len(data), len(data) + 4 * len(values)]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)

    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (options.folder / "config.json").write_text(json.dumps({
        "model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": width,
        "intermediate_size": mlp, "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads, "num_key_value_heads": options.kv_heads,
        "head_dim": dim, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "max_position_embeddings": 131072, "tie_word_embeddings": True}, indent=2) + "\n")
    (options.folder / "ids.txt").write_text(
        "\n".join(str(draw.randrange(VOCABULARY)) for _ in range(options.ids)) + "\n")


if __name__ == "__main__":
    main()
