// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Unit } from "../src/data/types";
import { align } from "../src/lib/align";
import { keepMass, lift, onlyPart, shades, withoutSinks, withoutSpecials, type Grid } from "../src/lib/grid";

const unit = (text: string, tokens: number[], special = false, sequence = special ? -1 : 0): Unit => ({
  text, start: 0, end: text.length, sequence, special, wordlike: !special, tokens,
});

// [CLS] un ##do it [SEP]; rows sum to 1.
const weights = Float32Array.from([
  0.2, 0.2, 0.2, 0.2, 0.2,
  0.1, 0.4, 0.2, 0.2, 0.1,
  0.3, 0.1, 0.1, 0.4, 0.1,
  0.0, 0.5, 0.25, 0.25, 0.0,
  1.0, 0.0, 0.0, 0.0, 0.0,
]);
const words = [unit("[CLS]", [0], true), unit("undo", [1, 2]), unit("it", [3]), unit("[SEP]", [4], true)];
const grid = (): Grid => ({ rowUnits: words, columnUnits: words, weights: lift(weights, 5, words, words), notes: [] });
const near = (found: Float32Array, expected: number[]) => {
  assert.equal(found.length, expected.length);
  expected.forEach((x, i) => assert.ok(Math.abs(found[i]! - x) < 1e-6, `${i}: ${found[i]} is not ${x}`));
};

test("words sum the pieces attended to and average the pieces that attend", () => {
  near(grid().weights, [0.2, 0.4, 0.2, 0.2, 0.2, 0.4, 0.3, 0.1, 0, 0.75, 0.25, 0, 1, 0, 0, 0]);
});

test("hiding special tokens leaves raw weights and says so", () => {
  const shown = withoutSpecials(grid());
  near(shown.weights, [0.4, 0.3, 0.75, 0.25]);
  assert.equal(shown.notes.length, 1);
});

test("without sinks the rows are divided by what is left", () => {
  const shown = withoutSinks(grid());
  assert.deepEqual(shown.columnUnits.map((u) => u.text), ["undo", "it"]);
  near(shown.weights.subarray(2, 4), [0.4 / 0.7, 0.3 / 0.7]);
  near(shown.weights.subarray(6, 8), [0, 0]); // nothing is left of this row
  assert.match(shown.notes[0]!, /divided/);
});

test("the first word is a sink only where no special token comes first", () => {
  const two = [unit("a", [0]), unit("b", [1])];
  const plain: Grid = { rowUnits: two, columnUnits: two, weights: Float32Array.from([0.9, 0.1, 0.5, 0.5]), notes: [] };
  const shown = withoutSinks(plain);
  assert.deepEqual(shown.columnUnits.map((u) => u.text), ["b"]);
  assert.match(shown.notes[0]!, /first word/);
  assert.doesNotMatch(withoutSinks(grid()).notes[0]!, /first word/);
  assert.equal(withoutSinks(plain, true).columnUnits.length, 2);
});

test("keep mass keeps the fewest largest weights of each row", () => {
  near(keepMass(grid(), 0.7).weights.subarray(4, 8), [0, 0.4, 0.3, 0]);
  near(keepMass(grid(), 0.75).weights.subarray(8, 12), [0, 0.75, 0, 0]);
});

test("within and across leave the other cells undrawn", () => {
  const pair = [unit("a", [0], false, 0), unit("b", [1], false, 1)];
  const of = (part: "within" | "across") =>
    [...onlyPart({ rowUnits: pair, columnUnits: pair, weights: Float32Array.from([0.25, 0.75, 0.5, 0.5]), notes: [] }, part).weights];
  assert.deepEqual(of("within"), [0.25, NaN, NaN, 0.5]);
  assert.deepEqual(of("across"), [NaN, 0.75, 0.5, NaN]);
});

test("shades against the row's or the map's largest, linear, log and rank", () => {
  const two: Grid = { rowUnits: words.slice(0, 2), columnUnits: words.slice(0, 2), weights: Float32Array.from([1, 0.1, 0.5, 0.25]), notes: [] };
  near(shades(two, "linear", "map"), [1, 0.1, 0.5, 0.25]);
  near(shades(two, "linear", "row"), [1, 0.1, 1, 0.5]);
  near(shades(two, "log", "map"), [1, 2 / 3, 1 + Math.log10(0.5) / 3, 1 + Math.log10(0.25) / 3]);
  near(shades(two, "rank", "map"), [1, 0.5, 1, 0.5]);
});

test("ranks count only the cells that are drawn", () => {
  const row: Grid = { rowUnits: [unit("a", [0])], columnUnits: ["a", "b", "c"].map((t, i) => unit(t, [i])), weights: Float32Array.from([0.3, NaN, 0.1]), notes: [] };
  assert.deepEqual([...shades(row, "rank", "map")], [1, NaN, 0.5]);
});

test("a changed word stands against the word that it replaces", () => {
  const list = (text: string) => text.split(" ").map((w, i) => unit(w, [i]));
  const pairs = align(list("it was too tired to go"), list("It was much too wide to"));
  assert.deepEqual(
    pairs.map((p) => [p.a, p.b, p.same]),
    [[0, 0, true], [1, 1, true], [-1, 2, false], [2, 3, true], [3, 4, false], [4, 5, true], [5, -1, false]],
  );
});
