// SPDX-License-Identifier: Apache-2.0
// The lesson's text and its arithmetic.
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Explanation, HeadId, Layer, TraceInfo, Unit } from "../src/data/types";
import { thinned } from "../src/lib/checkpoints";
import { sharesOf, sharesOverHeads, type WordMap } from "../src/lib/links";
import { verdict } from "../src/lesson/verdict";
import { fill, languages } from "../src/lesson/text";
import { reweighted } from "../src/lesson/softmax";

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

// The shape of a text: every key, and the names that are filled in.
function shape(value: Json, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((v, i) => shape(v, `${path}[${i}]`));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, v]) => shape(v, `${path}.${key}`));
  if (typeof value !== "string") return [`${path}=${String(value)}`];
  const names = [...new Set([...value.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort();
  return [`${path}{${names.join()}}`];
}

test("every language has the keys and the filled-in names of English", () => {
  const [english, ...others] = languages;
  assert.ok(others.length > 0);
  for (const other of others) {
    const wanted = shape(english as unknown as Json);
    const found = new Set(shape(other as unknown as Json));
    assert.deepEqual(wanted.filter((key) => !found.has(key)), []);
    assert.equal(found.size, wanted.length);
    assert.notEqual(other.title, english!.title);
  }
});

test("the quiz has at least ten questions of four kinds, one right option each, every option explained", () => {
  for (const text of languages) {
    const questions = text.quiz.questions;
    assert.ok(questions.length >= 10);
    assert.equal(new Set(questions.map((q) => q.kind)).size, 4);
    assert.equal(new Set(questions.map((q) => q.id)).size, questions.length);
    for (const q of questions) {
      assert.ok(q.hint.length > 0, q.id);
      if (q.kind !== "choose") {
        assert.ok((q.why ?? "").length > 0, q.id);
        continue;
      }
      assert.equal(q.options!.filter((o) => "right" in o && o.right).length, 1, q.id);
      for (const o of q.options!) assert.ok(o.why.length > 0, q.id);
    }
  }
});

test("filling leaves unknown names and braces of the sentence alone", () => {
  assert.equal(fill("{word} is {x} {y}", { word: "{x}", x: 2 }), "{x} is 2 {y}");
});

const unit = (text: string, token: number, wordlike = true): Unit => ({
  text, start: 0, end: 0, sequence: 0, special: false, wordlike, tokens: [token],
});
const words = ["The", "cat", "saw", "the", "dog", "and", "it", "ran"].map((w, i) => unit(w, i));
const head: HeadId = { kind: "self", layer: 0, head: 0 };
const layer: Layer = {
  kind: "self", layer: 0, heads: [0], query: 0, key: 0, dim: 2, valueDim: 2,
  score: { scale: 1, cap: 0, causal: false, window: 0, chunk: 0, prefix: 0, alibi: "none" },
};
const info = { sides: [{ words, tokens: [], text: "", pair: null, sentences: [], name: "text", generated: 0 }], layers: [layer] } as unknown as TraceInfo;

function mapWith(cells: [number, number, number][]): WordMap {
  const weights = new Float32Array(64).fill(0.01);
  for (const [q, k, w] of cells) weights[8 * q + k] = w;
  return { head, layer, weights };
}

test("shares are ordered by weight alone, of other words proper", () => {
  const map = mapWith([[6, 1, 0.5], [6, 5, 0.6], [6, 6, 0.9], [3, 0, 0.9]]);
  const shares = sharesOf(info, map, 6);
  assert.deepEqual(shares.slice(0, 2).map((s) => s.key), [5, 1]);
  assert.ok(shares.every((s) => s.key !== 6)); // not itself
  assert.ok(sharesOf(info, map, 3).every((s) => s.key !== 0)); // "the", "The": a copy
});

test("over all heads each word has its largest share", () => {
  const second = { ...mapWith([[6, 1, 0.7]]), head: { ...head, head: 1 } };
  const shares = sharesOverHeads(info, [mapWith([[6, 1, 0.5], [6, 4, 0.6]]), second], 6);
  assert.deepEqual(shares.slice(0, 2).map((s) => [s.key, s.head.head]), [[1, 1], [4, 0]]);
});

test("the verdict goes by the head that is shown, and names heads that say otherwise", () => {
  const known = { means: "cat", because: "ran", rivals: ["dog"] };
  const figures = languages[0]!.figures;
  const said = (here: [number, number, number][], elsewhere: [number, number, number][] = []) => {
    const map = mapWith(here);
    const other = { ...mapWith(elsewhere), head: { ...head, head: 1 } };
    return verdict(words, sharesOf(info, map, 6), sharesOverHeads(info, [map, other], 6), 6, known);
  };
  const texts = (list: ReturnType<typeof said>) => list.map((one) => one.text);
  assert.deepEqual(texts(said([[6, 1, 0.8]])), [figures.right]);
  assert.deepEqual(texts(said([[6, 7, 0.5], [6, 1, 0.4]])), [figures.both]);
  assert.deepEqual(texts(said([[6, 2, 0.5], [6, 1, 0.3], [6, 4, 0.1]])), [figures.partly]);
  assert.deepEqual(texts(said([[6, 4, 0.8]])), [figures.wrong]);
  // A far word with less weight is not more than a near one with more, in this head or another.
  const far = said([[6, 1, 0.6]], [[6, 1, 0.996], [6, 4, 1]]);
  assert.deepEqual(texts(far), [figures.right, figures.disputed]);
  assert.equal(far[0]!.values["means_weight"], "0.600");
  assert.deepEqual([far[1]!.values["rival"], far[1]!.values["rival_most"], far[1]!.values["rival_head"]], ["dog", "1.000", "L0H1"]);
});

test("of a text without a known answer the verdict gives the numbers and no judgement", () => {
  const map = mapWith([[6, 4, 0.8]]);
  const [only, ...rest] = verdict(words, sharesOf(info, map, 6), sharesOverHeads(info, [map], 6), 6, undefined);
  assert.equal(only!.text, languages[0]!.figures.unknown);
  assert.equal(only!.values["top"], "dog");
  assert.deepEqual(rest, []);
  assert.equal(verdict(words, [], [], 6, undefined)[0]!.text, languages[0]!.figures.none);
});

test("a long list of checkpoints is thinned evenly, its ends kept", () => {
  const list = Array.from({ length: 101 }, (_, i) => i);
  assert.deepEqual(thinned(list, 5), [0, 25, 50, 75, 100]);
  assert.deepEqual(thinned([1, 2, 3], 5), [1, 2, 3]);
});

function explanation(logits: number[], sink: number | null, cap = 0): Explanation {
  const all = sink === null ? logits : [...logits, sink];
  const lse = Math.log(all.reduce((sum, x) => sum + Math.exp(x), 0));
  return {
    head, queryIndex: 0, lse, query: [1], output: [],
    score: { ...layer.score!, scale: 0.5, cap },
    steps: logits.map((logit, token) => ({
      token, key: [logit], dot: cap > 0 ? (cap * Math.atanh(logit / cap)) / 0.5 : logit / 0.5,
      logit, masked: false, weight: Math.exp(logit - lse), value: [],
    })),
  };
}

test("softmax without a change gives the recorded weights, with a sink logit and a soft cap too", () => {
  for (const e of [explanation([1, 2, -1], null), explanation([1, 2, -1], 1.5), explanation([1, 2, -1], null, 5)]) {
    const again = reweighted(e, e.steps.map((s) => s.dot), e.score.scale);
    again.forEach((x, i) => assert.ok(Math.abs(x - e.steps[i]!.weight) < 1e-9));
  }
});

test("a changed dot product moves every share and the sink's", () => {
  const e = explanation([0, 0], 0);
  const after = reweighted(e, [2 * Math.log(2), 0], 0.5); // logits ln 2, 0, sink 0
  assert.ok(Math.abs(after[0]! - 0.5) < 1e-9);
  assert.ok(Math.abs(after[1]! - 0.25) < 1e-9);
});
