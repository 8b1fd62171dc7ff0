// SPDX-License-Identifier: Apache-2.0
// People: what axe finds in each view and state and both themes, the keyboard alone, narrow and
// very wide windows, scripts of the world, text that looks like markup, reduced motion.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Page } from "playwright-core";

import { axe, kSentence, pageOnDisk, setDark, trained, withPage } from "./harness";

const kViews = ["heatmap", "links", "heads", "steps", "text", "map", "compare"];
const seed = () => pageOnDisk(kSentence);

async function drawn(page: Page): Promise<void> {
  await page.locator(".data-table").waitFor();
}

// Uses a view: points, locks, opens what can be opened.
async function use(page: Page, view: string): Promise<void> {
  const plane = page.getByRole("application").first();
  if (["heatmap", "map", "compare"].includes(view)) {
    await plane.focus();
    for (const key of ["ArrowDown", "ArrowRight", "Enter"]) await page.keyboard.press(key);
  }
  if (view === "links") {
    await page.getByRole("button", { name: "All of the layer" }).click();
    await page.locator(".word").nth(3).click();
  }
  if (view === "heads") await page.getByLabel("Only heads by").selectOption("entropy");
  if (view === "steps") await page.locator(".keys button").nth(4).click();
  if (view === "text") await page.locator(".paragraph button").nth(4).click();
  if (view === "heatmap") await page.getByLabel("Sinks").uncheck();
  await page.getByText("As a table").click();
  await page.locator(".data-table td").first().waitFor();
  await page.getByText("Save or copy").click();
}

for (const view of kViews) {
  test(`axe finds nothing in ${view}, before and after use, light and dark`, () =>
    withPage(seed(), `view=${view}`, async (page) => {
      await drawn(page);
      assert.deepEqual(await axe(page), []);
      await use(page, view);
      assert.deepEqual(await axe(page), []);
      await setDark(page, true);
      assert.deepEqual(await axe(page), []);
    }));
}

test("axe finds nothing in training, before and after use, light and dark", () => {
  return withPage(pageOnDisk("the fox saw the hen .", "--run", trained(6)), "view=training", async (page) => {
    const slider = page.getByRole("slider", { name: "Checkpoint" });
    await slider.waitFor();
    assert.deepEqual(await axe(page), []);
    await slider.fill("0");
    await page.locator(".training .plane").focus();
    for (const key of ["ArrowDown", "ArrowRight", "Enter"]) await page.keyboard.press(key);
    await page.getByText("Save or copy").click();
    assert.deepEqual(await axe(page), []);
    await setDark(page, true);
    assert.deepEqual(await axe(page), []);
  });
});

test("axe finds nothing in the list of shortcuts, nor in a message", () =>
  withPage(seed(), "view=heatmap", async (page) => {
    await drawn(page);
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    assert.deepEqual(await axe(page), []);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  }));

test("the keyboard alone opens every view, walks the cells and changes every setting", () =>
  withPage(seed(), "view=heatmap", async (page) => {
    await drawn(page);
    await page.keyboard.press("Tab"); // the link that skips to the view
    assert.equal(await page.evaluate(() => document.activeElement?.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "view");
    for (const [i, name] of kViews.entries()) {
      await page.keyboard.press(String(i + 1));
      await page.locator(`#tab-${name}[aria-selected=true]`).waitFor();
    }
    await page.keyboard.press("1");
    const pressed = async (key: string, label: string, value: string) => {
      await page.keyboard.press(key);
      await page.waitForFunction(
        ([name, wanted]) => {
          const found = [...document.querySelectorAll("label")].find((l) => l.textContent?.trim().startsWith(name!));
          const field = document.getElementById(found?.htmlFor ?? "") as HTMLInputElement;
          return (field.type === "checkbox" ? String(field.checked) : field.value) === wanted;
        },
        [label, value],
      );
    };
    await pressed("t", "Level", "token");
    await pressed("s", "Level", "sentence");
    await pressed("w", "Level", "word");
    await pressed("l", "Scale", "log");
    await pressed("m", "Darkest is", "row");
    await pressed("h", "Special tokens", "false");
    await pressed("h", "Special tokens", "true");
    await pressed("n", "Sinks", "false");
    await pressed("n", "Sinks", "true");
    await pressed("j", "Head", "2");
    await pressed("k", "Head", "1");
    await pressed("J", "Layer", "4");
    await pressed("K", "Layer", "3");
    await page.keyboard.press("d");
    assert.equal(await page.evaluate(() => document.documentElement.dataset["theme"]), "dark");
    // From the tabs on to the plane, and over it.
    await page.locator("#tab-heatmap").focus();
    for (let i = 0; i < 20; ++i) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(() => document.activeElement?.classList.contains("plane"))) break;
    }
    for (const key of ["ArrowRight", "ArrowRight", "ArrowRight", ...Array<string>(8).fill("ArrowDown")]) await page.keyboard.press(key);
    assert.equal(await page.locator(".readout").textContent(), "it → animal 0.677");
    await page.keyboard.press("Enter");
    await page.locator(".locked").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".locked").waitFor({ state: "detached" });
    // Arrow keys walk the tabs.
    await page.locator("#tab-heatmap").focus();
    await page.keyboard.press("ArrowRight");
    await page.locator("#tab-links[aria-selected=true]").waitFor();
  }));

for (const [width, height] of [[360, 740], [3840, 2160]] as const) {
  test(`nothing sticks out at ${width} pixels`, () =>
    withPage(
      seed(), "view=heatmap",
      async (page) => {
        for (const [i, view] of kViews.entries()) {
          await page.keyboard.press(String(i + 1));
          await page.locator(`#tab-${view}[aria-selected=true]`).waitFor();
          await drawn(page);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(wide <= width, `${view}: ${wide}`);
        }
      },
      { viewport: { width, height } },
    ));
}

for (const [name, text, word] of [
  ["right to left", "الحيوان لم يعبر الشارع لأنه كان متعبا.", "الحيوان"],
  ["Chinese", "那只动物没有穿过街道,因为它太累了。", "街"],
] as const) {
  test(`words of ${name} scripts stand on both axes and in the text`, () =>
    withPage(pageOnDisk(text), "view=heatmap", async (page) => {
      await drawn(page);
      for (const axis of [".labels:not(.rows)", ".labels.rows"]) {
        const labels = await page.locator(`${axis} text`).allTextContents();
        assert.ok(labels.some((label) => label.includes(word)), labels.join());
      }
      await page.keyboard.press("5");
      await page.locator(".paragraph").waitFor();
      assert.ok((await page.locator(".paragraph").textContent())!.includes(text));
      if (name === "right to left") {
        const [first, last] = await page
          .locator(".paragraph .run:not(.special)")
          .evaluateAll((list) => [list[0]!, list.at(-1)!].map((e) => e.getBoundingClientRect().x));
        assert.ok(first! > last!, "the first word stands right of the last");
      }
      assert.deepEqual(await axe(page), []);
    }));
}

test("text that looks like markup stays text, in the page and in what it saves", async () => {
  const hostile = `<script>alert(1)</script> <img src=x onerror=alert(2)> <!-- "quoted" & 'more' --> </title></textarea>`;
  await withPage(pageOnDisk(hostile), "view=heatmap", async (page) => {
    for (const [i, view] of kViews.entries()) {
      await page.keyboard.press(String(i + 1));
      await page.locator(`#tab-${view}[aria-selected=true]`).waitFor();
      await drawn(page);
      assert.equal(await page.locator("#view script, #view img").count(), 0, view);
    }
    await page.keyboard.press("5");
    await page.locator(".paragraph").waitFor();
    assert.ok((await page.locator(".paragraph").textContent())!.includes(hostile));
    await page.getByText("Save or copy").click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "SVG" }).click()]);
    const elements = await page.evaluate(
      (text) => [...new DOMParser().parseFromString(text, "image/svg+xml").querySelectorAll("*")].map((e) => e.localName),
      readFileSync((await download.path())!, "utf8"),
    );
    assert.ok(elements.includes("text"));
    assert.ok(!elements.includes("script") && !elements.includes("img") && !elements.includes("parsererror"));
  });
});

test("nothing moves by itself where motion is to be reduced", () =>
  withPage(seed(), "view=steps", async (page) => {
    await drawn(page);
    const moving = await page.evaluate(() => {
      const moves = (e: Element) => {
        const style = getComputedStyle(e);
        return style.transitionDuration !== "0s" || style.animationName !== "none";
      };
      return [...document.querySelectorAll("*")].filter(moves).map((e) => e.className);
    });
    assert.deepEqual(moving, []);
  }));
