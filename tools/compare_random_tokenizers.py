#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random tokenizer.json files and texts: `regard tokenize` must give the ids and bytes that the
tokenizers library gives, or refuse the file by name.

Usage: compare_random_tokenizers.py REGARD [--first SEED] [--count N] [--keep FOLDER]
Needs the package tokenizers. Each seed is one file with four texts; a file that the library itself
refuses is left out. Prints each difference, and keeps its file in FOLDER/SEED; fails when there is
one, or when Regard refuses more than a tenth.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

from make_tokenizer_golden import RANGES, word

PATTERNS = [r"\s+", r"\d", r"[a-f]+", r"\p{L}+|\p{N}", r"\w+", r"[^\s\w]", r"(?i)ab|c", r"a*?b",
            r"\b", r"(?=b)", r" ?\p{Lu}", r"\p{M}", r"e\u0301|\u00e9", r"^.", r".$", r"[[:punct:]]"]
STRINGS = [" ", "a", "ab", "\u2581", "\u00e9", ".", "  ", "\n"]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
SCRIPTS = ["latin", "ascii", "accents", "greek", "hebrew", "hindi", "thai", "hangul", "kana",
           "chinese", "emoji", "controls", "marks", "punctuation", "digits", "code", "wide",
           "anything"]


class Maker:
    """Draws parts of a tokenizer.json."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def flip(self):
        return self.rng.random() < 0.5

    def pattern(self):
        if self.flip():
            return {"String": self.rng.choice(STRINGS)}
        return {"Regex": self.rng.choice(PATTERNS)}

    def sequence(self, key, draw):
        many = [draw() for _ in range(self.rng.randint(0, 3))]
        if not many:
            return None
        return many[0] if len(many) == 1 else {"type": "Sequence", key: many}

    def normalizer(self):
        kind = self.rng.choice(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip",
                                "Replace", "Prepend", "BertNormalizer", "Nmt"])
        more = {}
        if kind == "Strip":
            more = {"strip_left": self.flip(), "strip_right": self.flip()}
        elif kind == "Replace":
            more = {"pattern": self.pattern(), "content": self.rng.choice(STRINGS + [""])}
        elif kind == "Prepend":
            more = {"prepend": self.rng.choice(STRINGS)}
        elif kind == "BertNormalizer":
            more = {"clean_text": self.flip(), "handle_chinese_chars": self.flip(),
                    "strip_accents": self.rng.choice([None, True, False]), "lowercase": self.flip()}
        return {"type": kind, **more}

    def pre_tokenizer(self):
        kind = self.rng.choice(["ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit",
                                "BertPreTokenizer", "CharDelimiterSplit", "Punctuation", "Digits",
                                "Split", "Split", "UnicodeScripts", "FixedLength"])
        more = {}
        if kind == "ByteLevel":
            more = {"add_prefix_space": self.flip(), "trim_offsets": self.flip(),
                    "use_regex": self.flip()}
        elif kind == "Metaspace":
            more = {"replacement": self.rng.choice(["\u2581", "_"]), "split": self.flip(),
                    "prepend_scheme": self.rng.choice(["always", "never", "first"])}
        elif kind == "CharDelimiterSplit":
            more = {"delimiter": self.rng.choice("a -")}
        elif kind == "Punctuation":
            more = {"behavior": self.rng.choice(BEHAVIORS)}
        elif kind == "Digits":
            more = {"individual_digits": self.flip()}
        elif kind == "Split":
            more = {"pattern": self.pattern(), "behavior": self.rng.choice(BEHAVIORS),
                    "invert": self.flip()}
        elif kind == "FixedLength":
            more = {"length": self.rng.randint(1, 5)}
        return {"type": kind, **more}

    def pieces(self, texts):
        """Characters and short runs of the texts, of GPT-2's byte alphabet, and bytes."""
        joined = "".join(texts)
        found = ["[UNK]"]
        characters = sorted(set(joined)) + list("abcdefghij \u2581_\u0120\u010a\u00c3\u00a9")
        found += self.rng.sample(characters, max(1, len(characters) * 3 // 4))
        for _ in range(60):
            at = self.rng.randrange(max(1, len(joined)))
            found.append(joined[at:at + self.rng.randint(1, 4)].replace(" ", "\u2581"))
        if self.flip():
            found += [f"<0x{b:02X}>" for b in range(256)]
        return list(dict.fromkeys(p for p in found if p))

    def model(self, texts):
        kind = self.rng.choice(["BPE", "BPE", "Unigram", "WordPiece", "WordLevel"])
        pieces = self.pieces(texts)
        if kind == "Unigram":
            return {"type": kind, "unk_id": 0, "byte_fallback": self.flip(),
                    "vocab": [[p, -round(self.rng.uniform(1, 9), 3)] for p in pieces]}
        if kind == "WordPiece":
            prefix = self.rng.choice(["##", "", "@"])
            pieces += [p for p in (prefix + q for q in pieces[1:]) if p not in set(pieces)]
            return {"type": kind, "unk_token": "[UNK]", "continuing_subword_prefix": prefix,
                    "max_input_chars_per_word": self.rng.choice([3, 100]),
                    "vocab": {p: i for i, p in enumerate(pieces)}}
        if kind == "WordLevel":
            return {"type": kind, "unk_token": "[UNK]", "vocab": {p: i for i, p in enumerate(pieces)}}
        prefix = self.rng.choice([None, None, "##"])
        suffix = self.rng.choice([None, None, "</w>"])
        for extra in (prefix, suffix):
            if extra:
                pieces += [extra + p if extra == prefix else p + extra for p in pieces[1:]]
        known, merges = set(pieces), []
        for _ in range(80):
            left, right = self.rng.choice(pieces), self.rng.choice(pieces)
            made = left + (right.removeprefix(prefix) if prefix else right)
            if made not in known:
                known.add(made)
                pieces.append(made)
            merges.append([left, right])
        return {"type": kind, "dropout": None, "unk_token": self.rng.choice([None, "[UNK]"]),
                "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix,
                # With a suffix the library counts its bytes as the text's.
                "fuse_unk": self.flip(), "byte_fallback": not suffix and self.flip(),
                "ignore_merges": self.flip(), "vocab": {p: i for i, p in enumerate(
                    dict.fromkeys(pieces))}, "merges": merges}

    def post_processor(self):
        kind = self.rng.choice(["BertProcessing", "RobertaProcessing", "ByteLevel",
                                "TemplateProcessing"])
        ends = {"sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
        if kind == "BertProcessing":
            return {"type": kind, **ends}
        if kind == "RobertaProcessing":
            return {"type": kind, **ends, "trim_offsets": self.flip(),
                    "add_prefix_space": self.flip()}
        if kind == "ByteLevel":
            return {"type": kind, "add_prefix_space": self.flip(), "trim_offsets": self.flip(),
                    "use_regex": True}
        a, b = ({"Sequence": {"id": x, "type_id": self.rng.randint(0, 1)}} for x in "AB")
        cls = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
        return {"type": kind, "single": [cls, a], "pair": [a, cls, b] if self.flip() else [b, a],
                "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2, 3], "tokens": ["[CLS]", "x"]}}}

    def added(self, texts, size):
        contents = ["[CLS]", "ab", " a", "\u00e9", "<x>", "a b", "B"]
        contents += [t[i:i + 2] for t in texts for i in [self.rng.randrange(len(t))]]
        tokens, ids = [], {}
        for content in dict.fromkeys(self.rng.sample(contents, self.rng.randint(0, 5))):
            ids[content] = size + len(ids)
            tokens.append({"id": ids[content], "content": content, "special": self.flip(),
                           **{flag: self.rng.random() < 0.3 for flag in
                              ("single_word", "lstrip", "rstrip", "normalized")}})
        return tokens

    def text(self):
        words = [word(self.rng, self.rng.choice(SCRIPTS)) for _ in range(self.rng.randint(1, 7))]
        words += self.rng.sample(["ab", "[CLS]", "<x>", "\u00e9", "a b", "e\u0301B", "  ", "12"], 3)
        self.rng.shuffle(words)
        return "".join(w + self.rng.choice(["", " ", " ", "  ", "\n"]) for w in words)

    def tokenizer(self):
        texts = [self.text() for _ in range(4)]
        model = self.model(texts)
        vocabulary = model["vocab"]
        known = set(vocabulary) if isinstance(vocabulary, dict) else {p for p, _ in vocabulary}
        added = [t for t in self.added(texts, len(known)) if t["content"] not in known]
        for i, token in enumerate(added):
            token["id"] = len(known) + i
        return texts, {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": self.sequence("normalizers", self.normalizer),
            "pre_tokenizer": self.sequence("pretokenizers", self.pre_tokenizer),
            "post_processor": self.post_processor() if self.flip() else None, "decoder": None,
            "model": model}


def reference(tokenizer, text):
    """(id, start, end) of each token in bytes, whole characters; None where a template put it, and
    for byte pieces, of which the library gives some the bytes of a whole run, or none at all."""
    encoding = tokenizer.encode(text)
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [(i, None, None) if s is None or t.startswith("<0x") else (i, at[a], at[b])
            for i, t, (a, b), s in zip(encoding.ids, encoding.tokens, encoding.offsets,
                                       encoding.sequence_ids)]


def references(saved, texts):
    """Of each text reference() or the error's text; None when the library refuses the file. In a
    process of its own, for some files abort it: then of no text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        results = None
        try:
            library, results = Tokenizer.from_str(saved), []
            for text in texts:
                try:
                    results.append(reference(library, text))
                except Exception as error:  # the library has one type for all its errors
                    results.append(str(error))
        finally:
            with os.fdopen(writer, "w") as file:
                file.write(json.dumps(results))
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        answer = file.read()
    os.waitpid(child, 0)
    results = json.loads(answer) if answer else []
    return results and [r if isinstance(r, str) else [tuple(t) for t in r] for r in results]


def ours(program, folder, text):
    """The same of Regard, or the error's text."""
    done = subprocess.run([program, "tokenize", "-", "--model", folder, "--format", "json"],
                          input=text.encode(), capture_output=True, timeout=60)
    if b"expected at least one token" in done.stderr:
        return []
    if done.returncode != 0:
        return done.stderr.decode().strip() or f"exit status {done.returncode}"
    raw, found = text.encode(), []
    for token in json.loads(done.stdout)["tokens"]:
        start, end = token["start"], token["end"]
        while start > 0 and start < len(raw) and raw[start] & 0xC0 == 0x80:
            start -= 1
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end += 1
        nowhere = token.get("sequence") in (None, -1) or token["text"].startswith("<0x")
        found.append((token["id"], None, None) if nowhere else (token["id"], start, end))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("regard")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--keep")
    options = parser.parse_args()
    compared = refused = different = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.count):
            texts, tokenizer = Maker(seed).tokenizer()
            saved = json.dumps(tokenizer, ensure_ascii=False)
            expectations = references(saved, texts)
            if not expectations:
                continue
            with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
                file.write(saved)
            compared += 1
            for text, expected in zip(texts, expectations):
                found = ours(options.regard, folder, text)
                if isinstance(found, str) and found.startswith("regard: "):
                    refused += not isinstance(expected, str)
                    if not isinstance(expected, str):
                        print(f"seed {seed}: refused: {found}")
                        break
                    continue
                if found == expected:
                    continue
                different += 1
                parts = {k: tokenizer[k] for k in ("normalizer", "pre_tokenizer", "post_processor",
                                                   "added_tokens")}
                parts["model"] = {k: v for k, v in tokenizer["model"].items()
                                  if k not in ("vocab", "merges")}
                print(f"seed {seed}: {text!r}\n  {json.dumps(parts, ensure_ascii=False)}\n"
                      f"  library {expected}\n  regard  {found}")
                if options.keep:
                    os.makedirs(os.path.join(options.keep, str(seed)), exist_ok=True)
                    with open(os.path.join(options.keep, str(seed), "tokenizer.json"), "w",
                              encoding="utf-8") as file:
                        file.write(saved)
                break
    print(f"{compared} tokenizers compared, {refused} refused, {different} different")
    return 1 if different or refused * 10 > compared or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
