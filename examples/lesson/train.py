#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the built-in model on the corpus that lesson_corpus writes and saves a Hugging Face folder.

    train.py --corpus train.txt --words words.tsv --validation FOLDER --seed 1 -o FOLDER
    train.py --best FOLDER...       names the one that is best on validation sentences

The model is a small ModernBERT (transformers' ModernBertForMaskedLM loads it and computes the
same). The objective is language modelling alone: some words are hidden, swapped or kept, and
guessed. Needs torch, safetensors and tokenizers. README.md says what the choices are for.
"""
import argparse
import json
import math
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lesson_tokenizer import build_tokenizer

CONFIG = {"architectures": ["ModernBertForMaskedLM"], "model_type": "modernbert",
          "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3,
          "num_attention_heads": 4, "hidden_activation": "gelu", "classifier_activation": "gelu",
          "max_position_embeddings": 512, "norm_eps": 1e-5, "norm_bias": False,
          "attention_bias": False, "mlp_bias": False, "decoder_bias": True,
          "classifier_bias": False, "tie_word_embeddings": True, "global_attn_every_n_layers": 1,
          "local_attention": 1024, "global_rope_theta": 100.0, "local_rope_theta": 100.0,
          "torch_dtype": "float16"}

# How many words of each part of speech are to be guessed.
CHOSEN = {"pronoun": 0.8, "be": 0.8, "noun": 0.05, "verb": 0.05, "property": 0.05,
          "function": 0.03}
CHOSEN_TWICE = 0.7  # of a noun that a document has twice, one place, the last twice as often
MASKED, SWAPPED = 0.3, 0.5  # of these; the rest stays
SPELT = 0.03  # documents with one noun in letters, so that letters mean something
# Batches whose positions have gaps, so that distances beyond those of the corpus are known (after
# Ruoss et al. 2023, "Randomized positional encodings boost length generalization").
GAPS, GAPPED = 0.5, 0.3
# From this share of the steps on, many documents have noise: joining words, signs and letters of
# which none is to be guessed are hidden or swapped, so that a join that was never seen ("since", a
# colon) does not lead the model astray.
NOISE_FROM, NOISE, NOISED, NOISE_MASKED = 0.5, 0.4, 0.25, 0.3
# The mean of the weights over the last steps, taken once in so many, is tried beside the last weights.
MEAN_FROM, MEAN_EVERY = 0.9, 10
# What the chosen head should reach on each of the validation splits: the aims for the tests.
GOALS = {"validation": 0.97, "validation-clauses": 0.95, "validation-distractors": 0.92,
         "validation-far": 0.80}

# Steps whose checkpoints are kept, beside the last: close together while much changes.
KEPT = (0, 400, 800, 1200, 1600, 2400, 3200, 4800, 6400, 8000, 10000, 12000, 14000, 16000)

# What regard.json says beside the chosen heads.
WHY = ("the view that on validation sentences best shows a pronoun's antecedent and the property "
       "that decides")
MADE_FOR = "the lesson's small language of animals, people, things and their properties"


class Layer(nn.Module):
    def __init__(self, config, first):
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        self.heads = config["num_attention_heads"]
        norm = lambda: nn.LayerNorm(width, eps=config["norm_eps"], bias=False)
        self.attn_norm = nn.Identity() if first else norm()
        self.attn = nn.ModuleDict({"Wqkv": nn.Linear(width, 3 * width, bias=False),
                                   "Wo": nn.Linear(width, width, bias=False)})
        self.mlp_norm = norm()
        self.mlp = nn.ModuleDict({"Wi": nn.Linear(width, 2 * inner, bias=False),
                                  "Wo": nn.Linear(inner, width, bias=False)})

    def forward(self, x, turn, mask, weights):
        n, length, width = x.shape
        q, k, v = self.attn["Wqkv"](self.attn_norm(x)).view(
            n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = turn(q), turn(k)
        if weights is not None:
            scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
            weights.append(scores.masked_fill(~mask, -torch.inf).softmax(-1))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.attn["Wo"](y.transpose(1, 2).reshape(n, length, width))
        up, gate = self.mlp["Wi"](self.mlp_norm(x)).chunk(2, dim=-1)
        return x + self.mlp["Wo"](F.gelu(up) * gate)


class Model(nn.Module):
    """ModernBertForMaskedLM with global attention only; its parameters' names are the same."""

    def __init__(self, config):
        super().__init__()
        width = config["hidden_size"]
        norm = lambda: nn.LayerNorm(width, eps=config["norm_eps"], bias=False)
        self.model = nn.ModuleDict({
            "embeddings": nn.ModuleDict({"tok_embeddings": nn.Embedding(config["vocab_size"], width),
                                         "norm": norm()}),
            "layers": nn.ModuleList([Layer(config, i == 0)
                                     for i in range(config["num_hidden_layers"])]),
            "final_norm": norm()})
        self.head = nn.ModuleDict({"dense": nn.Linear(width, width, bias=False), "norm": norm()})
        self.decoder = nn.Linear(width, config["vocab_size"])
        self.decoder.weight = self.model["embeddings"]["tok_embeddings"].weight
        size = width // config["num_attention_heads"]
        self.frequencies = config["global_rope_theta"] ** (-torch.arange(0, size, 2) / size)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                out = name.endswith("Wo.weight")
                nn.init.normal_(weight, std=0.1 if "tok_emb" in name else 0.06 / (
                    math.sqrt(2 * config["num_hidden_layers"]) if out else 1))
        nn.init.zeros_(self.decoder.bias)

    def forward(self, ids, chosen=None, want_weights=False, positions=None):
        """ids [document, token], 0 is padding; positions likewise, default 0, 1, 2 ... ->
        logits of the chosen (all), attention weights."""
        if positions is None:
            positions = torch.arange(ids.shape[1])[None]
        angles = (positions[..., None] * self.frequencies)[:, None]
        cos, sin = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()

        def turn(x):
            a, b = x.chunk(2, -1)
            return x * cos + torch.cat([-b, a], -1) * sin

        mask = (ids != 0)[:, None, None, :]
        weights = [] if want_weights else None
        x = self.model["embeddings"]["norm"](self.model["embeddings"]["tok_embeddings"](ids))
        for layer in self.model["layers"]:
            x = layer(x, turn, mask, weights)
        x = self.model["final_norm"](x)
        if chosen is not None:
            x = x[chosen]
        return self.decoder(self.head["norm"](F.gelu(self.head["dense"](x)))), weights


class Corpus:
    """The documents as ids, batched with others of about their length, and corrupted."""

    def __init__(self, path, tokenizer, parts, seed):
        self.rng = np.random.default_rng(seed)
        self.mask_id = tokenizer.token_to_id("[MASK]")
        size = tokenizer.get_vocab_size()
        kinds = list(CHOSEN)
        self.part = np.full(size, -1)
        for word, part in parts.items():
            self.part[tokenizer.token_to_id(word)] = kinds.index(part)
        self.rate = np.array([CHOSEN[kind] for kind in kinds] + [0.0])  # the last: other pieces
        self.noun, self.pronoun = kinds.index("noun"), kinds.index("pronoun")
        self.of_part = [np.flatnonzero(self.part == p) for p in range(len(kinds))]
        self.is_other = (self.part == kinds.index("function")) | (self.part == -1)
        self.is_other[:self.mask_id + 1] = False
        self.others = np.flatnonzero(self.is_other)  # no content words: joins, signs, letters
        self.letters = {tokenizer.token_to_id(w): [
            tokenizer.token_to_id(("##" if i else "") + c) for i, c in enumerate(w)]
            for w, part in parts.items() if part == "noun"}
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.documents = [np.array(e.ids, np.int16) for begin in range(0, len(lines), 50000)
                          for e in tokenizer.encode_batch(lines[begin:begin + 50000])]
        self.tokens = sum(map(len, self.documents))

    def spell(self, document):
        nouns = [t for t in document if int(t) in self.letters]
        if not nouns:
            return document
        noun = int(self.rng.choice(nouns))
        return np.concatenate([self.letters[noun] if t == noun else [t] for t in document])

    def batches(self, size, group=32):
        """In the order of the file, since its sentences grow; sorted by length within a group."""
        for begin in range(0, len(self.documents), size * group):
            noise = NOISE if begin >= NOISE_FROM * len(self.documents) else 0
            some = sorted(self.documents[begin:begin + size * group], key=len)
            for i in self.rng.permutation(math.ceil(len(some) / size)):
                yield self.corrupt(some[i * size:(i + 1) * size], noise)

    def corrupt(self, documents, noise):
        """-> ids with some words changed, ids as they were, which to guess, positions."""
        documents = [self.spell(d) if self.rng.random() < SPELT else d for d in documents]
        target = np.zeros((len(documents), max(map(len, documents))), np.int64)
        for row, document in zip(target, documents):
            row[:len(document)] = document
        part = self.part[target]
        rate = self.rate[part]
        noun = part == self.noun
        same = (target[:, :, None] == target[:, None]) & noun[:, :, None] & noun[:, None]
        twice = same.sum(-1) > 1
        last = twice & ~np.triu(same, 1).any(-1)
        of_last = self.rng.random((len(target), 1)) < 2 / 3
        rate = np.where(twice, np.where(last == of_last, CHOSEN_TWICE, 0), rate)
        chosen = self.rng.random(target.shape) < rate
        draw = self.rng.random(target.shape)
        ids = target.copy()
        ids[chosen & (draw < MASKED)] = self.mask_id
        swapped = chosen & (draw >= MASKED) & (draw < MASKED + SWAPPED)
        for kind, words in enumerate(self.of_part):
            here = swapped & (part == kind)
            count = int(here.sum())
            new = self.rng.choice(words, count)
            if kind == self.noun:
                pronouns = self.rng.choice(self.of_part[self.pronoun], count)
                new = np.where(self.rng.random(count) < 0.8, pronouns, new)
            ids[here] = new
        if noise:
            hit = (self.is_other[target] & ~chosen & (self.rng.random((len(target), 1)) < noise) &
                   (self.rng.random(target.shape) < NOISED))
            new = np.where(self.rng.random(target.shape) < NOISE_MASKED, self.mask_id,
                           self.rng.choice(self.others, target.shape))
            ids = np.where(hit, new, ids)
        step = np.ones(target.shape, np.int64)
        if self.rng.random() < GAPS:
            often = GAPPED * self.rng.random((len(target), 1))
            step = np.where(self.rng.random(target.shape) < often,
                            self.rng.integers(1, 12, target.shape), step)
        return [torch.from_numpy(a) for a in (ids, target, chosen, step.cumsum(1))]


def measure(model, sentences, batch=100):
    """Of each head and each mean of two: the shares of sentences whose pronoun's row has its
    maximum on the antecedent, among all words, and exactly antecedent and property as its two
    strongest content words. sentences: as read_sentences() makes them, one token a word."""
    model.eval()
    first, second = None, None
    with torch.no_grad():
        for begin in range(0, len(sentences), batch):
            some = sentences[begin:begin + batch]
            ids = torch.zeros(len(some), max(len(s["ids"]) for s in some), dtype=torch.long)
            for row, s in zip(ids, some):
                row[:len(s["ids"])] = torch.tensor(s["ids"])
            _, weights = model(ids, chosen=torch.zeros_like(ids, dtype=torch.bool),
                               want_weights=True)
            weights = torch.cat(weights, dim=1).numpy()  # [document, heads of all layers, q, k]
            for i, s in enumerate(some):
                rows = weights[i, :, s["pronoun"], :len(s["ids"])]
                views = (rows[:, None] + rows[None]) / 2  # the diagonal is the heads themselves
                top = np.where(s["word"], views, -1).argmax(-1) == s["antecedent"]
                best = np.argpartition(np.where(s["content"], views, -1), -2, axis=-1)[..., -2:]
                two = np.sort(best, -1) == sorted([s["antecedent"], s["property"]])
                first = top + (0 if first is None else first)
                second = two.all(-1) + (0 if second is None else second)
    model.train()
    return first / len(sentences), second / len(sentences)


def read_sentences(path, tokenizer, parts):
    sentences = []
    for line in open(path, encoding="utf-8"):
        record = json.loads(line)
        encoding = tokenizer.encode(record["text"])
        begins = [begin for begin, _ in encoding.offsets]
        one = {name: begins.index(record[name][0])
               for name in ("pronoun", "antecedent", "property")}
        one["ids"] = encoding.ids
        one["word"] = np.array([any(map(str.isalnum, t)) for t in encoding.tokens])
        one["content"] = np.array([parts.get(t) in ("noun", "verb", "property")
                                   for t in encoding.tokens])
        sentences.append(one)
    return sentences


def least_margin(top):
    """top: {split: share of sentences with the antecedent first} -> the least distance to a goal."""
    return min(top[split] - goal for split, goal in GOALS.items())


def choose_view(measured):
    """measured: {split: (first, second)} as of measure(), in the order of GOALS. The head whose
    least margin over the goals is largest, then the head whose mean with it (or itself) shows
    antecedent and property most often in the first split -> (heads, {split: share of the head},
    share of both)."""
    margin = np.min([first.diagonal() - GOALS[split]
                     for split, (first, _) in measured.items()], axis=0)
    head = int(margin.argmax())
    second = next(iter(measured.values()))[1]
    other = int(second[head].argmax())
    return (list(dict.fromkeys([head, other])),
            {split: float(first[head, head]) for split, (first, _) in measured.items()},
            float(second[head, other]))


def save(model, config, tokenizer, folder, dtype=torch.float16, more=None):
    from safetensors.torch import save_file
    os.makedirs(folder, exist_ok=True)
    tensors = {name: t.detach().to(dtype).contiguous() for name, t in model.state_dict().items()
               if name != "decoder.weight"}
    save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})
    with open(f"{folder}/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    tokenizer.save(f"{folder}/tokenizer.json")
    if more:
        with open(f"{folder}/regard.json", "w", encoding="utf-8") as file:
            json.dump(more, file, indent=1)
            file.write("\n")


def best_of(folders):
    """The folder of the model whose view has the largest least margin over the goals."""
    def margin(folder):
        with open(f"{folder}/regard.json", encoding="utf-8") as file:
            return least_margin(json.load(file)["validation"]["antecedent_first"])
    return max(folders, key=margin)


def main():
    if sys.argv[1:2] == ["--best"]:
        return print(best_of(sys.argv[2:]))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--words", required=True, help="lesson_corpus --words")
    parser.add_argument("--validation", required=True,
                        help="folder with SPLIT.jsonl of the four validation splits")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--warm-up", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoints", help="folder for checkpoints at the steps KEPT")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of config.json")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    parts = dict(line.rstrip("\n").split("\t") for line in open(options.words, encoding="utf-8"))
    tokenizer = build_tokenizer(parts)
    config = dict(CONFIG, vocab_size=tokenizer.get_vocab_size(), pad_token_id=0, bos_token_id=None,
                  eos_token_id=None, cls_token_id=None, sep_token_id=None)
    for setting in options.set:
        key, value = setting.split("=")
        config[key] = json.loads(value)
    corpus = Corpus(options.corpus, tokenizer, parts, options.seed)
    sentences = {split: read_sentences(f"{options.validation}/{split}.jsonl", tokenizer, parts)
                 for split in GOALS}
    model = Model(config)
    steps = math.ceil(len(corpus.documents) / options.batch)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {corpus.tokens:,} tokens, "
          f"{steps} steps", flush=True)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01},
                                   {"params": others, "weight_decay": 0.0}],
                                  lr=options.rate, betas=(0.9, 0.98), fused=True)

    def rate(step):
        if step < options.warm_up:
            return (step + 1) / options.warm_up
        return 1 if step < 0.4 * steps else 1 - 0.97 * (step / steps - 0.4) / 0.6

    heads = config["num_attention_heads"]

    def look(count):
        view, top, two = choose_view({split: measure(model, some[:count])
                                      for split, some in sentences.items()})
        return [f"L{h // heads}H{h % heads}" for h in view], top, two

    def keep(step, loss, top):
        if not options.checkpoints:
            return
        save(model, config, tokenizer, f"{options.checkpoints}/step-{step:05d}")
        with open(f"{options.checkpoints}/metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "loss": loss, "antecedent": top}) + "\n")

    began, losses = time.time(), []
    total, count = [torch.zeros_like(p) for p in model.parameters()], 0
    for step, (ids, target, chosen, positions) in enumerate(corpus.batches(options.batch)):
        if step in KEPT:
            view, top, two = look(200)
            mean_loss = float(np.mean(losses)) if losses else None
            print(f"step {step} loss {mean_loss}  {view}: {top} two {two:.3f}  "
                  f"{time.time() - began:.0f} s", flush=True)
            losses = []
            keep(step, mean_loss, top)
        for group in optimiser.param_groups:
            group["lr"] = options.rate * rate(step)
        loss = F.cross_entropy(model(ids, chosen, positions=positions)[0], target[chosen])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        if step == steps - 1 or (step >= MEAN_FROM * steps and step % MEAN_EVERY == 0):
            torch._foreach_add_(total, [p.detach() for p in model.parameters()])
            count += 1
    found = look(None)
    last = [p.detach().clone() for p in model.parameters()]
    for parameter, sum_of in zip(model.parameters(), total):
        parameter.data.copy_(sum_of / count)
    of_mean = look(None)
    for what, (names, top, two) in (("last weights", found), ("mean weights", of_mean)):
        print(f"{what}: {names}: {top} two {two:.4f}", flush=True)
    if least_margin(of_mean[1]) >= least_margin(found[1]):
        found = of_mean
    else:
        for parameter, weights in zip(model.parameters(), last):
            parameter.data.copy_(weights)
    names, top, two = found
    keep(steps, float(np.mean(losses)), top)
    print(f"end: {names}: {top} two {two:.4f}; {time.time() - began:.0f} s")
    save(model, config, tokenizer, options.output,
         more={"default_heads": names, "why": WHY, "made_for": MADE_FOR,
               "validation": {"antecedent_first": top, "antecedent_and_property": two}})


if __name__ == "__main__":
    main()
