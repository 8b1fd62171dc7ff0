# SPDX-License-Identifier: Apache-2.0
"""The peak memory of `regard record`: one layer's record, however many layers are recorded.

A model of 24 layers is made here, all of its weights 0 and its gains 1, which is enough to run.
"""

import json
import os
import struct
import subprocess
import unittest

from program import BINARY, CliTest

LAYERS, HEADS, DIM, WIDTH, MLP, TOKENS = 24, 8, 32, 256, 64, 2048
# Queries, keys and values of a layer.
LAYER_BYTES = 3 * HEADS * TOKENS * DIM * 4


def write_model(folder):
    shapes = {"model.embed_tokens.weight": [64, WIDTH], "model.norm.weight": [WIDTH]}
    for layer in range(LAYERS):
        for name, shape in {"self_attn.q_proj": [WIDTH, WIDTH], "self_attn.k_proj": [WIDTH, WIDTH],
                            "self_attn.v_proj": [WIDTH, WIDTH], "self_attn.o_proj": [WIDTH, WIDTH],
                            "mlp.gate_proj": [MLP, WIDTH], "mlp.up_proj": [MLP, WIDTH],
                            "mlp.down_proj": [WIDTH, MLP], "input_layernorm": [WIDTH],
                            "post_attention_layernorm": [WIDTH]}.items():
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
    header, at, gains = {}, 0, []
    for name, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        if len(shape) == 1:
            gains.append(at)
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        begin = file.tell()
        # Such that queries are no halves, which the file would hold in two bytes.
        file.write(struct.pack("<f", 0.0115) * (at // 4))
        for gain in gains:
            file.seek(begin + gain)
            file.write(struct.pack("<f", 1) * WIDTH)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"model_type": "llama", "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
                   "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "head_dim": DIM,
                   "intermediate_size": MLP, "vocab_size": 64, "rms_norm_eps": 1e-5,
                   "max_position_embeddings": TOKENS, "hidden_act": "silu", "rope_theta": 10000.0,
                   "tie_word_embeddings": True}, file)


class MemoryTest(CliTest):
    def peak(self, *arguments):
        """Bytes that the program held at once."""
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder}
        environment.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
        # A sanitizer keeps what is freed for a while.
        environment["ASAN_OPTIONS"] = ":".join(
            filter(None, [environment.get("ASAN_OPTIONS"), "quarantine_size_mb=1"]))
        child = subprocess.Popen([BINARY, *arguments], env=environment, stderr=subprocess.PIPE)
        error = child.stderr.read()
        child.stderr.close()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(child.returncode, 0, error.decode())
        return usage.ru_maxrss * 1024

    def test_recording_all_layers_holds_little_more_than_recording_one(self):
        write_model(self.folder)
        ids = self.path("ids")
        with open(ids, "w", encoding="utf-8") as file:
            file.write(" ".join(str(i % 64) for i in range(TOKENS)))
        command = ["record", "--model", self.folder, "--ids", "@" + ids, "-o"]
        one = self.peak(*command, self.path("one.safetensors"), "--layers", "0")
        every = self.peak(*command, self.path("all.safetensors"))
        self.assertGreater(os.path.getsize(self.path("all.safetensors")), LAYERS * LAYER_BYTES)
        # Two records may overlap for a moment; weights that were read stay in the file's map.
        self.assertLess(every - one, 3 * LAYER_BYTES, (one, every))
        self.assertLess(every, os.path.getsize(self.path("model.safetensors")) + 12 * LAYER_BYTES)


if __name__ == "__main__":
    unittest.main()
