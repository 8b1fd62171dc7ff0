#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/tokenizer/trained.json: vocabularies that the tokenizers library learns from a
small corpus of made-up words.

The library numbers WordPiece's "##" letters by chance and settles ties between pairs by these
numbers. So of WordPiece only sizes are kept at which the order of the letters does not matter: a
plain implementation learns the library's pieces in twenty orders.

  python tools/make_piece_golden.py

The file in git was made with tokenizers 0.23.
"""

import collections
import json
import pathlib
import random

import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/tokenizer/trained.json"


def corpus():
    draw = random.Random(3)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "ó")]
    words = ["".join(draw.choice(syllables) for _ in range(draw.randint(1, 4))) for _ in range(300)]
    lines = []
    for _ in range(400):
        line = " ".join(words[min(299, int(draw.expovariate(1 / 40)))]
                        for _ in range(draw.randint(2, 9)))
        lines.append(line.capitalize() + draw.choice([".", "!", ", 123?", " 👍 naïve"]))
    return lines


def word_piece(lines, size, lower):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(lines, trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False))
    return sorted(tokenizer.get_vocab())


def byte_pairs(lines, size, least):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, min_frequency=least, special_tokens=["<|endoftext|>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    return {"vocab": [p for p, _ in sorted(model["vocab"].items(), key=lambda x: x[1])],
            "merges": model["merges"]}


def plain_word_piece(lines, sizes, lower, order):
    """The pieces at each size, words taken in an order drawn from the seed `order`."""
    normalizer = normalizers.BertNormalizer(lowercase=lower)
    words = collections.Counter(
        word for line in lines for word, _ in
        pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normalizer.normalize_str(line)))
    drawn = sorted(words)
    random.Random(order).shuffle(drawn)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set("".join(words)))]
    for word in drawn:
        pieces += [p for p in dict.fromkeys("##" + c for c in word[1:]) if p not in pieces]
    cut = {word: [pieces.index(("##" if i else "") + c) for i, c in enumerate(word)]
           for word in drawn}
    learned = {}
    while len(pieces) < max(sizes):
        pairs = collections.Counter()
        for word, ids in cut.items():
            for pair in zip(ids, ids[1:]):
                pairs[pair] += words[word]
        a, b = min(pairs, key=lambda pair: (-pairs[pair], pair))
        pieces.append(pieces[a] + pieces[b][2:])
        for ids in cut.values():
            for i in range(len(ids) - 1, 0, -1):  # no pair of a piece with itself occurs here
                if ids[i - 1:i + 1] == [a, b]:
                    ids[i - 1:i + 1] = [len(pieces) - 1]
        assert a != b and len(set(pieces)) == len(pieces)
        learned[len(pieces)] = sorted(pieces)
    return learned


def main():
    lines = corpus()
    out = {"tokenizers": tokenizers.__version__, "corpus": lines, "word_piece": [], "bpe": []}
    sizes = range(60, 140)
    for lower in (True, False):
        orders = [plain_word_piece(lines, sizes, lower, order) for order in range(20)]
        agreed = [size for size in sizes
                  if size in orders[0] and all(o[size] == orders[0][size] for o in orders)]
        assert len(agreed) >= 3, agreed
        for size in (agreed[len(agreed) // 2], agreed[-1]):
            pieces = word_piece(lines, size, lower)
            assert pieces == orders[0][size]
            out["word_piece"].append({"lower": lower, "size": size, "pieces": pieces})
    for size, least in ((300, 0), (600, 0), (5000, 2)):
        out["bpe"].append({"size": size, "least": least, **byte_pairs(lines, size, least)})
    OUT.write_text(json.dumps(out, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(OUT, OUT.stat().st_size, [(c["lower"], c["size"]) for c in out["word_piece"]])


if __name__ == "__main__":
    main()
