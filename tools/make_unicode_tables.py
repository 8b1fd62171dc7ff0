# SPDX-License-Identifier: Apache-2.0
"""Writes regard/tokenizer/unicode_tables.cc: what Hugging Face's tokenizers library does with each
code point. The library has Unicode tables of its own (and of several Unicode versions), so each
of the 1,112,064 code points is put through it and the answers are stored as ranges.

Usage: make_unicode_tables.py OUTPUT        (needs the Python package tokenizers)
"""
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

REMOVED, SPACE, PUNCTUATION, CHINESE, NONSPACING, WORD, SPLIT = 1, 2, 4, 8, 16, 32, 64
NUMERIC, MARK, LETTER, NUMBER, REGEX_SPACE = 128, 256, 512, 1024, 2048


CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co "
              "Cs").split()
# Those of Unicode 14, the version of the oldest PCRE2 that is used.
SCRIPTS = """Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak
Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian
Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan
Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic
Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya
Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi
Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kayah_Li Kharoshthi Khitan_Small_Script
Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar
Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui
Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari
New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian Old_Italic
Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya
Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic
Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo
Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut
Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi
Zanabazar_Square""".split()


def bert(**options):
    chosen = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    chosen.update(options)
    return normalizers.BertNormalizer(**chosen).normalize_str


def code_points():
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def probe_flags():
    """Flags of every code point."""
    clean, chinese = bert(clean_text=True), bert(handle_chinese_chars=True)
    strip, nfd = bert(strip_accents=True), normalizers.NFD().normalize_str
    pieces = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    word = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    word.add_tokens([AddedToken("<t>", single_word=True, normalized=False)])
    token = word.token_to_id("<t>")
    digits, marks = pre_tokenizers.Digits(True).pre_tokenize_str, normalizers.StripAccents()
    properties = [(flag, pre_tokenizers.Split(Regex(p), "removed").pre_tokenize_str)
                  for flag, p in ((LETTER, r"\p{L}"), (NUMBER, r"\p{N}"), (REGEX_SPACE, r"\s"))]
    flags = {}
    for c in code_points():
        s, f = chr(c), 0
        for flag, removed in properties:
            f |= 0 if removed(s) else flag
        cleaned = clean("a" + s + "b")
        f |= REMOVED if cleaned == "ab" else SPACE if cleaned == "a b" else 0
        assert f or cleaned == "a" + s + "b", hex(c)
        parts = [p for p, _ in pieces("a" + s + "b")]
        f |= SPLIT if parts == ["a", "b"] else PUNCTUATION if len(parts) == 3 else 0
        if chinese(s) != s:
            assert chinese(s) == " " + s + " ", hex(c)
            f |= CHINESE
        if nfd(s) == s and strip("a" + s) == "a":
            f |= NONSPACING
        if token not in word.encode(s + "<t>").ids:
            f |= WORD
        f |= NUMERIC if len(digits("a" + s)) == 2 else 0
        f |= MARK if marks.normalize_str("a" + s) == "a" else 0
        if f:
            flags[c] = f
    # Stripping accents is decomposing and then dropping the nonspacing marks.
    for c in code_points():
        want = "".join(d for d in nfd(chr(c)) if not flags.get(ord(d), 0) & NONSPACING)
        assert strip(chr(c)) == want, hex(c)
    return flags


def probe_lower():
    lower = normalizers.Lowercase().normalize_str
    both = bert(lowercase=True)
    mapping = {}
    for c in code_points():
        assert lower(chr(c)) == both(chr(c)), hex(c)
        if lower(chr(c)) != chr(c):
            mapping[c] = [ord(d) for d in lower(chr(c))]
    return mapping


def probe_decompositions():
    nfd = normalizers.NFD().normalize_str
    mapping = {}
    for c in code_points():
        found = [ord(d) for d in nfd(chr(c))]
        if 0xAC00 <= c < 0xAC00 + 11172:  # Hangul syllables: by arithmetic (Unicode 3.12)
            index = c - 0xAC00
            want = [0x1100 + index // 588, 0x1161 + index % 588 // 28]
            want += [0x11A7 + index % 28] if index % 28 else []
            assert found == want, hex(c)
        elif found != [c]:
            mapping[c] = found
    return mapping


def probe_compatible(decompositions):
    """Full compatibility decompositions that differ from the canonical ones."""
    nfkd = normalizers.NFKD().normalize_str
    mapping = {}
    for c in code_points():
        if 0xAC00 <= c < 0xAC00 + 11172:
            continue
        found = [ord(d) for d in nfkd(chr(c))]
        if found != decompositions.get(c, [c]):
            mapping[c] = found
    return mapping


def probe_compositions(decompositions):
    """Pairs (first, second) and what they compose to; Hangul is arithmetic."""
    nfc = normalizers.NFC().normalize_str
    pairs = {}
    for c, parts in decompositions.items():
        if len(parts) < 2:
            continue
        first = nfc("".join(map(chr, parts[:-1])))
        if len(first) == 1 and nfc(first + chr(parts[-1])) == chr(c):
            pairs[ord(first), parts[-1]] = c
    return pairs


def probe_newer():
    """What the library's regular expressions say of characters that came after Unicode 14, the
    version of the oldest PCRE2 that is used."""
    assert unicodedata.unidata_version == "14.0.0", "this table needs Python 3.11"
    removed = lambda p: pre_tokenizers.Split(Regex(r"\p{%s}" % p), "removed").pre_tokenize_str
    unassigned = removed("Cn")
    points = [c for c in code_points()
              if unicodedata.category(chr(c)) == "Cn" and unassigned(chr(c))]
    categories = {name: removed(name) for name in CATEGORIES}
    extra = [(bit, removed(name)) for bit, name in
             ((1, "Alphabetic"), (2, "Lowercase"), (4, "Uppercase"))]
    scripts = {name: removed(name) for name in SCRIPTS}
    newer = {}
    for c in points:
        category = [name for name, test in categories.items() if not test(chr(c))]
        assert len(category) == 1, (hex(c), category)
        script = [name for name, test in scripts.items() if not test(chr(c))] or [""]
        newer[c] = category[0], sum(bit for bit, test in extra if not test(chr(c))), script[0]
    return newer


def probe_scripts():
    """Numbers of the classes that UnicodeScripts splits between; 0 is with any."""
    split = pre_tokenizers.UnicodeScripts().pre_tokenize_str
    runs = []  # [first, last]
    for c in code_points():
        if runs and runs[-1][1] + 1 == c and len(split(chr(c - 1) + chr(c))) == 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    # A run may begin with one that goes with any; those are found one by one.
    known, scripts = [], {}
    for first, last in runs:
        for c in range(first, last + 1):
            if len(split("a" + chr(c))) == 1 and len(split("\u4e00" + chr(c))) == 1:
                continue
            kind = scripts.get(c - 1, 0) if c > first else 0
            if not kind:
                matching = [k for k, r in enumerate(known) if len(split(r + chr(c))) == 1]
                assert len(matching) <= 1, hex(c)
                if not matching:
                    matching = [len(known)]
                    known.append(chr(c))
                kind = matching[0] + 1
            scripts[c] = kind
    return scripts


def probe_ranks(decompositions):
    """Rank of every combining class, 0 for starters: only their order matters."""
    nfd = normalizers.NFD().normalize_str
    classes = {}
    for c in code_points():
        moves = nfd("a\u0345" + chr(c)) != "a\u0345" + chr(c) or c == 0x345
        if moves and unicodedata.combining(chr(c)) and c not in decompositions:
            classes.setdefault(unicodedata.combining(chr(c)), chr(c))
    known = [classes[k] for k in sorted(classes)]
    ranks = {}
    last = known[-1]
    for c in code_points():
        s = chr(c)
        if c in decompositions or 0xAC00 <= c < 0xAC00 + 11172:
            continue
        if nfd("a" + last + s) == "a" + last + s and nfd("a" + s + known[0]) == "a" + s + known[0]:
            continue
        ranks[c] = 1 + sum(r != s and nfd("a" + s + r) == "a" + r + s for r in known)
    for c, rank in ranks.items():
        assert known[rank - 1] == chr(c) or all(
            nfd("a" + chr(c) + r) == "a" + chr(c) + r for r in known[rank - 1:]), hex(c)
    return ranks


def ranges(values):
    """[first, last, value] of runs of equal values."""
    runs = []
    for c in sorted(values):
        if runs and runs[-1][1] + 1 == c and runs[-1][2] == values[c]:
            runs[-1][1] = c
        else:
            runs.append([c, c, values[c]])
    return runs


def lower_runs(mapping):
    """[first, last, stride, delta]."""
    runs = []
    for c in sorted(mapping):
        if len(mapping[c]) != 1:
            continue
        delta = mapping[c][0] - c
        if runs and runs[-1][3] == delta:
            run, step = runs[-1], c - runs[-1][1]
            if step <= 2 and (run[0] == run[1] or run[2] == step):
                run[1], run[2] = c, step
                continue
        runs.append([c, c, 1, delta])
    return runs


def rows(items):
    out, line = [], " "
    for item in items:
        if len(line) + len(item) + 2 > 100:
            out.append(line)
            line = " "
        line += " " + item + ","
    return "\n".join(out + [line])


def main():
    flags = probe_flags()
    lower, decompositions = probe_lower(), probe_decompositions()
    ranks = probe_ranks(decompositions)
    compositions, scripts = probe_compositions(decompositions), probe_scripts()
    compatible, newer = probe_compatible(decompositions), probe_newer()
    several = {c: m for c, m in lower.items() if len(m) != 1}
    assert several == {0x130: [0x69, 0x307]}, several
    pool, decomposed = [], []
    for c in sorted(decompositions):
        decomposed.append("{0x%x, %d, %d}" % (c, len(pool), len(decompositions[c])))
        pool += ["0x%x" % d for d in decompositions[c]]
    wider = []
    for c in sorted(compatible):
        wider.append("{0x%x, %d, %d}" % (c, len(pool), len(compatible[c])))
        pool += ["0x%x" % d for d in compatible[c]]
    composed = ["{0x%x, 0x%x, 0x%x}" % (*pair, compositions[pair]) for pair in sorted(compositions)]
    text = f"""// SPDX-License-Identifier: Apache-2.0
// What the tokenizers library ({tokenizers.__version__}) does with each code point. Generated by
// tools/make_unicode_tables.py from the library's own answers; do not edit.
// clang-format off
#include <iterator>

#include "regard/tokenizer/unicode_tables.h"

namespace regard::unicode_tables {{

const FlagRange kFlags[] = {{
{rows("{0x%x, 0x%x, %d}" % tuple(r) for r in ranges(flags))}
}};
const std::size_t kFlagCount = std::size(kFlags);

const LowerRange kLower[] = {{
{rows("{0x%x, 0x%x, %d, %d}" % tuple(r) for r in lower_runs(lower))}
}};
const std::size_t kLowerCount = std::size(kLower);

const RankRange kRanks[] = {{
{rows("{0x%x, 0x%x, %d}" % tuple(r) for r in ranges(ranks))}
}};
const std::size_t kRankCount = std::size(kRanks);

const Decomposition kDecompositions[] = {{
{rows(decomposed)}
}};
const std::size_t kDecompositionCount = std::size(kDecompositions);

const Decomposition kCompatible[] = {{
{rows(wider)}
}};
const std::size_t kCompatibleCount = std::size(kCompatible);

const Composition kCompositions[] = {{
{rows(composed)}
}};
const std::size_t kCompositionCount = std::size(kCompositions);

const ScriptRange kScripts[] = {{
{rows("{0x%x, 0x%x, %d}" % tuple(r) for r in ranges(scripts))}
}};
const std::size_t kScriptCount = std::size(kScripts);

const NewerRange kNewer[] = {{
{rows('{0x%x, 0x%x, "%s", %d, "%s"}' % (a, b, *v) for a, b, v in ranges(newer))}
}};
const std::size_t kNewerCount = std::size(kNewer);

const char* const kCategories[{len(CATEGORIES) - 1}] = {{
{rows('"%s"' % c for c in CATEGORIES if c != "Cs")}
}};
const char* const kScriptNames[{len(SCRIPTS)}] = {{
{rows('"%s"' % s for s in SCRIPTS)}
}};

const char32_t kDecomposed[] = {{
{rows(pool)}
}};

}}  // namespace regard::unicode_tables
"""
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(text)


if __name__ == "__main__":
    main()
