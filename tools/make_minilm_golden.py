#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/minilm.safetensors: attentions of the real all-MiniLM-L6-v2 in float64.

  python tools/make_minilm_golden.py FOLDER     FOLDER holds the model (config.json, weights, ...)

For sentence i: text (bytes), ids, attention float32 [layer, head, query, key] of all layers and
heads. The tolerance, max(1e-5, 3 x PyTorch's own float32-float64 difference), and the versions are
in the metadata.
"""

import argparse
import pathlib

import torch
import transformers
from make_golden import save
from transformers import AutoModel, AutoTokenizer

OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "minilm.safetensors"
SENTENCES = [
    "The animal didn't cross the street because it was too tired.",
    "When the lamp fell on the glass table, it broke: nobody had screwed it to the wall.",
    "Zoë paid 3.50 € for two croissants, ate one, and gave the other to her neighbour's dog.",
]
# (layer, head, from, to, weight): what the first sentence shows, measured before.
KNOWN = [(3, 1, "it", "animal", 0.6768), (5, 11, "it", "animal", 0.6733),
         (2, 1, "it", "tired", 0.7146)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    attentions = {}
    for dtype in (torch.float32, torch.float64):
        model.to(dtype)
        with torch.no_grad():
            attentions[dtype] = [
                torch.cat(model(**tokenizer(text, return_tensors="pt"),
                                output_attentions=True).attentions) for text in SENTENCES]

    tensors = {}
    difference = 0.0
    for index, text in enumerate(SENTENCES):
        exact = attentions[torch.float64][index]
        difference = max(difference, float((attentions[torch.float32][index] - exact).abs().max()))
        tensors[f"{index}.text"] = torch.tensor(list(text.encode()), dtype=torch.uint8)
        tensors[f"{index}.ids"] = torch.tensor(tokenizer(text)["input_ids"])
        tensors[f"{index}.attention"] = exact.float().contiguous()
    tokens = tokenizer.tokenize(SENTENCES[0], add_special_tokens=True)
    for layer, head, query, key, weight in KNOWN:
        found = float(attentions[torch.float64][0][layer, head, tokens.index(query),
                                                   tokens.index(key)])
        assert abs(found - weight) < 5e-5, (layer, head, query, key, found)
    metadata = {"tolerance": repr(max(1e-5, 3 * difference)), "model": "all-MiniLM-L6-v2",
                "torch": torch.__version__, "transformers": transformers.__version__}
    save(OUTPUT, tensors, metadata)
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 1024:.1f} KiB, tolerance {metadata['tolerance']}")


if __name__ == "__main__":
    main()
