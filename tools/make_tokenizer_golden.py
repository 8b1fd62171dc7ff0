# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tokenizer/: small tokenizers of every class trained here, lines made up from
code point ranges, and what Hugging Face's tokenizers library says of them.

Usage: make_tokenizer_golden.py OUTPUT_FOLDER [MODEL_FOLDER]
       make_tokenizer_golden.py OUTPUT_FOLDER --explain NAME LINE   prints what a line's digest is of
       make_tokenizer_golden.py OUTPUT_FOLDER --decoders   writes decoders/ for the tokenizers there
       make_tokenizer_golden.py OUTPUT_FOLDER --folders   (needs transformers 5) writes the folders
           that have a SentencePiece model and a tokenizer_config.json, and no tokenizer.json

lines.tsv: one case a line, "text" or "text TAB second text", JSON strings without the quotes.
NAME/tokenizer.json and NAME.golden: for each case the 64-bit FNV-1a hash, in hexadecimal, of its
tokens, each "id+type:start-end" with start and end in bytes of the text as typed, rounded outwards
to whole characters; "id+type" when the template added it; "|" before the second text's tokens; all
apart by a space. In unigram_bytes, byte pieces have no start and end either.
With MODEL_FOLDER, minilm.golden for the tokenizer there.

decoders/CASE.golden: the name of a tokenizer, a tab and the decoder put into its tokenizer.json;
then the hash of decode(ids, skip_special_tokens=True), U+0000 and decode(ids,
skip_special_tokens=False) for the ids of every 7th line and for 300 lists of ids at random, each
number the upper 31 bits of x <- 6364136223846793005 x + 1442695040888963407 mod 2^64, from x = 1:
a length, mod 12 and + 1, then ids, mod the number of ids.

patterns.tsv: texts, as JSON strings, then for each pattern of tokenizer_patterns.py (a JSON string)
what it matches in each of them, "start-end" in bytes, apart by spaces.
sets.tsv: for each set of characters how many it has, and the hash of their ranges, each
"first-last " in hexadecimal.
"""
import json
import os
import random
import sys

from tokenizers import (AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers,
                        processors, trainers)

from tokenizer_patterns import PATTERNS, SETS, TEXTS

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
    "digits": [(0x30, 0x39), (0x30, 0x39), (0x660, 0x669), (0xB2, 0xB9), (0x2160, 0x216B)],
    "code": [(0x61, 0x7A), (0x28, 0x3E), (0x5B, 0x5F), (0x7B, 0x7D), (0x30, 0x39), (0x9, 0xA)],
    "wide": [(0xFF01, 0xFFEE), (0x3300, 0x33FF), (0xFB00, 0xFB06)],
    "anything": [(0x20, 0x2FFF), (0xA000, 0xABFF), (0x10000, 0x1FFFF), (0x10A00, 0x11FFF)],
}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TYPED = SPECIAL + ["[cls]", "[SEP", "[[MASK]]", "<left>", "<right>", "<word>", "Knüpf", "knupf",
                   "KNÜPF", "<both>", "<Both>", "<word>s", "un<word>", "<word>e\u0301", "<s>", "</s>",
           "<mask>", "<unk>", "<|end|>", "  ", "\n\n"]
CONTRACTIONS = ["I'm", "don't", "WE'LL", "you've", "they'Re", "'s", "''d", "it's", "x'\u017f"]
CODE = ["def f(x_1, y=2):\n    return x_1 ** 2  # square", "for (int i = 0; i < 10; ++i) {\n\ta[i] += 0x1F;\n}",
        "SELECT * FROM t WHERE a >= 1.5e-3;", "<div class=\"a b\">&amp;</div>\r\n", "x = {'k': [1, 22, 333, 4444]}",
        "$ git log --oneline | head -n 3 && echo \"${HOME}\"", "if(!a||b&&c)return~d^e%f;"]


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
        for _ in range(85):
            lines.append(" ".join(word(rng, name) for _ in range(rng.randint(1, 5))))
    names = list(RANGES)
    for _ in range(600):
        lines.append(rng.choice(["", " ", "  "]).join(
            word(rng, rng.choice(names), 4) for _ in range(rng.randint(1, 7))))
    for _ in range(700):
        parts = [rng.choice(TYPED) if rng.random() < 0.5 else word(rng, rng.choice(names), 4)
                 for _ in range(rng.randint(1, 6))]
        lines.append(rng.choice(["", " ", "  ", "\t", "\u3000", "\u00a0 "]).join(parts))
    for _ in range(500):
        parts = [rng.choice(CONTRACTIONS + CODE) if rng.random() < 0.4
                 else word(rng, rng.choice(["ascii", "latin", "digits", "code"]), 6)
                 for _ in range(rng.randint(1, 5))]
        lines.append(rng.choice([" ", "", "  ", "\n", " \n\n ", "\t"]).join(parts))
    blanks = [" ", "\n", "\r", "\t", "\u3000", "\u00a0", "\u2003", "\u180e", "\x0b", "\x85"]
    for _ in range(200):
        lines.append("".join(rng.choice(blanks) * rng.randint(1, 4) if rng.random() < 0.6
                             else word(rng, rng.choice(names), 2) for _ in range(6)))
    # The corpus's own words, so that the larger pieces are met too.
    for line in list(corpus())[::3]:
        words = line.split(" ")
        lines.append(" ".join(rng.choice(words) for _ in range(rng.randint(1, 6))))
    for n in list(range(95, 106)) + [199, 200, 201]:
        lines += ["a" * n, "\u00e9" * n, "e\u0301" * n, "\u4e2d" * n, "\uac00" * n, "x" + "ab" * n]
    lines += CONTRACTIONS + CODE
    lines += ["", " ", "\n", "\t\r\n", "\x00", "\u0301", "\u0130", "I\u0307\u0130stanbul",
              "\u00df\u1e9e\ufb01\u01c5", "\u0344\u0323", "\u0f73\u0f71a", "\ufeffa", "a\u00adb",
              "\u200b\u200ba", "``quoted''", "12345678901", "1\u0660\u00b2\u2167", "a  b   c    d"]
    while len(lines) < 4600:
        lines.append("".join(character(rng, rng.choice(names))
                             for _ in range(rng.randint(1, 24))))
    cases = [[line] for line in lines]
    for _ in range(400):
        cases.append([rng.choice(lines), rng.choice(lines)])
    return cases


def corpus(names=None):
    rng = random.Random(7)
    for name in names or RANGES:
        for _ in range(60):
            base = [word(rng, name, 3) for _ in range(6)]
            yield " ".join("".join(rng.choice(base) for _ in range(2)) for _ in range(12))
    for line in CODE + CONTRACTIONS:
        yield from [line] * 5


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


def edited(tokenizer, change):
    """The tokenizer after change(its JSON as a dictionary)."""
    data = json.loads(tokenizer.to_str())
    change(data)
    return Tokenizer.from_str(json.dumps(data))


def train_bpe(normalizer, pre_tokenizer, specials=("<s>", "</s>", "<unk>", "<mask>"), alphabet=(),
              size=1400, limit=500, **options):
    chosen = {k: v for k, v in options.items()
              if k in ("continuing_subword_prefix", "end_of_word_suffix")}
    tokenizer = Tokenizer(models.BPE(**options))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(specials), show_progress=False, limit_alphabet=limit,
        initial_alphabet=list(alphabet), **chosen))
    return tokenizer


def train_unigram(normalizer, pre_tokenizer, size=1800):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    alphabets = ["ascii", "latin", "cyrillic", "kana"]  # each character must be a piece
    tokenizer.train_from_iterator(corpus(alphabets), trainers.UnigramTrainer(
        vocab_size=size, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>",
        show_progress=False))
    return tokenizer


def charsmap(rule):
    """SentencePiece's compiled map of a rule, out of a model trained for it."""
    import sentencepiece
    import io
    from sentencepiece import sentencepiece_model_pb2
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g h i j k l m n o p"] * 20), model_writer=model,
        vocab_size=20, hard_vocab_limit=False, normalization_rule_name=rule, minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def around(tokenizer, prefix, suffix):
    tokens = [(t, tokenizer.token_to_id(t)) for t in dict.fromkeys(prefix + suffix)]
    single = prefix + ["$A"] + suffix
    return processors.TemplateProcessing(
        single=" ".join(single), pair=" ".join(single + ["$B:1"] + [t + ":1" for t in suffix]),
        special_tokens=tokens)


def with_bytes(data):
    """Adds <0x00> to <0xFF> to the vocabulary of a BPE or Unigram model that falls back on them."""
    model = data["model"]
    model["byte_fallback"] = True
    for byte in range(256):
        if model["type"] == "BPE":
            model["vocab"].setdefault("<0x%02X>" % byte, len(model["vocab"]))
        else:
            model["vocab"].append(["<0x%02X>" % byte, -20.0])


LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def make_byte_level():
    byte_level, sequence = pre_tokenizers.ByteLevel, pre_tokenizers.Sequence
    alphabet = byte_level.alphabet()
    made = {"gpt2": train_bpe(None, byte_level(add_prefix_space=False), alphabet=alphabet)}
    made["gpt2"].post_processor = processors.ByteLevel(trim_offsets=False)
    roberta = train_bpe(None, byte_level(add_prefix_space=True), alphabet=alphabet)
    roberta.post_processor = processors.RobertaProcessing(
        ("</s>", roberta.token_to_id("</s>")), ("<s>", roberta.token_to_id("<s>")))
    roberta.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    roberta.add_tokens([AddedToken("  ", normalized=False), AddedToken("\n\n", normalized=True)])
    made["roberta"] = roberta
    isolated = lambda p: pre_tokenizers.Split(Regex(p), "isolated")
    llama3 = train_bpe(None, sequence([isolated(LLAMA3), byte_level(False, use_regex=False)]),
                       alphabet=alphabet)
    llama3.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=True), around(llama3, ["<s>"], [])])
    made["llama3"] = edited(llama3, lambda d: d["model"].update(ignore_merges=True))
    made["qwen2"] = train_bpe(normalizers.NFC(), sequence(
        [isolated(LLAMA3.replace("{1,3}", "")), byte_level(False, use_regex=False)]),
        alphabet=alphabet, specials=["<|end|>"])
    made["gpt4o"] = train_bpe(None, sequence(
        [pre_tokenizers.Split(Regex(GPT4O), "removed", invert=True),
         byte_level(False, use_regex=False)]), alphabet=alphabet)
    made["starcoder"] = train_bpe(None, sequence(
        [pre_tokenizers.Digits(individual_digits=True), byte_level(False)]), alphabet=alphabet)
    made["falcon"] = train_bpe(None, sequence(
        [pre_tokenizers.Punctuation("contiguous"), byte_level(False),
         pre_tokenizers.Digits(individual_digits=False), isolated("[0-9][0-9][0-9]")]),
        alphabet=alphabet)
    made["byte_normalizer"] = train_bpe(
        normalizers.Sequence([normalizers.NFKC(), normalizers.ByteLevel()]),
        pre_tokenizers.Split(Regex("\u0120?[^\u0120]+|\u0120+"), "isolated"), alphabet=alphabet)
    return made


def make_spelled():
    """BPE over characters, and WordLevel."""
    made = {}
    metaspace = pre_tokenizers.Metaspace()
    replace = normalizers.Replace(" ", "\u2581")
    llama = train_bpe(None, metaspace, unk_token="<unk>", fuse_unk=True)
    llama = edited(llama, with_bytes)
    llama.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), replace])
    llama = edited(llama, lambda d: d.update(pre_tokenizer=None))
    llama.post_processor = around(llama, ["<s>"], [])
    made["llama2"] = llama
    gemma = edited(train_bpe(None, metaspace, unk_token="<unk>", fuse_unk=True), with_bytes)
    gemma.normalizer = replace
    gemma.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    gemma.add_tokens([AddedToken("\n" * n, normalized=False) for n in range(1, 6)])
    gemma.add_tokens([AddedToken("\u2581" * n, normalized=True) for n in range(2, 6)])
    made["gemma"] = gemma
    clip = train_bpe(normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
        pre_tokenizers.Split(Regex(CLIP), "removed", invert=True), unk_token="<unk>",
        end_of_word_suffix="</w>")
    clip.post_processor = processors.RobertaProcessing(
        ("</s>", clip.token_to_id("</s>")), ("<s>", clip.token_to_id("<s>")), trim_offsets=False)
    made["clip"] = clip
    made["bpe_prefix"] = train_bpe(
        normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents()]),
        pre_tokenizers.Whitespace(), unk_token="<unk>", fuse_unk=True,
        continuing_subword_prefix="##", limit=150)
    made["bpe_no_unknown"] = train_bpe(normalizers.Nmt(), pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(True),
         pre_tokenizers.Punctuation("merged_with_previous")]), limit=200)
    word_level = Tokenizer(models.WordLevel(unk_token="<unk>"))
    word_level.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Strip(), normalizers.Lowercase()])
    split = pre_tokenizers.Split
    word_level.pre_tokenizer = pre_tokenizers.Sequence(
        [split(Regex(r"[[:punct:]]"), "merged_with_next"), split(" ", "removed"),
         split(Regex(r"\d{2}"), "contiguous"), split(Regex(r"\h+\b"), "merged_with_previous"),
         split(Regex(r"\p{^Letter}"), "isolated", invert=True),
         pre_tokenizers.CharDelimiterSplit("_")])
    word_level.train_from_iterator(corpus(), trainers.WordLevelTrainer(
        vocab_size=1200, special_tokens=["<unk>", "<s>"], show_progress=False))
    made["word_level"] = word_level
    fixed = Tokenizer(models.WordLevel(unk_token="<unk>"))
    fixed.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.UnicodeScripts(), pre_tokenizers.FixedLength(2)])
    fixed.train_from_iterator(corpus(), trainers.WordLevelTrainer(
        vocab_size=1500, special_tokens=["<unk>"], show_progress=False))
    made["fixed"] = fixed
    return made


def make_unigrams():
    metaspace, made = pre_tokenizers.Metaspace, {}
    nmt_nfkc = normalizers.Precompiled(charsmap("nmt_nfkc"))
    t5 = train_unigram(nmt_nfkc, metaspace())
    t5.post_processor = around(t5, [], ["</s>"])
    made["t5"] = t5
    spaces = normalizers.Sequence([nmt_nfkc, normalizers.Strip(False, True), normalizers.Replace(
        Regex(" {2,}"), "\u2581")])
    xlmr = train_unigram(spaces, metaspace(prepend_scheme="first"))
    xlmr.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True)])
    xlmr.post_processor = around(xlmr, ["<pad>"], ["</s>"])
    made["xlmr"] = xlmr
    albert = train_unigram(normalizers.Sequence(
        [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
         normalizers.StripAccents(), normalizers.Lowercase(), nmt_nfkc,
         normalizers.Replace(Regex(" {2,}"), " ")]),
        metaspace(prepend_scheme="never", split=True))
    made["albert"] = albert
    scripts = train_unigram(normalizers.Sequence([normalizers.NFD(), normalizers.Nmt()]),
                            pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                                     pre_tokenizers.UnicodeScripts()]))
    made["scripts"] = scripts
    made["unigram_bytes"] = edited(
        train_unigram(normalizers.Strip(), metaspace(replacement="_", split=False)), with_bytes)
    # The map is large and one class is enough for it; the others have a rule's part of it.
    return made


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
    made.update(make_byte_level())
    made.update(make_spelled())
    made.update(make_unigrams())
    return made


def fnv(text):
    value = 14695981039346656037
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 % 2**64
    return f"{value:016x}"


def golden(tokenizer, cases, bytes_without_spans=False):
    """What each case's digest is of."""
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
        for id_, type_, (start, end), sequence, piece in zip(
                encoding.ids, encoding.type_ids, encoding.offsets, encoding.sequence_ids,
                encoding.tokens):
            if sequence not in (None, last):
                tokens.append("|")
                last = sequence
            if sequence is None or (bytes_without_spans and piece.startswith("<0x")):
                tokens.append(f"{id_}+{type_}")
                continue
            at = bytes_at[sequence]
            tokens.append(f"{id_}+{type_}:{at[start]}-{at[end]}")
        out.append(" ".join(tokens))
    return out


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def metaspace_decoder(scheme, replacement="\u2581"):
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme,
            "split": True}


def sequence_decoder(*steps):
    return {"type": "Sequence", "decoders": list(steps)}


MARK = replace({"String": "\u2581"}, " ")
FALLBACK, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
DECODERS = {
    "byte_level": ("gpt2", BYTES), "byte_level_added": ("roberta", BYTES),
    "byte_level_llama3": ("llama3", BYTES), "byte_level_of_others": ("clip", BYTES),
    "byte_level_normalizer": ("byte_normalizer", BYTES),
    "wordpiece": ("uncased", {"type": "WordPiece", "prefix": "##", "cleanup": True}),
    "wordpiece_raw": ("raw", {"type": "WordPiece", "prefix": "@@", "cleanup": False}),
    "none": ("cased", None), "none_word_level": ("fixed", None),
    "metaspace_always": ("t5", metaspace_decoder("always")),
    "metaspace_first": ("xlmr", metaspace_decoder("first")),
    "metaspace_never": ("albert", metaspace_decoder("never")),
    "metaspace_bytes": ("unigram_bytes",
                        sequence_decoder(FALLBACK, metaspace_decoder("always", "_"))),
    "llama": ("llama2", sequence_decoder(MARK, FALLBACK, FUSE, STRIP)),
    "gemma": ("gemma", sequence_decoder(MARK, FALLBACK, FUSE)),
    "bpe": ("clip", {"type": "BPEDecoder", "suffix": "</w>"}),
    "ctc": ("word_level", {"type": "CTC", "pad_token": "<unk>", "word_delimiter_token": "<s>",
                           "cleanup": True}),
    "ctc_raw": ("bpe_no_unknown", {"type": "CTC", "pad_token": "a", "word_delimiter_token": "b",
                                   "cleanup": False}),
    "replace_regex": ("bpe_prefix", sequence_decoder(
        replace({"Regex": "##|[aeiou]+"}, "<>"), {"type": "Strip", "content": "<", "start": 2,
                                                  "stop": 0})),
    # The library fails on an empty piece.
    "strip_end": ("scripts", {"type": "Strip", "content": "a", "start": 0, "stop": 1}),
}


def random_ids(size):
    x = 1
    def number():
        nonlocal x
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        return x >> 33
    return [[number() % size for _ in range(number() % 12 + 1)] for _ in range(300)]


def write_decoders(folder, cases):
    os.makedirs(os.path.join(folder, "decoders"), exist_ok=True)
    for case, (name, decoder) in DECODERS.items():
        with open(os.path.join(folder, name, "tokenizer.json"), encoding="utf-8") as file:
            data = json.load(file)
        data["decoder"] = decoder
        tokenizer = Tokenizer.from_str(json.dumps(data))
        lists = [tokenizer.encode(*texts).ids for texts in cases[::7]]
        lists += random_ids(max(tokenizer.get_vocab().values()) + 1)
        texts = ["\0".join(tokenizer.decode(ids, skip_special_tokens=skip)
                           for skip in (True, False)) for ids in lists]
        write(os.path.join(folder, "decoders", case + ".golden"),
              f"{name}\t{json.dumps(decoder)}\n" + digests(texts))


# SentencePiece folders: class, options of training, tokenizer_config.json.
FOLDERS = {
    "llama_model": ("LlamaTokenizer", {}, {}),
    "llama_flags": ("LlamaTokenizer", {}, {"legacy": True, "add_bos_token": True,
                                           "add_eos_token": True, "pad_token": "<pad>"}),
    "llama_no_prefix": ("LlamaTokenizer", {}, {"add_prefix_space": False, "add_bos_token": True}),
    "code_llama": ("CodeLlamaTokenizer", {}, {}),
    "gemma_model": ("GemmaTokenizer", {
        "pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "add_dummy_prefix": False,
        "split_digits": True, "bos_piece": "<bos>", "eos_piece": "<eos>", "user_defined_symbols": [
            "<mask>", "<start_of_turn>", "<end_of_turn>", "\n\n", "\u2581" * 2, "\u2581" * 3,
            "\u2581" * 5]}, {"add_bos_token": True}),
}


def write_folders(folder, cases):
    import sentencepiece
    from transformers import AutoTokenizer
    lines = [line.replace("\n", " ") for line in corpus(["latin", "ascii", "greek", "code"])]
    for name, (kind, training, config) in FOLDERS.items():
        place = os.path.join(folder, name)
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, "tokenizer.model"), "wb") as model:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines), model_writer=model, model_type="bpe",
                vocab_size=700, byte_fallback=True, character_coverage=0.98,
                normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2,
                **training)
        write(os.path.join(place, "tokenizer_config.json"),
              json.dumps({"tokenizer_class": kind, **config}) + "\n")
        tokenizer = AutoTokenizer.from_pretrained(place)
        assert type(tokenizer).__name__ == kind
        write(os.path.join(folder, name + ".golden"), digests(
            golden(tokenizer._tokenizer, cases)))


def pattern_lines():
    lines = ["\t".join(json.dumps(text) for text in TEXTS)]
    for pattern in PATTERNS:
        split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        row = [json.dumps(pattern)]
        for text in TEXTS:
            found = [span for _, span in split.pre_tokenize_str(text)]
            row.append(" ".join("-".join(str(len(text[:at].encode())) for at in span)
                                for span in found))
        lines.append("\t".join(row))
    return "".join(line + "\n" for line in lines)


def set_lines():
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    lines = ""
    for name in SETS:
        drop = normalizers.Replace(Regex(name), "")
        ranges, count = [], 0
        for start in range(0, len(points), 512):
            part = points[start:start + 512]
            rest = set(drop.normalize_str("".join(part)))
            for c in map(ord, (c for c in part if c not in rest)):
                count += 1
                if ranges and ranges[-1][1] == c - 1:
                    ranges[-1][1] = c
                else:
                    ranges.append([c, c])
        text = "".join(f"{first:x}-{last:x} " for first, last in ranges)
        lines += f"{name}\t{count}\t{fnv(text)}\n"
    return lines


def write(path, text):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def digests(lines):
    return "".join(fnv(line) + "\n" for line in lines)


def main():
    folder = sys.argv[1]
    cases = make_lines()
    if sys.argv[2:3] == ["--explain"]:
        tokenizer = Tokenizer.from_file(os.path.join(folder, sys.argv[3], "tokenizer.json"))
        case = cases[int(sys.argv[4]) - 1]
        print(case, golden(tokenizer, [case])[0], sep="\n")
        return
    if sys.argv[2:] == ["--decoders"]:
        write_decoders(folder, cases)
        return
    if sys.argv[2:] == ["--folders"]:
        write_folders(folder, cases)
        return
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "lines.tsv"), "".join(
        "\t".join(json.dumps(t, ensure_ascii=True)[1:-1] for t in case) + "\n" for case in cases))
    write(os.path.join(folder, "patterns.tsv"), pattern_lines())
    write(os.path.join(folder, "sets.tsv"), set_lines())
    if len(sys.argv) > 2:
        tokenizer = Tokenizer.from_file(os.path.join(sys.argv[2], "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        write(os.path.join(folder, "minilm.golden"), digests(golden(tokenizer, cases)))
    for name, tokenizer in make_tokenizers().items():
        # What the file says, read again: the library's own file is the contract.
        saved = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False,
                           separators=(",", ":"))
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        write(os.path.join(folder, name, "tokenizer.json"), saved + "\n")
        write(os.path.join(folder, name + ".golden"), digests(
            golden(Tokenizer.from_str(saved), cases, name == "unigram_bytes")))


if __name__ == "__main__":
    main()
