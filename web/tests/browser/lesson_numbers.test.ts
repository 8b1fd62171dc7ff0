// SPDX-License-Identifier: Apache-2.0
// Every live figure of the lesson against the numbers of `regard explain`, `show` and `heads` on the
// same sentence. What moves when something is dragged is worked out here, from the explanation.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";

import { kSentence, output, serve, tab, trained } from "./harness";

const kHead = "L2H3";
const kTwin = "before training";

interface Explained {
  tokens: { text: string }[];
  score: { scale: number };
  query: number[];
  steps: { token: number; key: number[]; dot: number; scaled: number; weight: number; value: number[] }[];
  output: number[];
}
interface Shown {
  words: { text: string }[];
  heads: { layer: number; head: number; weights: number[][] }[];
}
interface Measured {
  heads: { layer: number; head: number; previous: number; next: number; same: number; first: number; special: number }[];
}

const explained = (text: string, word = "it") => output<Explained>("explain", text, "--word", word, "--head", kHead, "--model", "lesson");
const shown = (text: string, ...more: string[]) => output<Shown>("show", text, "--model", "lesson", "--head", kHead, ...more);
const rowOf = (map: Shown, word: string) => map.heads[0]!.weights[map.words.findIndex((w) => w.text === word)]!;

async function atStep(step: string, body: (page: Page) => Promise<void>, text = kSentence): Promise<void> {
  const server = await serve(0, "--model", "lesson");
  const { page, errors } = await tab(server.origin);
  try {
    const hash = new URLSearchParams({ lesson: step, text, model: "lesson", head: kHead });
    await page.goto(`${server.origin}/#${hash}`);
    await page.locator(".lesson-figure").waitFor();
    await body(page);
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
    await server.stop();
  }
}

const numbers = (list: string[]) => list.map((x) => Number(x.replace("−", "-")));
const near = (found: number[], wanted: number[], digits: number, what: string) => {
  assert.equal(found.length, wanted.length, what);
  found.forEach((x, i) => assert.ok(Math.abs(x - wanted[i]!) <= 0.51 * 10 ** -digits + 1e-6, `${what} [${i}]: ${x}, expected ${wanted[i]}`));
};
async function bars(page: Page): Promise<number[]> {
  await page.locator(".lesson-bar").first().waitFor();
  return numbers(await page.locator(".lesson-bar .bar-number").allTextContents());
}
// The numbers of the drawn vector whose label begins so.
async function vector(page: Page, label: string): Promise<number[]> {
  const said = await page.locator(`.vector svg[aria-label^="${label}:"]`).getAttribute("aria-label");
  return numbers(said!.slice(label.length + 1).split(","));
}
function softmax(logits: number[]): number[] {
  const parts = logits.map(Math.exp);
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((x) => x / sum);
}

for (const text of [kSentence, "The queen thanked the guard because she was very grateful."]) {
  const word = text === kSentence ? "it" : "she";
  test(`reading and the row of a word: ${text}`, () =>
    atStep("who", async (page) => {
      const map = shown(text);
      if (text !== kSentence) await page.getByLabel("The word in question").selectOption({ label: word });
      await page.waitForFunction((w) => document.querySelector(".lesson-step")?.textContent?.includes(w), word);
      near(await bars(page), rowOf(map, word), 3, "bars");
      const row = rowOf(map, word);
      const others = map.words.map((w, i) => ({ text: w.text, weight: row[i]! })).filter((w) => /\w/.test(w.text) && w.text !== word);
      const top = others.reduce((a, b) => (b.weight > a.weight ? b : a));
      const said = await page.locator(".verdict").first().textContent();
      assert.ok(said!.includes(`${top.text}`) && said!.includes(top.weight.toFixed(3)), said!);
      // The mean of its makers' heads, said beside.
      const mean = output<Shown>("show", text, "--model", "lesson");
      const best = rowOf(mean, word)
        .map((weight, i) => ({ text: map.words[i]!.text, weight }))
        .filter((w) => /\w/.test(w.text) && w.text !== word)
        .sort((a, b) => b.weight - a.weight);
      const beside = (await page.locator(".verdict", { hasText: "Outside the lesson" }).textContent())!;
      for (const one of best.slice(0, 2)) assert.ok(beside.includes(`${one.text} (${one.weight.toFixed(3)})`), beside);
      await page.getByRole("button", { name: "Back", exact: true }).click();
      await page.locator(".lesson-words button", { hasText: new RegExp(`^${top.text}$`) }).first().click();
      await page.locator(".verdict", { hasText: `agrees` }).waitFor();
      assert.ok((await page.locator(".verdict").textContent())!.includes(`(${top.weight.toFixed(3)})`));
    }, text));
}

test("query, key and value are the head's; a dragged number moves every share as the formula says", () =>
  atStep("qkv", async (page) => {
    const e = explained(kSentence);
    await page.locator(".vector").first().waitFor();
    near(await vector(page, "query of it"), e.query, 3, "query");
    const top = e.steps.reduce((a, b) => (b.weight > a.weight ? b : a));
    const name = e.tokens[top.token]!.text;
    near(await vector(page, `key of ${name}`), top.key, 3, "key");
    near(await vector(page, `value of ${name}`), top.value, 3, "value");
    near(await bars(page), e.steps.map((s) => s.weight), 3, "shares");
    const slider = page.locator(".lesson-figure input[type=range]");
    const at = Number(await page.locator(".lesson-figure select").inputValue());
    await slider.focus();
    for (let i = 0; i < 12; ++i) await page.keyboard.press("ArrowLeft");
    const now = Number(await slider.inputValue());
    assert.notEqual(now, e.query[at]);
    const logits = e.steps.map((s) => s.scaled + e.score.scale * s.key[at]! * (now - e.query[at]!));
    near(await bars(page), softmax(logits), 3, "shares after dragging");
    await page.getByRole("button", { name: "Put it back" }).click();
    near(await bars(page), e.steps.map((s) => s.weight), 3, "shares put back");
  }));

test("dot products, scores and shares are the head's, and follow the scale", () =>
  atStep("scores", async (page) => {
    const e = explained(kSentence);
    await page.locator("table.scores").waitFor();
    const column = async (n: number) => numbers(await page.locator(`.scores tbody tr td:nth-of-type(${n})`).allTextContents());
    near(await column(1), e.steps.map((s) => s.dot), 2, "q·k");
    near(await column(3), e.steps.map((s) => s.scaled), 2, "score");
    near(await column(4), e.steps.map((s) => s.weight), 3, "share");
    const slider = page.locator(".lesson-figure input[type=range]");
    await slider.focus();
    for (let i = 0; i < 4; ++i) await page.keyboard.press("ArrowLeft"); // four quarters of an octave
    near(await column(3), e.steps.map((s) => s.scaled / 2), 2, "halved score");
    near(await column(4), softmax(e.steps.map((s) => s.scaled / 2)), 3, "share of halved scores");
  }));

test("the grid's numbers are those of regard show", () =>
  atStep("grid", async (page) => {
    await page.getByText("As a table").click();
    const cells = numbers(await page.locator(".data-table tbody td").allTextContents());
    near(cells, shown(kSentence).heads[0]!.weights.flat(), 3, "cells");
  }));

test("what the heads do is what regard heads measures", () =>
  atStep("heads", async (page) => {
    const { heads } = output<Measured>("heads", kSentence, "--model", "lesson");
    const said = (await page.locator(".lesson-figure .verdict").first().textContent())!;
    for (const key of ["previous", "next", "same"] as const) {
      const most = heads.reduce((a, b) => (b[key] > a[key] ? b : a));
      assert.ok(said.includes(most[key].toFixed(3)), `${key} ${most[key]}: ${said}`);
    }
    await page.locator(".thumbnail", { hasText: "L0H2" }).click();
    await page.getByRole("heading", { name: "The grid of L0H2" }).waitFor();
  }));

test("what flows on: each value times its share, and their sum", () =>
  atStep("flow", async (page) => {
    const e = explained(kSentence);
    await page.locator(".vector").first().waitFor();
    near(await vector(page, "= output for it"), e.output, 3, "output");
    const top = [...e.steps].sort((a, b) => b.weight - a.weight).slice(0, 4);
    const rest = e.output.map((x, i) => x - top.reduce((sum, s) => sum + s.weight * s.value[i]!, 0));
    near(await vector(page, "+ all other words together"), rest, 3, "rest");
    for (const s of top) {
      const label = `${s.weight.toFixed(3)} × value of ${e.tokens[s.token]!.text}`;
      near(await vector(page, label), s.value.map((x) => x * s.weight), 3, label);
    }
  }));

const kUnkept = "The queen thanked the guard because she was very grateful.";
test("where no checkpoint is kept, the untrained twin is that of regard show --untrained", () =>
  atStep("learned", async (page) => {
    const twin = shown(kUnkept, "--untrained");
    const trainedMap = shown(kUnkept);
    const plane = page.locator(".plate", { hasText: kTwin }).locator(".plane");
    await plane.focus();
    const q = twin.words.findIndex((w) => w.text === "she");
    await page.keyboard.press("Home");
    await page.keyboard.press("PageUp");
    for (let i = 0; i < q; ++i) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    const said = numbers(await page.locator(".plate .readout b").allTextContents());
    near(said, [twin.heads[0]!.weights[q]![1]!, trainedMap.heads[0]!.weights[q]![1]!], 3, "she -> queen");
  }, kUnkept));

test("words pulled apart: the link in the longer sentence is that of regard show", () =>
  atStep("distance", async (page) => {
    const slider = page.locator(".lesson-figure input[type=range]");
    await slider.focus();
    for (let n = 1; n <= 3; ++n) {
      await page.keyboard.press("ArrowRight");
      await page.waitForFunction((count) => document.querySelectorAll(".curve circle.here").length === count, n + 1);
      const text = (await page.locator(".lesson-figure .said").textContent())!;
      assert.ok(text.length > kSentence.length + 20 * n);
      const map = shown(text);
      const apart = map.words.findIndex((w) => w.text === "it") - map.words.findIndex((w) => w.text === "animal");
      await page.getByText(`${apart} words apart`).first().waitFor();
      const weight = rowOf(map, "it")[map.words.findIndex((w) => w.text === "animal")]!;
      await page.locator(".figure-key .here", { hasText: `it → animal in ${kHead}: ${weight.toFixed(2)}` }).waitFor();
    }
  }));

test("the share of sinks by layer is that of regard heads", () =>
  atStep("limits", async (page) => {
    const { heads } = output<Measured>("heads", kSentence, "--model", "lesson");
    const layers = [0, 1, 2].map((layer) => {
      const own = heads.filter((h) => h.layer === layer).map((h) => Math.max(h.first, h.special));
      return own.reduce((a, b) => a + b, 0) / own.length;
    });
    near(await bars(page), layers, 3, "layers");
  }));

test("a word of which the vocabulary knows nothing is said to be unknown", () =>
  atStep("who", async (page) => {
    await page.locator(".notes", { hasText: "googled" }).waitFor();
  }, "The animal googled the street because it was too tired."));

test("the checkpoints that the program keeps: the last one is the model's own grid", () =>
  atStep("learned", async (page) => {
    const slider = page.getByRole("slider", { name: "Checkpoint" });
    await slider.waitFor();
    await page.waitForFunction(() => !document.body.textContent!.includes("Running the text at every checkpoint"));
    assert.ok(Number(await slider.getAttribute("max")) >= 3);
    await page.getByText("As a table").click();
    const last = Number(await page.locator(".data-table tbody tr").last().locator("td").last().textContent());
    near([last], [Math.max(...rowOf(shown(kSentence), "it"))], 2, "the link that is followed");
    await slider.fill("0");
    await page.getByText(`${kHead} at step 0`, { exact: true }).waitFor();
    const first = Number(await page.locator(".data-table tbody tr").first().locator("td").last().textContent());
    assert.ok(first < 0.3, `an untrained head looks everywhere: ${first}`);
  }));


test("at each checkpoint of a training run: grid, losses and measures are those of regard show --run", async () => {
  const run = trained(8);
  const text = "the fox saw the hen and it ran .";
  interface Run {
    checkpoints: { step: number; loss?: number; held_out_loss?: number; measures: { head: string; entropy: number; previous: number }[]; view: Shown }[];
  }
  const wanted = output<Run>("show", "--run", run, text, "--head", "L1H0").checkpoints;
  assert.ok(wanted.length >= 4);
  const server = await serve(0, "--run", run);
  const { page, errors } = await tab(server.origin);
  try {
    await page.goto(`${server.origin}/#${new URLSearchParams({ lesson: "learned", text, head: "L1H0" })}`);
    const slider = page.getByRole("slider", { name: "Checkpoint" });
    await slider.waitFor();
    await page.waitForFunction(() => !document.body.textContent!.includes("Running the text at every checkpoint"));
    for (const [i, one] of wanted.entries()) {
      await slider.fill(String(i));
      await page.getByText(`L1H0 at step ${one.step}`, { exact: true }).waitFor();
      const said = (await slider.getAttribute("aria-valuetext"))!;
      assert.ok(said.startsWith(`step ${one.step} of `), said);
      if (one.loss !== undefined) assert.ok(said.includes(`loss ${one.loss.toFixed(3)}`), said);
      const row = page.locator(".head-measures tr", { hasText: "L1H0" }).locator("td");
      near([Number(await row.nth(0).textContent())], [one.measures[0]!.entropy], 2, "entropy");
      near([Number(await row.nth(1).textContent())], [one.measures[0]!.previous], 3, "previous");
      const plane = page.locator(".training .plane");
      await plane.focus();
      await page.keyboard.press("PageUp");
      await page.keyboard.press("Home");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowRight");
      const weight = Number(/([\d.e-]+) in L1H0/.exec((await page.locator(".training .readout").textContent())!)![1]);
      const now = (await page.locator(".training .readout").textContent())!;
      const [, from, to] = /Now: (\S+) → (\S+) /.exec(now)!;
      const at = (name: string) => one.view.words.findIndex((w) => w.text === name);
      near([weight], [one.view.heads[0]!.weights[at(from!)]![at(to!)]!], 3, now);
      await page.keyboard.press("Escape");
    }
    // Played from the beginning to the end, by keyboard.
    const play = page.getByRole("button", { name: "Play" });
    await play.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.waitForFunction((last) => (document.querySelector(".training input[type=range]") as HTMLInputElement).value === last, String(wanted.length - 1), { timeout: 30_000 });
    await page.getByRole("button", { name: "Play" }).waitFor();
    await page.getByRole("button", { name: "Open this in the explorer" }).click();
    await page.locator("#tab-training[aria-selected=true]").waitFor();
    await page.getByRole("slider", { name: "Checkpoint" }).waitFor();
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
    await server.stop();
  }
});
