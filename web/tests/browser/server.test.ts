// SPDX-License-Identifier: Apache-2.0
// The page as the program serves it: typing texts, models, progress, back between texts, a server
// that goes away and comes back.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Page } from "playwright-core";

import { axe, brightness, kSentence, record, serve, setDark, tab, type Server } from "./harness";

const kOther = "The animal didn't cross the street because it was too wide.";

const smollm2 = process.env["REGARD_SMOLLM2"];

async function served(
  body: (page: Page, server: Server, errors: string[]) => Promise<void>,
  ...words: string[]
): Promise<void> {
  const server = await serve(0, ...words);
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
    await show(page, kOther);
    await page.locator(".labels.rows text", { hasText: "wide" }).waitFor();
    await page.getByLabel("Layer").selectOption("3");
    await page.getByLabel("Level").selectOption("token");
    const port = Number(new URL(server.origin).port);
    await server.stop();
    await page.getByLabel("Head", { exact: true }).selectOption("4"); // a head that was not read yet
    await page.getByText("The server does not answer.").waitFor();
    const again = await serve(port);
    await page.getByText("The server does not answer.").waitFor({ state: "hidden" });
    await page.locator(".head-name", { hasText: "L3H4" }).waitFor();
    await page.waitForFunction(() => document.querySelector<HTMLCanvasElement>(".plane canvas")?.height === 16);
    assert.equal(await page.getByLabel("Text", { exact: true }).inputValue(), kOther);
    // The browser itself reports the connections that were refused.
    const refused = errors.filter((error) => /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/.test(error));
    errors.splice(0, errors.length, ...errors.filter((error) => !refused.includes(error)));
    await again.stop();
  }));

test("pictures, PDF and data come from the program", () =>
  served(async (page) => {
    await show(page, kSentence);
    await page.getByText("Save or copy").click();
    const starts = { PNG: "\u0089PNG", SVG: "<?xml", PDF: "%PDF" };
    for (const view of ["heatmap", "links", "heads"]) {
      await page.locator(`#tab-${view}`).click();
      await page.locator(".data-table").waitFor();
      if ((await page.locator("details.export").getAttribute("open")) === null) await page.getByText("Save or copy").click();
      for (const name of ["PNG", "SVG", "PDF"] as const) {
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.locator(".export-items").getByRole("button", { name, exact: true }).click(),
        ]);
        const bytes = readFileSync((await download.path())!);
        const start = name === "SVG" && view !== "heatmap" ? "<svg" : starts[name].slice(0, 4); // drawn by the page
        assert.equal(bytes.subarray(0, 4).toString("latin1"), start, `${view} ${name}`);
      }
    }
  }));

test("cross-attention: rows of the decoder, columns of the encoder, in every view", async () => {
  const file = record("--model", "../tests/golden/models/bart", "--ids", "5,6,7,8,9,10", "--target-ids", "2,9,10,4", "--kind", "cross");
  await served(async (page) => {
    await page.locator(".plane canvas").waitFor();
    const cells = await brightness(page, ".plane canvas");
    assert.deepEqual([cells.length, cells[0]!.length], [4, 6]);
    assert.deepEqual(await page.locator(".labels.rows text").allTextContents(), ["#2", "#9", "#10", "#4"]);
    for (const [i, name] of ["heatmap", "links", "heads", "steps", "text", "map", "compare"].entries()) {
      await page.keyboard.press(String(i + 1));
      await page.locator(`#tab-${name}[aria-selected=true]`).waitFor();
      await page.locator(".data-table").waitFor();
      assert.deepEqual(await axe(page), [], name);
    }
  }, "--trace", file);
});

test("generated tokens: each shows what it looked at when it was written", { skip: !smollm2 && "REGARD_SMOLLM2 is not set" }, () =>
  served(async (page) => {
    await page.getByRole("button", { name: "Generate", exact: true }).click();
    await page.getByLabel("Tokens to generate").fill("6");
    await page.getByLabel("Text", { exact: true }).fill("The capital of France is");
    await page.keyboard.press("Enter");
    await page.locator("#tab-generated").click({ timeout: 60_000 });
    await page.getByLabel("Generated token").waitFor();
    assert.equal(await page.locator(".run.made").count(), 6);
    await page.getByText("1 of 6").waitFor();
    await page.locator(".run.made").nth(3).click();
    await page.getByText("4 of 6").waitFor();
    assert.match(page.url(), /generate=6/);
    await page.getByText("As a table").click();
    const weights = await page.locator(".data-table td").allTextContents();
    const sum = weights.reduce((total, weight) => total + Number(weight), 0);
    assert.ok(Math.abs(sum - 1) < 0.02, String(sum)); // a causal row of its own
    assert.deepEqual(await axe(page), []);
    await setDark(page, true);
    assert.deepEqual(await axe(page), []);
  }, "--model", smollm2!));

// Holds back the answers at `path`, in the order of the requests; `release` lets one go.
async function hold(page: Page, path: string | RegExp): Promise<{ held: () => number; release: (i: number) => Promise<void> }> {
  const waiting: (() => Promise<void>)[] = [];
  await page.route(path, (route) => {
    waiting.push(async () => route.continue());
  });
  return { held: () => waiting.length, release: (i) => waiting[i]!() };
}
async function until(what: () => boolean): Promise<void> {
  for (let i = 0; !what(); ++i) {
    assert.ok(i < 400, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("a text typed before the page has read its models is shown, not the page's first text", async () => {
  const server = await serve();
  const { page, errors } = await tab(server.origin);
  try {
    const models = await hold(page, "**/api/models");
    await page.goto(`${server.origin}/#view=heatmap`);
    await until(() => models.held() === 1);
    await show(page, kOther);
    await models.release(0);
    await page.waitForFunction(() => document.querySelectorAll("select option").length > 0);
    await page.locator(".labels.rows text", { hasText: "wide" }).waitFor();
    assert.equal(await page.getByLabel("Text", { exact: true }).inputValue(), kOther);
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
    await server.stop();
  }
});

test("an answer about an older text that comes late changes nothing", () =>
  served(async (page) => {
    await show(page, kSentence);
    const info = await hold(page, /\/api\/traces\/\w+$/);
    await page.getByLabel("Text", { exact: true }).fill("An older text.");
    await page.keyboard.press("Enter");
    await until(() => info.held() === 1);
    await page.getByLabel("Text", { exact: true }).fill(kOther);
    await page.keyboard.press("Enter");
    await until(() => info.held() === 2);
    await info.release(1);
    await page.locator(".labels.rows text", { hasText: "wide" }).waitFor();
    await info.release(0);
    await page.waitForTimeout(300);
    await page.locator(".labels.rows text", { hasText: "wide" }).waitFor();
    assert.equal(new URLSearchParams(new URL(page.url()).hash.slice(1)).get("text"), kOther);
    assert.equal(await page.getByLabel("Text", { exact: true }).inputValue(), kOther);
  }));

test("a run that the network cuts off goes on when the server answers again", () =>
  served(async (page, _server, errors) => {
    await show(page, kSentence);
    let cut = 0;
    await page.route("**/api/runs/*/events", (route) => (cut++ === 0 ? route.abort("connectionreset") : route.continue()));
    await show(page, kOther);
    await page.locator(".labels.rows text", { hasText: "wide" }).waitFor();
    assert.equal(cut, 2);
    assert.match(errors.pop() ?? "", /ERR_CONNECTION_RESET/); // the browser's own account of it
  }));

test("going back shows a long text's trace again without a run, and keeps the way forward", () =>
  served(async (page) => {
    const long = Array.from({ length: 12 }, (_, i) => `The road number ${i} was too long.`).join(" ");
    await show(page, `${long} First.`);
    await page.locator(".labels.rows text", { hasText: "First" }).waitFor();
    await show(page, `${long} Second.`);
    await page.locator(".labels.rows text", { hasText: "Second" }).waitFor();
    let runs = 0;
    page.on("request", (request) => (runs += Number(request.method() === "POST")));
    await page.goBack();
    await page.locator(".labels.rows text", { hasText: "First" }).waitFor();
    await page.goForward();
    await page.locator(".labels.rows text", { hasText: "Second" }).waitFor();
    assert.equal(runs, 0);
  }));

test("a model that does not open says why, and the page stays usable", () =>
  served(async (page, _server, errors) => {
    await show(page, kSentence);
    await page.route("**/api/runs", (route) =>
      route.continue({ postData: JSON.stringify({ model: "../tests/golden/models/no-such-model", text: "x" }) }),
    );
    await page.getByLabel("Text", { exact: true }).fill("another");
    await page.keyboard.press("Enter");
    const said = page.getByRole("alert");
    await said.waitFor();
    assert.match((await said.textContent())!, /no-such-model/);
    assert.match(errors.pop() ?? "", /status of 4\d\d/); // the browser's own account of it
    assert.equal(await page.getByLabel("Text", { exact: true }).inputValue(), "another");
    assert.deepEqual(await axe(page), []);
    await page.getByRole("button", { name: "Dismiss" }).click();
    await page.locator("#tab-links").click();
    await page.locator(".links-drawing path").first().waitFor();
  }));
