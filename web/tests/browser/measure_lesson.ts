// SPDX-License-Identifier: Apache-2.0
// How fast the lesson is: `npm run measure:lesson`. docs/performance.md has what it printed.
//   REGARD_PROGRAM    the program
//   after --: starts, interactions, or both; then a model other than the program's own
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

import text from "../../src/lesson/en.json";
import { lessonOnDisk, serve, tab } from "./harness";

const [kWhat = "both", kModel = "lesson"] = process.argv.slice(2);
const kRounds = 7;
const kThirty =
  "The old animal didn't cross the long street near the river and the bridge in the evening because it was too tired after the day with the friendly farmer in the field."; // 31 words
const kOther = kThirty.replace("tired", "hungry");

function say(what: string, list: number[]): void {
  const sorted = [...list].sort((a, b) => a - b);
  console.log(`${what}: median ${sorted[sorted.length >> 1]!.toFixed(0)} ms, largest ${sorted.at(-1)!.toFixed(0)} ms, of ${list.length}`);
}

const kReadable = `document.querySelector(".lesson-step")?.textContent && document.querySelectorAll(".reading").length > 1`;
const kFigure = `document.querySelectorAll(".lesson-words button").length > 5`;
// Milliseconds of the page's clock until an expression holds, as drawn.
const until = (page: Page, expression: string) =>
  page.evaluate(`new Promise((done) => { const look = () => (${expression}) ? requestAnimationFrame(() => done(performance.now())) : setTimeout(look, 1); look(); })`) as Promise<number>;

async function starts(): Promise<void> {
  const readable: number[] = [];
  const figure: number[] = [];
  for (let i = 0; i < kRounds; ++i) {
    const begin = performance.now();
    const server = await serve(0, "--model", kModel);
    const listening = performance.now() - begin;
    const { page } = await tab(server.origin);
    await page.goto(server.origin, { waitUntil: "commit" });
    readable.push(listening + (await until(page, kReadable)));
    figure.push(listening + (await until(page, kFigure)));
    await page.context().close();
    await server.stop();
  }
  say("program started to first step readable", readable);
  say("program started to its figure drawn", figure);
  const file = lessonOnDisk("--model", kModel);
  console.log(`file: ${(statSync(fileURLToPath(file)).size / 1e6).toFixed(2)} MB`);
  const opened: number[] = [];
  for (let i = 0; i < kRounds; ++i) {
    const { page } = await tab(null);
    await page.goto(file, { waitUntil: "commit" });
    opened.push(await until(page, `${kReadable} && ${kFigure}`));
    await page.context().close();
  }
  say("file opened to first step and figure", opened);
}

// From an action in the page to what it changes, as drawn.
async function timed(page: Page, act: string, expression: string): Promise<number> {
  return (await page.evaluate(`new Promise((done) => {
    const set = (element, value) => {
      Object.getOwnPropertyDescriptor(Object.getPrototypeOf(element), "value").set.call(element, value);
      element.dispatchEvent(new Event("input", { bubbles: true }));
      element.dispatchEvent(new Event("change", { bubbles: true }));
    };
    const find = (selector, words = "") => [...document.querySelectorAll(selector)].find((e) => e.textContent.includes(words));
    const begin = performance.now();
    ${act};
    const look = () => (${expression}) ? requestAnimationFrame(() => done(performance.now() - begin)) : setTimeout(look, 1);
    look();
  })`)) as number;
}

async function interactions(): Promise<void> {
  const server = await serve(0, "--model", kModel);
  const { page } = await tab(server.origin);
  const found = new Map<string, number[]>();
  const time = async (what: string, act: string, expression: string) => {
    const took = await timed(page, act, expression);
    found.set(what, [...(found.get(what) ?? []), took]);
  };
  const step = (id: string) => [...text.steps.map((s) => s.id), "quiz", "ask"].indexOf(id);
  const open = (id: string) => `document.querySelectorAll(".lesson-steps button")[${step(id)}].click()`;
  await page.goto(`${server.origin}/#${new URLSearchParams({ lesson: "read", text: kThirty })}`);
  await page.locator(".lesson-words").waitFor();
  const drawn: Record<string, string> = {
    who: `document.querySelectorAll(".lesson-bar").length > 20 && find(".verdict")`,
    qkv: `document.querySelectorAll(".vector").length === 3`,
    scores: `document.querySelectorAll(".scores tbody tr").length > 20`,
    grid: `document.querySelector(".lesson-figure .plane canvas")?.width > 20`,
    heads: `[...document.querySelectorAll(".thumbnail canvas")].some((c) => c.width < 100)`,
    flow: `document.querySelectorAll(".vector").length === 6`,
    learned: `document.querySelectorAll(".lesson-figure .plane").length > 0`,
    distance: `document.querySelectorAll(".curve circle").length > 0`,
    limits: `document.querySelector(".lesson-figure .plane canvas")?.width > 20`,
    quiz: `document.querySelectorAll(".question .plane").length === 2`,
    ask: `find(".ask-questions button")`,
  };
  for (let i = 0; i < kRounds; ++i) {
    for (const [id, ready] of Object.entries(drawn)) await time(`a step opened (${id})`, open(id), ready);
    await page.evaluate(open("read"));
    await page.locator(".lesson-words").waitFor();
    await time("a word guessed", `find(".lesson-words button", "${i % 2 ? "river" : "animal"}").click()`, `find(".verdict", "${i % 2 ? "river" : "animal"}")`);
    await page.evaluate(open("qkv"));
    await page.locator(".vector").nth(2).waitFor();
    await time("a number of the query dragged", `const s = document.querySelector(".lesson-figure input[type=range]"); set(s, Number(s.value) + 0.8)`, `document.querySelector(".bar-before")`);
    await page.evaluate(open("scores"));
    await page.locator("table.scores").waitFor();
    await time("the scale dragged", `const s = document.querySelector(".lesson-figure input[type=range]"); set(s, 2)`, `find("output", "was")`);
    await page.evaluate(open("who"));
    await page.locator(".lesson-bar").first().waitFor();
    const changed = i % 2 ? "tired" : "hungry";
    await time("another sentence run", `const t = document.querySelector(".lesson-sentence textarea"); set(t, ${JSON.stringify(i % 2 ? kThirty : kOther)}); document.querySelector(".lesson-sentence").requestSubmit()`, `find(".bar-name", "${changed}") && find(".verdict")`);
    await page.evaluate(open("ask"));
    await page.locator(".ask-questions").waitFor();
    await time("a question answered", `find(".ask-questions button", "previous word").click()`, `find(".ask-answer .verdict")`);
    await page.evaluate(open("quiz"));
    await page.locator(".question .plane").first().waitFor();
    await time("an answer judged", `document.querySelector("[data-question=benefit] input").click(); setTimeout(() => document.querySelector("[data-question=benefit] form").requestSubmit(), 0)`, `document.querySelector("[data-question=benefit] .verdict")`);
  }
  for (const [what, list] of found) say(what, list);
  await page.context().close();
  await server.stop();
}

if (kWhat !== "interactions") await starts();
if (kWhat !== "starts") await interactions();
process.exit(0);
