// SPDX-License-Identifier: Apache-2.0
// The address bar: every choice that goes into it comes back out of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { fromAddress, kDefaults, toAddress, type Choice } from "../src/choice";

const head = { kind: "self", layer: 3, head: 1 } as const;
const cross = { kind: "cross", layer: 0, head: 11 } as const;

test("an empty address is the defaults, and the defaults are an empty address", () => {
  assert.deepEqual(fromAddress(""), { c: kDefaults, trace: null, asked: null });
  assert.equal(toAddress(kDefaults, null, null), "#");
});

test("every choice comes back", () => {
  const c: Choice = {
    lesson: "step", view: "compare", head, heads: [head, cross], mean: [], alone: cross, level: "token", row: 8, column: 2,
    scale: "rank", top: "row", specials: false, sinks: false, mass: 0.7, part: "across", direction: "from",
    order: { by: "entropy", ascending: true, layers: "cross 0", only: "distance", most: true, share: 0.24 },
    pool: "mean", place: { row: 70000, column: 12, zoom: 812.5 },
    other: {
      trace: "7f", head: cross,
      asked: { model: "a&b", text: "It's 100 % = wide.", pair: "two", target: "drei", generate: 4, truncate: true },
    },
  };
  const asked = { model: "minilm", text: "one\ntwo", pair: "" };
  assert.deepEqual(fromAddress(toAddress(c, "a1", asked)), { c, trace: "a1", asked });
  const mean: Choice = { ...kDefaults, head, heads: [head], mean: [head, { ...head, head: 2 }] };
  assert.deepEqual(fromAddress(toAddress(mean, null, null)).c, mean);
});

test("what an address says wrongly is as if it said nothing", () => {
  const wrong =
    "#view=x&head=L1&alone=H2&level=9&row=-1&scale=a&top=b&part=c&mass=7&direction=up&sort=size&only=layer+most+2&pool=sum&place=1+2&other=a1+L";
  assert.deepEqual(fromAddress(wrong).c, kDefaults);
  assert.equal(fromAddress("#place=5+5+0.5").c.place, null);
});

test("a run whose text is too long for an address is left out of it", () => {
  const asked = { model: "m", text: "x".repeat(2001) };
  assert.equal(toAddress(kDefaults, "a1", asked), "#trace=a1");
});
