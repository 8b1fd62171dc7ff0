#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures, through `regard`, how often a pronoun's row shows the antecedent and the property.

    measure.py --program build/release/regard --words words.tsv --validation validation.jsonl \\
        combinations.jsonl clauses.jsonl distractors.jsonl far.jsonl

Of the built-in model (or --model M) the default view; of each --peer (and of the same model with
random weights, NAME=lesson+untrained) the head that is best on the validation sentences. Beside them
what needs no model: the nearest noun, and the word at the one best distance. first: the row's maximum
in the head (of the default view its first head), among all words but punctuation, is on the
antecedent. two: antecedent and property are exactly the two strongest content words (nouns, verbs,
properties) in the head (of the default view the mean of its heads). Each share with its 95 % Wilson
interval.
"""
import argparse
import concurrent.futures
import json
import math
import os
import subprocess

PARTS = ("noun", "verb", "property")


def wilson(share, n, z=1.96):
    """The 95 % interval of a share of n (Wilson 1927)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def shown(hits, n):
    low, high = wilson(hits / n, n)
    return f"{100 * hits / n:5.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def words_of(record):
    """(text, start, end) of the words and signs of a sentence without an accent."""
    found, text, at = [], record["text"], 0
    for piece in text.split(" "):
        word = piece.rstrip(".,;:-")
        if word:
            found.append((word, at, at + len(word)))
        at += len(piece) + 1
    return found


def nearest_noun(record, parts):
    words = words_of(record)
    pronoun = [start for _, start, _ in words].index(record["pronoun"][0])
    nouns = [i for i, (word, *_) in enumerate(words) if parts.get(word.lower()) == "noun"]
    return words[min(nouns, key=lambda i: (abs(i - pronoun), i))][1] == record["antecedent"][0]


def offsets(records):
    """How often the antecedent stands at each distance from the pronoun."""
    count = {}
    for record in records:
        starts = [start for _, start, _ in words_of(record)]
        distance = starts.index(record["antecedent"][0]) - starts.index(record["pronoun"][0])
        count[distance] = count.get(distance, 0) + 1
    return count


def ask(program, model, text, *more):
    """What `regard show` answers."""
    name, _, untrained = model.partition("+")
    command = [program, "show", text, "--format", "json", "--links", "0", *more]
    if name:
        command += ["--model", name]
    if untrained:
        command.append("--untrained")
    return json.loads(subprocess.run(command, capture_output=True, check=True,
                                     env=dict(os.environ, REGARD_THREADS="1")).stdout)


def default_heads(program, model, text):
    """What is shown when nobody names a head: the name of one, or those of a mean."""
    shown = ask(program, model, text)["heads"][0]
    return shown.get("of") or [name_of(shown)]


def name_of(head):
    return f"L{head['layer']}H{head['head']}"


def rows(program, model, record):
    """The model's answer: words, and the pronoun's row of each head by its name."""
    answer = ask(program, model, record["text"], "--all-heads")
    words = answer["words"]
    pronoun = [i for i, word in enumerate(words)
               if word["start"] == record["pronoun"][0] and word["end"] > word["start"]][0]
    return words, {name_of(head): head["weights"][pronoun] for head in answer["heads"]}


def judge(record, words, row, parts):
    """(first, two) of one row."""
    real = [i for i, word in enumerate(words)
            if word["end"] > word["start"] and any(map(str.isalnum, word["text"]))]
    content = [i for i in real if parts.get(words[i]["text"].lower()) in PARTS]
    first = words[max(real, key=row.__getitem__)]["start"] == record["antecedent"][0]
    best = sorted(content, key=row.__getitem__)[-2:]
    two = {words[i]["start"] for i in best} == {record["antecedent"][0], record["property"][0]}
    return first, two


def share(program, model, records, parts, jobs, view=()):
    """{head: (times first, times two)}; key None: the view, a list of heads."""
    def one(record):
        words, found = rows(program, model, record)
        judged = {key: judge(record, words, row, parts) for key, row in found.items()}
        if view:
            mean = [sum(weights) / len(view) for weights in zip(*(found[key] for key in view))]
            judged[None] = judged[view[0]][0], judge(record, words, mean, parts)[1]
        return judged.items()

    total = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for answers in pool.map(one, records):
            for key, (first, two) in answers:
                a, b = total.get(key, (0, 0))
                total[key] = (a + first, b + two)
    return total


def read_parts(path):
    """{word: its part of speech}, as `lesson_corpus --words` writes them."""
    with open(path, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("\t") for line in file)


def read(path, limit):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file][:limit]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/regard")
    parser.add_argument("--words", required=True, help="lesson_corpus --words")
    parser.add_argument("--validation", required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--peer", action="append", default=[], help="NAME=MODEL[:LIMIT]")
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("splits", nargs="+")
    options = parser.parse_args()
    parts = read_parts(options.words)
    validation = read(options.validation, options.limit)
    distance = max(offsets(validation).items(), key=lambda pair: pair[1])[0]
    peers = []
    for text in options.peer:
        name, _, rest = text.partition("=")
        model, _, limit = rest.partition(":")
        limit = int(limit or options.limit)
        found = share(options.program, model, validation[:limit], parts, options.jobs)
        best = max(found, key=lambda key: found[key][0])
        print(f"{name}: {best}, first {shown(found[best][0], len(validation[:limit]))} "
              f"of {len(validation[:limit])} validation sentences", flush=True)
        peers.append((name, model, limit, best))
    view = default_heads(options.program, options.model, validation[0]["text"])
    print("default view:", " + ".join(view), flush=True)
    for path in options.splits:
        records = read(path, options.limit)
        n = len(records)
        first, two = share(options.program, options.model, records, parts, options.jobs, view)[None]
        print(f"{os.path.basename(path)}: {n} sentences\n"
              f"  default view    first {shown(first, n)}  two {shown(two, n)}\n"
              f"  nearest noun    first {shown(sum(nearest_noun(r, parts) for r in records), n)}\n"
              f"  word at {distance:+d}      first {shown(offsets(records).get(distance, 0), n)}",
              flush=True)
        for name, model, limit, best in peers:
            some = records[:limit]
            first, two = share(options.program, model, some, parts, options.jobs)[best]
            print(f"  {name:15s} first {shown(first, len(some))}  two {shown(two, len(some))}  "
                  f"({best}, {len(some)} sentences)", flush=True)


if __name__ == "__main__":
    main()
