#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Chooses the built-in model among runs of `regard train`, and the heads that its view shows.

    choose.py --program build/release/regard --words words.tsv --validation FOLDER -o MODEL RUN...

Each run's model is stored in half precision and measured, through `regard`, on the four validation
splits (FOLDER/SPLIT.jsonl). Its view: the head whose least margin over the goals is largest, then
the head whose mean with it shows antecedent and property most often in the first split. The model
whose first head has the largest least margin is written to MODEL with its regard.json. measure.py
says what is counted. Needs numpy and safetensors.
"""
import argparse
import concurrent.futures
import json
import os
import shutil

import numpy
from safetensors.numpy import load_file, save_file

from measure import judge, read, read_parts, rows

# What the chosen head should reach on each of the validation splits: the aims for the tests.
GOALS = {"validation": 0.97, "validation-clauses": 0.95, "validation-distractors": 0.92,
         "validation-far": 0.80}
WHY = ("the view that on validation sentences best shows a pronoun's antecedent and the property "
       "that decides")
MADE_FOR = "the lesson's small language of animals, people, things and their properties"


def store_half(run, folder):
    """The run's model in half precision."""
    os.makedirs(folder, exist_ok=True)
    tensors = {name: tensor.astype(numpy.float16)
               for name, tensor in load_file(f"{run}/model.safetensors").items()}
    save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})
    with open(f"{run}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    with open(f"{folder}/config.json", "w", encoding="utf-8") as file:
        json.dump(dict(config, torch_dtype="float16"), file, indent=1)
        file.write("\n")
    shutil.copy(f"{run}/tokenizer.json", folder)


def least_margin(top):
    """top: {split: share} -> the least distance above a goal."""
    return min(top[split] - goal for split, goal in GOALS.items())


def shares(judged):
    """[(first, two)] -> the shares of both."""
    return [sum(hit[i] for hit in judged) / len(judged) for i in range(2)]


def measure(program, model, splits, parts, jobs):
    """-> (heads of the view, {split: share with the antecedent first}, share of both)."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        answers = {split: list(pool.map(lambda r: rows(program, model, r), records))
                   for split, records in splits.items()}
    heads = list(next(iter(answers.values()))[0][1])
    first = {split: {head: shares([judge(record, words, found[head], parts)
                                   for record, (words, found) in zip(splits[split], answers[split])
                                   ])[0] for head in heads} for split in splits}
    head = max(heads, key=lambda h: least_margin({split: first[split][h] for split in splits}))
    split = next(iter(splits))

    def both(other):
        return shares([judge(record, words,
                             [(a + b) / 2 for a, b in zip(found[head], found[other])], parts)
                       for record, (words, found) in zip(splits[split], answers[split])])[1]

    two = {other: both(other) for other in heads}
    other = max(heads, key=two.get)
    return (list(dict.fromkeys([head, other])), {split: first[split][head] for split in splits},
            two[other])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/regard")
    parser.add_argument("--words", required=True, help="lesson_corpus --words")
    parser.add_argument("--validation", required=True)
    parser.add_argument("--limit", type=int, default=1000, help="sentences of each split")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("runs", nargs="+")
    options = parser.parse_args()
    parts = read_parts(options.words)
    splits = {split: read(f"{options.validation}/{split}.jsonl", options.limit) for split in GOALS}
    found = []
    for run in options.runs:
        half = f"{run}/half"
        store_half(run, half)
        heads, top, two = measure(options.program, half, splits, parts, options.jobs)
        print(f"{run}: {' + '.join(heads)}: " +
              ", ".join(f"{split} {share:.3f}" for split, share in top.items()) +
              f"; antecedent and property {two:.3f}", flush=True)
        found.append((half, heads, top, two))
    half, heads, top, two = max(found, key=lambda one: least_margin(one[2]))
    print(f"chosen: {os.path.dirname(half)}")
    os.makedirs(options.output, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        shutil.copyfile(f"{half}/{name}", f"{options.output}/{name}")
    with open(f"{options.output}/regard.json", "w", encoding="utf-8") as file:
        json.dump({"default_heads": heads, "why": WHY, "made_for": MADE_FOR,
                   "validation": {"antecedent_first": top, "antecedent_and_property": two}},
                  file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
