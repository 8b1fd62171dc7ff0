# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of the built-in model: WordPiece over the lexicon's words, with single letters,
digits and signs below them, so that any Latin text can be typed. "didn't" is one word."""
import string

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

LETTERS = string.ascii_lowercase + "ßæøœłđðþ" + string.digits
SIGNS = string.punctuation + "–—…“”„«»‹›€£§°·•¡¿"


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
