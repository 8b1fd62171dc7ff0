# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tokenizer/: small tokenizers trained here, lines made up from code point
ranges, and what Hugging Face's tokenizers library says of them.

Usage: make_tokenizer_golden.py OUTPUT_FOLDER [MODEL_FOLDER]

lines.tsv: one case a line, "text" or "text TAB second text", JSON strings without the quotes.
NAME/tokenizer.json and NAME.golden: a line a case, tokens apart by a space, each
"id+type:start-end" with start and end in bytes of the text as typed; "id+type" when the template
added it; "|" before the second text's tokens.
With MODEL_FOLDER, minilm.golden for the tokenizer there, lines of a quarter of the cases.
"""
import json
import os
import random
import sys

from tokenizers import (AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors,
                        trainers)

RANGES = {
    "latin": [(0x61, 0x7A), (0x61, 0x7A), (0x41, 0x5A), (0xC0, 0x24F)],
    "ascii": [(0x61, 0x7A), (0x20, 0x7E)],
    "accents": [(0x61, 0x7A), (0x300, 0x36F), (0x1E00, 0x1EFF)],
    "greek": [(0x370, 0x3FF), (0x1F00, 0x1FFF)],
    "cyrillic": [(0x400, 0x52F)],
    "hebrew": [(0x591, 0x5F4)],
    "arabic": [(0x600, 0x6FF), (0x621, 0x64A), (0xFB50, 0xFDFF)],
    "hindi": [(0x900, 0x97F)],
    "indic": [(0x980, 0xDFF)],
    "thai": [(0xE01, 0xE5B)],
    "tibetan": [(0xF00, 0xFDA)],
    "hangul": [(0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x3130, 0x318F)],
    "kana": [(0x3040, 0x30FF)],
    "chinese": [(0x4E00, 0x4F00), (0x3000, 0x303F), (0xF900, 0xFAFF), (0x20000, 0x20040)],
    "emoji": [(0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF), (0x1F3FB, 0x1F3FF), (0x200D, 0x200D),
              (0xFE0F, 0xFE0F), (0x2600, 0x27BF)],
    "controls": [(0x0, 0x20), (0x7F, 0xA0), (0x61, 0x7A), (0x200B, 0x200F), (0x2028, 0x202F)],
    "mended": [(0x61, 0x7A), (0xFFFD, 0xFFFD), (0xFFF0, 0xFFFD), (0xE000, 0xE010)],
    "marks": [(0x61, 0x65), (0x300, 0x36F), (0x591, 0x5C7), (0x64B, 0x65F), (0x302A, 0x3030),
              (0x1D165, 0x1D172), (0xF71, 0xF84), (0x1AB0, 0x1ABE), (0x1B44, 0x1B44)],
    "punctuation": [(0x21, 0x2F), (0x2010, 0x205E), (0x3001, 0x3011), (0xFF01, 0xFF65)],
    "symbols": [(0xA1, 0xBF), (0x2100, 0x24FF), (0x1D400, 0x1D7FF)],
    "anything": [(0x20, 0x2FFF), (0xA000, 0xABFF), (0x10000, 0x1FFFF), (0x10A00, 0x11FFF)],
}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TYPED = SPECIAL + ["[cls]", "[SEP", "[[MASK]]", "<left>", "<right>", "<word>", "Knüpf", "knupf",
                   "KNÜPF", "<both>", "<Both>", "<word>s", "un<word>", "<word>e\u0301"]


def character(rng, name):
    while True:
        c = rng.randint(*rng.choice(RANGES[name]))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def word(rng, name, longest=9):
    return "".join(character(rng, name) for _ in range(rng.randint(1, longest)))


def make_lines():
    rng = random.Random(20240229)
    lines = []
    for name in RANGES:
        for _ in range(70):
            lines.append(" ".join(word(rng, name) for _ in range(rng.randint(1, 5))))
    names = list(RANGES)
    for _ in range(220):
        lines.append(rng.choice(["", " ", "  "]).join(
            word(rng, rng.choice(names), 4) for _ in range(rng.randint(1, 7))))
    for _ in range(220):
        parts = [rng.choice(TYPED) if rng.random() < 0.5 else word(rng, rng.choice(names), 4)
                 for _ in range(rng.randint(1, 6))]
        lines.append(rng.choice(["", " ", "  ", "\t", "\u3000", "\u00a0 "]).join(parts))
    for n in list(range(95, 106)) + [199, 200, 201]:
        lines += ["a" * n, "\u00e9" * n, "e\u0301" * n, "\u4e2d" * n, "\uac00" * n, "x" + "ab" * n]
    lines += ["", " ", "\n", "\t\r\n", "\x00", "\u0301", "\u0130", "I\u0307\u0130stanbul",
              "\u00df\u1e9e\ufb01\u01c5", "\u0344\u0323", "\u0f73\u0f71a", "\ufeffa", "a\u00adb"]
    cases = [[line] for line in lines]
    for _ in range(160):
        cases.append([rng.choice(lines[:1700]), rng.choice(lines[:1700])])
    return cases


def corpus():
    rng = random.Random(7)
    for name in RANGES:
        for _ in range(60):
            base = [word(rng, name, 3) for _ in range(6)]
            yield " ".join("".join(rng.choice(base) for _ in range(2)) for _ in range(12))


def template(tokenizer):
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    return processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls), ("[SEP]", sep)])


def train(normalizer, prefix="##", longest=100):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=1500, limit_alphabet=900, special_tokens=SPECIAL,
                                        show_progress=False, continuing_subword_prefix=prefix)
    tokenizer.train_from_iterator(corpus(), trainer)
    data = json.loads(tokenizer.to_str())
    data["model"]["max_input_chars_per_word"] = longest
    data["model"]["continuing_subword_prefix"] = prefix
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.post_processor = template(tokenizer)
    return tokenizer


def bert(**options):
    chosen = dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    chosen.update(options)
    return normalizers.BertNormalizer(**chosen)


def make_tokenizers():
    made = {
        "uncased": train(bert()),
        "cased": train(bert(lowercase=False)),
        "no_chinese": train(bert(handle_chinese_chars=False, strip_accents=False), longest=20),
        "raw": train(bert(clean_text=False, lowercase=False, strip_accents=True), prefix="@@"),
    }
    cased = made["cased"]
    cased.post_processor = processors.BertProcessing(
        ("[SEP]", cased.token_to_id("[SEP]")), ("[CLS]", cased.token_to_id("[CLS]")))
    for name in ["uncased", "no_chinese", "raw"]:
        made[name].add_special_tokens([
            AddedToken("<left>", lstrip=True), AddedToken("<right>", rstrip=True, normalized=True),
            AddedToken("<word>", single_word=True)])
        made[name].add_tokens([AddedToken("Knüpf", normalized=True), AddedToken(
            "<Both>", lstrip=True, rstrip=True, single_word=True, normalized=True)])
    return made


def golden(tokenizer, cases):
    out = []
    for case in cases:
        encoding = tokenizer.encode(*case)
        bytes_at = []
        for text in case:
            at = [0]
            for c in text:
                at.append(at[-1] + len(c.encode()))
            bytes_at.append(at)
        tokens, last = [], 0
        for id_, type_, (start, end), sequence in zip(
                encoding.ids, encoding.type_ids, encoding.offsets, encoding.sequence_ids):
            if sequence is None:
                tokens.append(f"{id_}+{type_}")
                continue
            if sequence != last:
                tokens.append("|")
                last = sequence
            at = bytes_at[sequence]
            tokens.append(f"{id_}+{type_}:{at[start]}-{at[end]}")
        out.append(" ".join(tokens))
    return "\n".join(out) + "\n"


def write(path, text):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def main():
    folder = sys.argv[1]
    cases = make_lines()
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "lines.tsv"), "".join(
        "\t".join(json.dumps(t, ensure_ascii=True)[1:-1] for t in case) + "\n" for case in cases))
    if len(sys.argv) > 2:
        tokenizer = Tokenizer.from_file(os.path.join(sys.argv[2], "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        write(os.path.join(folder, "minilm.golden"), golden(tokenizer, cases))
    for name, tokenizer in make_tokenizers().items():
        # What the file says, read again: the library's own file is the contract.
        saved = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False,
                           separators=(",", ":"))
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        write(os.path.join(folder, name, "tokenizer.json"), saved + "\n")
        write(os.path.join(folder, name + ".golden"),
              golden(Tokenizer.from_str(saved), cases))


if __name__ == "__main__":
    main()
