// SPDX-License-Identifier: Apache-2.0
// The address bar holds what every view shows: a reload and a copied link bring it back, and back
// undoes it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";

import { kSentence, pageOnDisk, serve, tab, withPage } from "./harness";

const view = (hash: string, body: (page: Page) => Promise<void>) => () => withPage(pageOnDisk(kSentence), hash, body);
const inAddress = (page: Page, key: string) => new URLSearchParams(new URL(page.url()).hash.slice(1)).get(key);
const reaches = (page: Page, key: string, value: string | null) =>
  page.waitForFunction(([k, v]) => new URLSearchParams(location.hash.slice(1)).get(k!) === v, [key, value]);

test("the direction of Text", view("view=text", async (page) => {
  await page.getByLabel("Colour by").selectOption("from");
  await reaches(page, "direction", "from");
  await page.getByText("is attended to from the words below").waitFor();
  await page.goBack();
  await page.getByText("attends to the words below").waitFor();
}));

test("order and filter of All heads", view("view=heads", async (page) => {
  const first = () => page.locator(".thumbnail b").first().textContent();
  await page.getByLabel("Sort by").selectOption("entropy");
  const sorted = await first();
  assert.notEqual(sorted, "L0H0");
  await page.getByLabel("Order").selectOption("up");
  const sharpest = await first();
  assert.notEqual(sharpest, sorted);
  await page.getByLabel("Only heads by").selectOption("distance");
  const left = await page.locator(".thumbnail").count();
  assert.ok(left < 72);
  await page.reload();
  await page.locator(".thumbnail").first().waitFor();
  assert.equal(await page.locator(".thumbnail").count(), left);
  await page.goBack();
  await page.waitForFunction(() => document.querySelectorAll(".thumbnail").length === 72);
  assert.equal(await first(), sharpest);
}));

test("the head that Links shows alone", view("view=links&head=L3H1+L5H11", async (page) => {
  await page.locator(".chip", { hasText: "L3H1" }).first().click({ modifiers: ["Shift"] });
  await reaches(page, "alone", "L3H1");
  await page.reload();
  await page.locator(".chip.alone").waitFor();
  const strokes = await page.locator(".links-drawing path").evaluateAll((all) => [...new Set(all.map((e) => e.getAttribute("stroke")))]);
  assert.equal(strokes.length, 1);
  await page.goBack();
  await page.locator(".chip.alone").waitFor({ state: "detached" });
}));

test("the place and zoom of Map", view("view=map", async (page) => {
  const canvas = page.locator(".map-canvas");
  const range = async () => /Rows .*token/.exec((await canvas.getAttribute("aria-label"))!)?.[0];
  await canvas.focus();
  for (const key of ["+", "+", "ArrowDown"]) await page.keyboard.press(key);
  await page.waitForFunction(() => /place=[\d.]+\+[\d.]+\+2\.25/.test(location.hash));
  const seen = await range();
  const place = inAddress(page, "place");
  await page.reload();
  await page.waitForFunction((wanted) => document.querySelector(".map-canvas")?.getAttribute("aria-label")?.includes(wanted!), seen);
  assert.equal(inAddress(page, "place"), place);
}));

test("a cell locked in Compare is locked in every view", view("view=compare&other=1+L3H5", async (page) => {
  await page.locator(".plate canvas").nth(2).waitFor();
  await page.getByRole("application").first().focus();
  for (const key of ["ArrowDown", ...Array<string>(8).fill("ArrowDown"), "ArrowRight", "ArrowRight", "Enter"]) await page.keyboard.press(key);
  await reaches(page, "row", "10");
  await page.locator("#tab-heatmap").click();
  await page.locator(".locked").waitFor();
  assert.match((await page.locator(".readout").textContent())!, /^it → animal 0\.677/);
  await page.goBack();
  await page.locator(".plate .locked").nth(2).waitFor();
}));

test("a second run that is not there any more is said and left", view("view=compare&other=gone+L3H5", async (page) => {
  const said = page.getByRole("alert");
  await said.waitFor();
  assert.match((await said.textContent())!, /not there any more/);
  await page.locator(".plate canvas").nth(2).waitFor();
  assert.equal(inAddress(page, "other"), null);
}));

test("a link to a comparison of two texts is run again where its runs are gone", async () => {
  const address = `view=compare&model=minilm&text=${encodeURIComponent(kSentence)}&other=gone+L3H1&other.model=minilm&other.text=${encodeURIComponent(kSentence.replace("tired", "wide"))}`;
  const server = await serve();
  const { page, errors } = await tab(server.origin);
  try {
    await page.goto(`${server.origin}/#${address}`);
    await page.locator(".plate canvas").nth(2).waitFor();
    await page.locator(".plate .labels text", { hasText: "tired/" }).first().waitFor();
    assert.notEqual(inAddress(page, "other"), "gone L3H1");
    assert.match(inAddress(page, "other.text")!, /wide\.$/);
    // The browser's own account of the trace that was asked for.
    assert.deepEqual(errors.filter((error) => !/status of 404/.test(error)), []);
  } finally {
    await page.context().close();
    await server.stop();
  }
});
