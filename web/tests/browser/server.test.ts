// SPDX-License-Identifier: Apache-2.0
// The page as the program serves it: typing texts, models, progress, back between texts, a server
// that goes away and comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";

import { axe, brightness, kSentence, serve, setDark, tab, type Server } from "./harness";

const kOther = "The animal didn't cross the street because it was too wide.";

async function served(body: (page: Page, server: Server, errors: string[]) => Promise<void>): Promise<void> {
  const server = await serve();
  const { page, errors } = await tab(server.origin);
  try {
    await page.goto(`${server.origin}/#view=heatmap`);
    await body(page, server, errors);
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
    await server.stop();
  }
}

async function show(page: Page, text: string): Promise<void> {
  await page.getByLabel("Text", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
  await page.waitForFunction((wanted) => new URLSearchParams(location.hash.slice(1)).get("text") === wanted, text);
  await page.locator(".plane canvas").waitFor();
}

test("a typed text is run and shown; back returns to the text before", () =>
  served(async (page) => {
    await show(page, kSentence);
    const cells = await brightness(page, ".plane canvas");
    const it = cells[8]!.slice(1, -1);
    assert.equal(it.indexOf(Math.min(...it)), 1); // it -> animal
    await show(page, kOther);
    await page.locator(".labels.rows text", { hasText: "wide" }).waitFor();
    await page.goBack();
    await page.locator(".labels.rows text", { hasText: "tired" }).waitFor();
    assert.equal(await page.getByLabel("Text", { exact: true }).inputValue(), kSentence);
  }));

test("axe finds nothing in the form, with every extra field, light and dark", () =>
  served(async (page) => {
    await show(page, kSentence);
    for (const name of ["Pair", "Target", "Generate"]) await page.getByRole("button", { name, exact: true }).click();
    assert.deepEqual(await axe(page), []);
    await setDark(page, true);
    assert.deepEqual(await axe(page), []);
  }));

test("the second text of a pair is run with the first", () =>
  served(async (page) => {
    await page.getByRole("button", { name: "Pair", exact: true }).click();
    await page.getByLabel("Second text of the pair").fill("He makes music.");
    await show(page, "A man is playing a guitar.");
    await page.getByLabel("Pair", { exact: true }).selectOption("across");
    await page.getByText("only cells across the two texts").waitFor();
    assert.match(page.url(), /pair=He\+makes\+music/);
  }));

test("compare runs another text and shows it beside the first", () =>
  served(async (page) => {
    await show(page, kSentence);
    await page.locator("#tab-compare").click();
    await page.getByLabel("on another text").fill(kOther);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.locator(".plate").nth(2).waitFor();
    await page.getByText("As a table").click();
    await page.locator(".data-table", { hasText: "tired/wide" }).waitFor();
  }));

test("the page says that the server is gone, and is itself again when it is back", () =>
  served(async (page, server, errors) => {
    await show(page, kSentence);
    await page.getByLabel("Level").selectOption("token");
    const port = Number(new URL(server.origin).port);
    await server.stop();
    await page.getByLabel("Head", { exact: true }).selectOption("4"); // a head that was not read yet
    await page.getByText("The server does not answer.").waitFor();
    const again = await serve(port);
    await page.getByText("The server does not answer.").waitFor({ state: "hidden" });
    await page.locator(".head-name", { hasText: "L3H4" }).waitFor();
    await page.waitForFunction(() => document.querySelector<HTMLCanvasElement>(".plane canvas")?.height === 16);
    assert.equal(await page.getByLabel("Text", { exact: true }).inputValue(), kSentence);
    // The browser itself reports the connections that were refused.
    const refused = errors.filter((error) => /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/.test(error));
    errors.splice(0, errors.length, ...errors.filter((error) => !refused.includes(error)));
    await again.stop();
  }));
