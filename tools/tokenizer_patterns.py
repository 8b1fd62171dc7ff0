# SPDX-License-Identifier: Apache-2.0
"""Regular expressions that the tokenizers library and the project both read, one a line, and the
names of sets of characters: make_tokenizer_golden.py asks the library what they match."""
TEXTS = ["aaaaaaa b aab", "ab12 AB\u00e9\u00c9 \u00df\u1e9e ss SS st \ufb06 ff \ufb00 \u017f",
         "a\u0301_\u203f-x \u2160\u00b2\u0967 \u1e900 A\u00aa",
         "a\n\r\nb\x0b\x0c\x85\u2028c\u180e\u3000d\ta\n", "[]{}()^$.|*+?\\-&&:,{,2}a{2}'`<>",
         "\U00031350\U00011f50\u0897\u1c89\u1c8a\U00010d40 \U0001fae8",
         "it's IT'S we'll Q\\E C h H v\x00", "\u0130i\u0307 \u212aK k \u2126\u03c9",
         "aAbB cC dD xXyY 123 4567 #a b", "\u00e9\u00c9 \u00dfab \u4e2d\u6587 \uac00", ""]
SETS = [r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\h", r"\H", ".", r"[\w]", r"[\W]", r"[^\D]",
        r"[\D\p{Lu}]"]
SETS += ["[[:%s:]]" % name for name in (
    "alnum alpha ascii blank cntrl digit graph lower print punct space upper xdigit word").split()]
SETS += [r"\p{%s}" % name for name in (
    "L LC M N P S Z C Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf "
    "Co Cn Letter Cased_Letter Other Unassigned Assigned Any Alphabetic Lowercase Uppercase White_Space "
    "alnum alpha blank cntrl digit graph lower print punct space upper xdigit word Latin Greek Cyrillic "
    "Arabic Hebrew Devanagari Thai Hangul Hiragana Katakana Han Bopomofo Common Inherited Armenian "
    "Georgian Ethiopic Khmer Tamil Telugu Tibetan Mongolian Cherokee Braille Yi").split()]
PATTERNS = [line for line in r"""
a{2}+
a{2,3}+
a{2,}+
a{,2}
a{,2}?
a{2}?
a{2,3}?
a{2}?b
(?:a{2}+)b
a{2}{3}
a{,}
a{
a{x
a{1,2}{2}
a++
a*+a
a?+a
a+*
a*?
a??b
a+?b
[^[:alpha:]]+
[^\W]+
[^\w]+
[^\W_]+
[\W_]+
[\S\d]+
[^\S\r\n]+
[^\S]+
[\D]+
[^\D]+
[\H]+
[^\H]+
[^\p{L}]+
[\P{L}1]+
[^\P{L}]+
[^\P{L}a]+
[\p{^L}]+
\v+
[\v]+
\Q.a\E
\h+
\H+
\R
\N+
\O+
\pL+
\PL
\P{^L}+
\d+
\D+
\w+
\W+
\s+
\S+
[:alpha:]+
[a-z&&[^b]]+
[a-z&&[aeiou]]+
[^a-z&&[aeiou]]+
[a-z&&\w&&[^x]]+
[]a]+
[^]a]+
[a-]+
[-a]+
[a-c-e]+
[a[bc]d]+
[a[^bc]d]+
[^a[^bc]d]+
[^a[bc]]+
[[a]]
[a&b]+
[\b]+
[\x41-\x43]+
[\u0041-\u005a]+
\x41
\x{41}
\x{e9}
\u00e9
\u0041
\x4
\o{101}
\012
\0
\a
\e
\f
\t
\n
\r
\-
\_
\é
\q
\i
\j
\l
\L
\U
\E
\K
a\Kb
\A.
.\z
.\Z
^.
.$
^
$
\b
\B
\b\w
\w\B\w
(?i)ab
a(?i)b
a(?i)b|c
a(?i:b)c
(?i)a|b
x(?i)x|(?-i)y
(?:a(?i)b|c)d
(?m).+
(?m:.+)
(?x) a b # comment
(?x: a b )c
(?x)[a b]+
(?im)a.b
(?i-m:a)
(?-i)a
(?i)s
(?i)[s]+
(?i)k
(?i)i
(?i)[^a]+
(?i)[a-c]+
(?i)[^a-c]+
(?i:'s|'t|'re|'ve|'m|'ll|'d)
(?i)\p{Lu}+
(?i)\p{Lower}+
(?#comment)a
(?<n>a)b
(?'n'a)b
(a)\1
(a)(b)?\2
(?=a)
(?!a).
(?<=a)b
(?<!a)b
(?<=a|bc)b
(?<=\w)\s
(?<!\w)a
(?:a|)*
(?:)*a
(a*)*b
(?>a+)b
(?>a*)a
a|
|a
()
(?:)
a**
a||b
(?:a|b){2}+
(?:ab)?+
(?:ab){0,1}+
a{0}
a{0}b
a{0,0}
.
..
\.
\\
\/
#
 a
a b
\p{L}\p{M}*
[\p{L}\p{M}]+
[^\r\n\p{L}\p{N}]?\p{L}+
\p{N}{1,3}
 ?[^\s\p{L}\p{N}]+[\r\n]*
\s*[\r\n]+
\s+(?!\S)
[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+
 ?[^(\s|[.,!?…。，、।۔،])]+
[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+
[\p{P}!-/:-@\[-`{-~]
[^\s\d\p{L}]+
(?:^|\s)a
(?i:[sdmt]|ll|ve|re)
\'a
\`a
a\'
\<a
[\R]
[\X]
[\N]
[\K]
[\z]
[\A]
[\B]
[\Z]
[\G]
[\Q]
\k
\g
\ka
(?i)[s]s
(?i)s{2}
(?i)s+s
(?i)\w+
(?i)\s+
(?i)\S
a{2}*
a{2}*?
a{1,2}?+
a{1,2}??
a??+
a*?*
[a-c&&b-d&&c]+
[a&&^a]
[a&&[^a]b]+
[[:alpha:]&&[:ascii:]]+
[[:alpha:]&&[[:ascii:]]]+
[[[a]]]
[^[^a]]+
[^\s&&\S]+
[\x41-\x{43}]
[\u0041-C]+
[\101-\103]+
[a\-c]+
[\]]
[\[]
[\\]+
(?x) a +
(?x)a{2} +
(?x)\ a
(?x)a #c\nb
(?x)(?#c)a
(?x: a)  b
(?i:a)b
((?i)a)b
((?i)a|b)A
(?:(?i)a|b)A
(?i-i:a)
(?mi)a
(?:a(?m).)+
\07
\0101
(a)(b)\2
(a)|b\1
.{2}+
(?<n>a)(b)
(?<a>a)(?<a>b)
\P{^Lu}
\p
""".split("\n") if line]
