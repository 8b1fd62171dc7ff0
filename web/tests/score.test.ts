// SPDX-License-Identifier: Apache-2.0
// The page's score against the program's (score_vectors.json, written by
// regard/attention/score_vectors_test.cc) and against PyTorch's (tests/golden/score).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { weightsOfRow, type HeadView } from "../src/data/score";
import { Safetensors } from "../src/data/safetensors";
import type { ScoreSpec } from "../src/data/types";

interface Vectors {
  name: string;
  queries: number;
  keys: number;
  dim: number;
  slots: number;
  score: ScoreSpec;
  query: number[];
  key: number[];
  slope?: number[];
  bias?: number[];
  queryRelative?: number[];
  keyRelative?: number[];
  slot?: number[];
  blocks?: number[];
  keyValid?: number[];
  lse: (number | null)[]; // null: the row sees nothing
  weights: number[];
}

const vectors = JSON.parse(readFileSync("tests/score_vectors.json", "utf8")) as Vectors[];
const kPlain: ScoreSpec = { scale: 1, cap: 0, causal: false, window: 0, chunk: 0, prefix: 0, alibi: "none" };
const floats = (list: number[] | undefined) => (list ? Float32Array.from(list) : null);

function largestError(head: HeadView, expected: ArrayLike<number>): number {
  assert.equal(expected.length, head.queries * head.keys);
  let worst = 0;
  const row = new Float64Array(head.keys);
  for (let q = 0; q < head.queries; ++q) {
    weightsOfRow(head, q, 0, row);
    for (let k = 0; k < head.keys; ++k) {
      const error = Math.abs(row[k]! - expected[q * head.keys + k]!);
      if (!(error <= worst)) worst = error; // NaN too
    }
  }
  return worst;
}

for (const v of vectors) {
  test(`weights are the program's: ${v.name}`, () => {
    const head: HeadView = {
      query: Float32Array.from(v.query),
      key: Float32Array.from(v.key),
      lse: Float64Array.from(v.lse, (x) => x ?? -Infinity),
      keyValid: v.keyValid ? Uint8Array.from(v.keyValid) : null,
      queries: v.queries,
      keys: v.keys,
      dim: v.dim,
      score: v.score,
      terms: {
        slope: v.slope?.[0] ?? 0,
        bias: floats(v.bias),
        queryRelative: floats(v.queryRelative),
        keyRelative: floats(v.keyRelative),
        slot: v.slot ? Int32Array.from(v.slot) : null,
        slots: v.slots,
        blocks: v.blocks ? Uint8Array.from(v.blocks) : null,
      },
    };
    const worst = largestError(head, v.weights);
    assert.ok(worst <= 1e-6, `a weight is ${worst} off`);
    assert.ok(Math.max(...v.weights) > 0.1);
  });
}

// Cases whose arrays are recorded as the score wants them, by distance.
test("weights are PyTorch's", () => {
  const bytes = readFileSync("../tests/golden/score/scores.safetensors");
  const golden = new Safetensors(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer);
  let compared = 0;
  for (const [key, spec] of Object.entries(golden.metadata)) {
    const name = key.replace(/^score\./, "");
    if (name === key || golden.has(`${name}.table`) || golden.has(`${name}.shape`)) continue;
    const [heads, queries, dim] = golden.shape(`${name}.query`) as [number, number, number];
    const keys = golden.shape(`${name}.key`)[1]!;
    const of = (part: string, h: number, size: number) => golden.numbers(`${name}.${part}`).subarray(h * size, (h + 1) * size);
    for (let h = 0; h < heads; ++h) {
      const head: HeadView = {
        query: of("query", h, queries * dim) as Float32Array,
        key: of("key", h, keys * dim) as Float32Array,
        lse: of("lse", h, queries) as Float64Array,
        keyValid: null, queries, keys, dim,
        score: { ...kPlain, ...JSON.parse(spec) },
        terms: {
          slope: golden.has(`${name}.slopes`) ? golden.numbers(`${name}.slopes`)[h]! : 0,
          bias: null, queryRelative: null, keyRelative: null, slot: null, slots: 0, blocks: null,
        },
      };
      const worst = largestError(head, of("weights", h, queries * keys));
      assert.ok(worst <= 1e-6, `${name}, head ${h}: a weight is ${worst} off`);
      ++compared;
    }
  }
  assert.ok(compared >= 20, `${compared} heads compared`);
});
