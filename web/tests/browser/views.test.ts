// SPDX-License-Identifier: Apache-2.0
// Each view and each control of a page that lies on disk, with the network off. Expected numbers
// are PyTorch's for all-MiniLM-L6-v2 (tests/golden/minilm.safetensors).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Page } from "playwright-core";

import { brightness, kSentence, pageOnDisk, ready, withPage } from "./harness";

const seed = () => pageOnDisk(kSentence);
const view = (hash: string, body: (page: Page) => Promise<void>) => () => withPage(seed(), hash, body);
const readout = (page: Page) => page.locator(".readout").first();
const kWords = "[CLS] The animal didn't cross the street because it was too tired . [SEP]".split(" ");

const darkest = (row: number[]) => row.indexOf(Math.min(...row));

// A point in the middle of a cell of the heatmap's canvas.
async function pointAt(page: Page, row: number, column: number, of = 14) {
  const box = (await page.locator(".plane canvas").first().boundingBox())!;
  const at = { x: box.x + ((column + 0.5) * box.width) / of, y: box.y + ((row + 0.5) * box.height) / of };
  await page.mouse.move(at.x, at.y);
  return at;
}

async function table(page: Page): Promise<string[][]> {
  const summary = page.getByText("As a table");
  if (!(await page.locator(".data-table").evaluate((e) => (e as HTMLDetailsElement).open))) await summary.click();
  await page.locator(".data-table td").first().waitFor();
  return page
    .locator(".data-table tr")
    .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent ?? "")));
}

async function saved(page: Page, name: string): Promise<Buffer> {
  if ((await page.locator("details.export").getAttribute("open")) === null) await page.getByText("Save or copy").click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.locator(".export-items").getByRole("button", { name, exact: true }).click(),
  ]);
  return readFileSync((await download.path())!);
}

test("the darkest cell of the row it is animal, 0.677", view("view=heatmap", async (page) => {
  await page.locator(".plane canvas").waitFor();
  await page.getByLabel("Special tokens").uncheck();
  const cells = await brightness(page, ".plane canvas");
  assert.equal(cells.length, 12);
  const it = kWords.indexOf("it") - 1;
  assert.equal(darkest(cells[it]!), kWords.indexOf("animal") - 1);
  await pointAt(page, it, kWords.indexOf("animal") - 1, 12);
  assert.equal(await readout(page).textContent(), "it → animal 0.677");
}));

test("hover shows both words and the weight, a click locks, another frees", view("view=heatmap", async (page) => {
  const at = await pointAt(page, 8, 2);
  assert.match((await readout(page).textContent())!, /^it → animal 0\.677/);
  await page.mouse.click(at.x, at.y);
  await page.mouse.move(5, 5);
  assert.match((await readout(page).textContent())!, /^it → animal/);
  assert.match(page.url(), /row=10&column=2/);
  await page.mouse.click(at.x, at.y);
  await page.mouse.move(5, 5);
  assert.match((await readout(page).textContent())!, /^Point at a cell/);
}));

test("levels, scales, sinks, mass and the largest change the grid and say so", view("view=heatmap", async (page) => {
  const before = await brightness(page, ".plane canvas");
  await page.getByLabel("Level").selectOption("token");
  assert.equal((await brightness(page, ".plane canvas")).length, 16);
  await page.getByLabel("Level").selectOption("sentence");
  assert.equal((await brightness(page, ".plane canvas")).length, 3); // [CLS], the sentence, [SEP]
  await page.getByLabel("Level").selectOption("word");
  await page.getByLabel("Scale").selectOption("log");
  const log = await brightness(page, ".plane canvas");
  assert.ok(log[8]![4]! < before[8]![4]!); // a small weight is darker on the log scale
  await page.getByLabel("Scale").selectOption("rank");
  const rank = await brightness(page, ".plane canvas");
  assert.equal(new Set(rank[8]).size, 14);
  await page.getByLabel("Scale").selectOption("linear");
  await page.getByLabel("Darkest is").selectOption("row");
  const rows = await brightness(page, ".plane canvas");
  assert.ok(rows.every((row) => Math.min(...row) === Math.min(...rows[0]!)));
  await page.getByLabel("Sinks").uncheck();
  await page.getByText("each row is divided by what is left").waitFor();
  await page.getByLabel("Sinks").check();
  await page.getByLabel("Keep mass").fill("0.5");
  await page.getByText("only the largest weights that make 50 % of each row are kept").waitFor();
  const kept = await table(page);
  assert.equal(kept[9]!.filter((cell) => cell === "0.000").length, 13); // it -> animal alone is above a half
}));

test("back undoes what was chosen, and the address opens the same view", view("view=heatmap", async (page) => {
  await page.getByLabel("Level").selectOption("token");
  await page.getByRole("tab", { name: "Text" }).click();
  await page.getByLabel("Head", { exact: true }).selectOption("5");
  assert.match(page.url(), /view=text/);
  assert.match(page.url(), /head=L3H5/);
  const address = page.url();
  await page.goBack();
  await page.locator(".head-name", { hasText: "L3H1" }).waitFor();
  await page.goBack();
  await page.locator(".heatmap").waitFor();
  assert.equal(await page.getByLabel("Level").inputValue(), "token");
  await page.goBack();
  await page.waitForFunction(() => document.querySelector<HTMLCanvasElement>(".plane canvas")?.height === 14);
  await page.goto(address);
  await page.locator(".text-view").waitFor();
  await page.locator(".head-name", { hasText: "L3H5" }).waitFor();
}));

test("links: heads come and go with their colours, one alone, hover isolates", view("view=links", async (page) => {
  const strokes = () =>
    page.locator(".links-drawing path:visible").evaluateAll((paths) => [...new Set(paths.map((p) => p.getAttribute("stroke")))]);
  const lines = page.locator(".links-drawing path:visible");
  await lines.first().waitFor();
  assert.equal((await strokes()).length, 1);
  await page.getByRole("button", { name: "L3H5" }).click();
  assert.equal((await strokes()).length, 2);
  await page.getByRole("button", { name: "All of the layer" }).click();
  assert.equal((await strokes()).length, 12);
  await page.getByRole("button", { name: "L3H1", exact: true }).click({ modifiers: ["Shift"] });
  assert.equal((await strokes()).length, 1);
  const all = await lines.count();
  await page.locator(".words.left").getByRole("button", { name: "it", exact: true }).hover();
  const own = await lines.count();
  assert.ok(own > 0 && own < all / 5, `${own} of ${all} lines`);
  const strongest = await lines.evaluateAll((paths) => Math.max(...paths.map((p) => Number(p.getAttribute("stroke-opacity")))));
  assert.ok(Math.abs(strongest - 0.6768 / 0.992) < 0.003, String(strongest)); // [CLS] -> [CLS] 0.992 is the strongest
  const rows = await table(page);
  assert.deepEqual(rows[1], ["[CLS]", "[CLS]", "0.992", "L3H1"]);
}));

test("all heads: measured, sorted, filtered, opened", view("view=heads", async (page) => {
  await page.getByText("72 of 72 heads").waitFor();
  await page.locator(".thumbnail span", { hasText: "it → animal 0.68" }).waitFor();
  const first = page.locator(".thumbnail b").first();
  assert.equal(await first.textContent(), "L0H0");
  await page.getByLabel("Sort by").selectOption("previous");
  await page.locator(".thumbnails li:first-child b", { hasText: "L0H2" }).waitFor(); // looks back by one
  await page.getByLabel("Order").selectOption("up");
  await page.locator(".thumbnails li:last-child b", { hasText: "L0H2" }).waitFor();
  await page.getByLabel("Layers").selectOption("layer 3");
  await page.getByText("12 of 72 heads").waitFor();
  await page.getByLabel("Layers").selectOption("all");
  await page.getByLabel("Only heads by").selectOption("previous");
  await page.getByLabel("Bound").fill("0.9");
  await page.getByText("1 of 72 heads").waitFor();
  await page.locator(".thumbnail").click();
  await page.locator(".heatmap").waitFor();
  await page.locator(".head-name", { hasText: "L0H2" }).waitFor();
}));

test("step by step: the numbers add up", view("view=steps&head=L3H1&row=10", async (page) => {
  await page.locator(".keys button").first().waitFor();
  const rows = (await table(page)).slice(1);
  assert.equal(rows.length, 16);
  const weights = rows.map((row) => Number(row[3]));
  const logits = rows.map((row) => Number(row[2]));
  assert.equal(weights[2], 0.677);
  const lse = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
  rows.forEach((row, i) => {
    assert.ok(Math.abs(Number(row[1]) / Math.sqrt(32) - logits[i]!) < 1e-3, row.join());
    assert.ok(Math.abs(Math.exp(logits[i]! - lse) - weights[i]!) < 2e-3, row.join());
  });
  await page.locator(".keys button").first().click();
  await page.getByRole("heading", { name: "Times the key of [CLS]" }).waitFor();
  await page.getByLabel("largest first").check();
  assert.equal(await page.locator(".keys .key-name").first().textContent(), "animal");
  await page.getByLabel("Word that attends").selectOption({ label: "2 animal" });
  await page.getByRole("heading", { name: "The query of animal" }).waitFor();
}));

test("text: the word's attention colours the words, to and from", view("view=text&row=10", async (page) => {
  const animal = page.locator(".paragraph button", { hasText: "animal" });
  await page.waitForFunction(() => (document.querySelector<HTMLElement>(".paragraph [data-unit='2']")?.style.background ?? "") !== "");
  const colours = await page.locator(".paragraph button").evaluateAll((list) =>
    list.map((e) => (e as HTMLElement).style.background.match(/\d+/g)!.map(Number).reduce((a, b) => a + b, 0)),
  );
  assert.equal(darkest(colours), 2);
  await page.getByLabel("Colour by").selectOption("from");
  await animal.click();
  await page.getByText("is attended to from the words below").waitFor();
  const rows = await table(page);
  assert.equal(rows[1]![0], "it"); // of all queries, it gives animal the most
  assert.equal(rows[1]![1], "0.677");
}));

test("map: zoom, pan, jump to a word, small map, keys", view("view=map", async (page) => {
  const map = page.locator(".map-canvas");
  const label = () => map.getAttribute("aria-label");
  // Whether all 16 tokens are in sight.
  const inSight = (all: boolean) =>
    page.waitForFunction(
      (whole) => /Rows \(queries\) 0 to 16, columns \(keys\) 0 to 16/.test(document.querySelector(".map-canvas")?.getAttribute("aria-label") ?? "") === whole,
      all,
    );
  await inSight(true);
  await page.getByLabel("Jump to a word").fill("it");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("“it” at token 10").waitFor();
  await map.focus();
  for (let i = 0; i < 6; ++i) await page.keyboard.press("+");
  await inSight(false);
  const before = await label();
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction((old) => document.querySelector(".map-canvas")?.getAttribute("aria-label") !== old, before);
  await page.keyboard.press("Home");
  await inSight(true);
  const box = (await map.boundingBox())!;
  const side = box.width - 84;
  await page.mouse.move(box.x + 84 + (2.5 * side) / 16, box.y + 84 + (10.5 * side) / 16);
  await page.getByText("it → animal: 0.677").waitFor();
  await page.mouse.wheel(0, -600);
  await inSight(false);
  const rows = await table(page);
  assert.ok(rows.slice(1).some((row) => row[0] === "it" && row[1] === "animal" && row[5] === "0.677"));
}));

test("map: cells of several tokens stand where their tokens are, also at the map's end", async () => {
  const tokens = 1000;
  const weights = new Float32Array(tokens * tokens);
  for (let row = 896; row < 904; ++row) weights.fill(1, row * tokens + 96, row * tokens + 104);
  await withPage(pageOnDisk(...ready(weights, tokens)), "view=map&level=token", async (page) => {
    await page.getByText(/2 tokens a pixel/).waitFor(); // tiles of 512 tokens: the lower ones end with the map
    await page.waitForFunction(() => !document.querySelector(".map-canvas")!.getAttribute("aria-label")!.includes("sharpening"));
    const cells = await brightness(page, ".map-canvas");
    const side = cells.length - 84;
    const at = (token: number) => 84 + Math.round((token / tokens) * side);
    const dark = (row: number, column: number) => cells[at(row)]![at(column)]! < 300;
    assert.ok(dark(900, 100));
    for (const [row, column] of [[880, 100], [920, 100], [900, 80], [900, 120], [950, 100]] as const) assert.ok(!dark(row, column), `${row}, ${column}`);
  }, { viewport: { width: 540, height: 900 } });
});

test("compare: two heads and their difference", view("view=compare", async (page) => {
  await page.getByLabel("Its head").selectOption("5");
  await page.waitForFunction(() => document.querySelectorAll(".plate canvas").length === 3);
  await page.getByRole("application").first().focus();
  for (const key of ["ArrowDown", ...Array<string>(8).fill("ArrowDown"), "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
  assert.match((await readout(page).textContent())!, /^it → animal: 0\.677 and 0\.\d+, −0\.\d+$/);
  const rows = (await table(page)).slice(1);
  for (const row of rows.slice(0, 20)) {
    const [first, second, difference] = row.slice(2).map(Number) as [number, number, number];
    assert.ok(Math.abs(second - first - difference) < 2e-3, row.join());
  }
  const sizes = rows.map((row) => Math.abs(Number(row[4])));
  assert.ok(sizes.every((x, i) => i === 0 || x <= sizes[i - 1]!));
}));

test("every view saves a picture, a drawing and its numbers", view("view=heatmap", async (page) => {
  for (const name of ["Heatmap", "Links", "All heads", "Step by step", "Text", "Map", "Compare"]) {
    await page.getByRole("tab", { name, exact: true }).click();
    await page.locator(".data-table").waitFor();
    const png = await saved(page, "PNG");
    assert.equal(png.subarray(1, 4).toString(), "PNG", name);
    const svg = (await saved(page, "SVG")).toString();
    assert.match(svg, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/, name);
    const broken = await page.evaluate(
      (text) => new DOMParser().parseFromString(text, "image/svg+xml").querySelector("parsererror") !== null,
      svg,
    );
    assert.equal(broken, false, name);
    const csv = (await saved(page, "CSV")).toString();
    assert.ok(csv.split("\r\n").length > 10, name);
    if (name === "Heatmap") {
      const it = csv.split("\r\n").find((line) => line.startsWith("it,"))!;
      assert.ok(Math.abs(Number(it.split(",")[3]) - 0.6768) < 1e-4, it);
    }
  }
}));

test("link, citation and figure are copied", async () => {
  await withPage(
    seed(), "view=heatmap",
    async (page) => {
      await page.locator(".plane canvas").waitFor();
      await page.getByText("Save or copy").click();
      const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
      await page.getByRole("button", { name: "Copy link" }).click();
      await page.getByText("Copied.").waitFor();
      assert.equal(await clipboard(), page.url());
      await page.getByRole("button", { name: "Copy citation" }).click();
      await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith("@software{regard,"));
      await page.getByRole("button", { name: "Copy figure" }).click();
      await page.getByText("The figure is on the clipboard.").waitFor();
      const kinds = await page.evaluate(async () => (await navigator.clipboard.read()).flatMap((item) => item.types));
      assert.deepEqual(kinds, ["image/png"]);
    },
    { permissions: ["clipboard-read", "clipboard-write"] },
  );
});

test("a pair: within one text or across the two", async () => {
  const page = pageOnDisk("A man is playing a guitar.", "--pair", "He makes music.");
  await withPage(page, "view=heatmap", async (tab) => {
    const transparent = () =>
      tab.locator(".plane canvas").evaluate((e) => {
        const canvas = e as HTMLCanvasElement;
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((x, i) => i % 4 === 3 && x === 0).length;
      });
    await tab.locator(".plane canvas").waitFor();
    assert.equal(await transparent(), 0);
    await tab.getByLabel("Pair").selectOption("across");
    const within = 7 * 7 + 4 * 4;
    const marks = 14 * 14 - 11 * 11; // rows and columns of [CLS] and both [SEP]
    await tab.waitForFunction(() => document.querySelector(".notes")?.textContent?.includes("across"));
    assert.equal(await transparent(), within + marks);
    await tab.getByLabel("Pair").selectOption("within");
    await tab.waitForFunction(() => document.querySelector(".notes")?.textContent?.includes("within"));
    assert.equal(await transparent(), 2 * 7 * 4 + marks);
  });
});

test("the view that a model's makers chose is the mean of two heads, until somebody asks for one", async () => {
  await withPage(pageOnDisk(kSentence, "--model", "lesson"), "view=heatmap", async (page) => {
    const row = async () => {
      const [names, ...rows] = await table(page);
      const it = rows.find((cells) => cells[0] === "it")!;
      return names!.slice(1).map((name, i) => ({ name, weight: Number(it[i + 1]) }));
    };
    const title = page.locator(".head-name");
    await page.locator(".plane canvas").waitFor();
    const mean = (await title.textContent())!;
    const [first, second] = /^(L\dH\d) \+ (L\dH\d), mean$/.exec(mean)!.slice(1) as [string, string];
    const both = await row();
    const strongest = [...both].sort((a, b) => b.weight - a.weight).slice(0, 2);
    assert.deepEqual(strongest.map((cell) => cell.name).sort(), ["animal", "tired"]);
    for (const tab of ["Links", "Text"]) {
      await page.getByRole("tab", { name: tab }).click();
      assert.equal(await title.textContent(), mean);
    }
    await page.getByRole("tab", { name: "Heads" }).click();
    assert.equal(await title.textContent(), first);
    await page.getByRole("tab", { name: "Heatmap" }).click();
    await page.getByLabel("Shown", { exact: true }).selectOption("head");
    assert.equal(await title.textContent(), first);
    const one = await row();
    await page.getByLabel("Layer").selectOption(second[1]!);
    await page.getByLabel("Head", { exact: true }).selectOption(second[3]!);
    assert.equal(await title.textContent(), second);
    const other = await row();
    both.forEach((cell, i) =>
      assert.ok(Math.abs(cell.weight - (one[i]!.weight + other[i]!.weight) / 2) <= 0.0011, cell.name));
    await page.getByLabel("Shown", { exact: true }).selectOption("mean");
    assert.match(page.url(), new RegExp(`mean=${first}\\+${second}`));
    const address = page.url();
    await page.getByLabel("Shown", { exact: true }).selectOption("head");
    await page.goto(address);
    await page.locator(".head-name", { hasText: mean }).waitFor();
  });
});
