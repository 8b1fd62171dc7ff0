#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what `regard train` is told about the lesson's language: tokenizer.json and corruption.json.

    recipe.py words.tsv FOLDER      words.tsv: as `lesson_corpus --words` writes it

The tokenizer is WordPiece over the lexicon's words, with single letters, digits and signs below
them, so that any Latin text can be typed; "didn't" is one word. Needs the Python package tokenizers.
"""
import json
import os
import string
import sys

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from measure import read_parts

LETTERS = string.ascii_lowercase + "ßæøœłđðþ" + string.digits
SIGNS = string.punctuation + "–—…“”„«»‹›€£§°·•¡¿"

# How many words of each part of speech are to be guessed. Of a noun that a document has twice, one
# place is, the last one twice as often; most often a pronoun is put there.
CORRUPTION = {
    "mask": 0.3, "swap": 0.5,
    "classes": {
        "pronoun": {"choose": 0.8},
        "be": {"choose": 0.8},
        "noun": {"choose": 0.05, "repeated": 0.7, "last": 0.67,
                 "swap_with": {"pronoun": 0.8, "noun": 0.2}},
        "verb": {"choose": 0.05},
        "property": {"choose": 0.05},
        "function": {"choose": 0.03},
    },
    # Joining words, signs and letters are hidden or swapped, late in training, so that a join that
    # was never seen ("since", a colon) does not lead the model astray.
    "noise": {"documents": 0.4, "replace": 0.25, "mask": 0.3, "from": 0.5,
              "classes": ["function"], "other": True},
    # So that distances beyond those of the corpus are known.
    "gaps": {"batches": 0.5, "most": 0.3, "longest": 12},
    # So that letters mean something.
    "spelt": {"documents": 0.03, "classes": ["noun"]},
}


def build_tokenizer(words):
    """words: in lower case."""
    vocabulary = ["[PAD]", "[UNK]", "[MASK]"]
    vocabulary += list(LETTERS) + ["##" + c for c in LETTERS + "'"] + list(SIGNS)
    known = set(vocabulary)
    vocabulary += [word for word in sorted(words) if word not in known]
    tokenizer = Tokenizer(models.WordPiece(
        {word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]",
        max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Replace("’", "'"),
        normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True,
                                   lowercase=True)])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        Regex(r"[\p{L}\p{N}]+(?:'[\p{L}\p{N}]+)*|[^\s\p{L}\p{N}]"), behavior="removed", invert=True)
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[MASK]"])
    return tokenizer


def main():
    words_file, folder = sys.argv[1:]
    parts = read_parts(words_file)
    os.makedirs(folder, exist_ok=True)
    build_tokenizer(parts).save(f"{folder}/tokenizer.json")
    for name, kind in CORRUPTION["classes"].items():
        kind["words"] = [word for word, part in parts.items() if part == name]
    with open(f"{folder}/corruption.json", "w", encoding="utf-8") as file:
        json.dump(CORRUPTION, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main()
