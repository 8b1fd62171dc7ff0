// SPDX-License-Identifier: Apache-2.0
// The lesson as people go through it: by keyboard from the first step to the end of the quiz, wrong
// answers, notes, links, a phone, both themes, long sentences, typing ahead.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";

import text from "../../src/lesson/en.json";
import { axe, kSentence, output, serve, setDark, tab } from "./harness";

const kHead = "L2H3";
const kPlaces = [...text.steps.map((step) => step.id), "quiz", "ask"];
type Question = (typeof text.quiz.questions)[number];

async function lesson(hash: Record<string, string> | null, body: (page: Page, origin: string) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
  const server = await serve(0, "--model", "lesson");
  const { page, errors } = await tab(server.origin, options);
  try {
    await page.goto(hash ? `${server.origin}/#${new URLSearchParams(hash)}` : server.origin);
    await page.locator(".lesson").waitFor();
    await body(page, server.origin);
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
    await server.stop();
  }
}
const at = (place: string) => ({ lesson: place, text: kSentence, model: "lesson", head: kHead });
const card = (page: Page, id: string) => page.locator(`[data-question="${id}"]`);

interface Shown {
  words: { text: string }[];
  heads: { weights: number[][] }[];
}
// What the quiz asks of the sentence, from the program.
function facts() {
  const map = output<Shown>("show", kSentence, "--model", "lesson", "--head", kHead);
  const row = map.words.findIndex((w) => w.text === "it");
  const shares = map.heads[0]!.weights[row]!;
  const measured = output<{ heads: { previous: number }[] }>("heads", kSentence, "--model", "lesson").heads;
  const words = shares.map((weight, i) => ({ i, weight, text: map.words[i]!.text }));
  const other = words.filter((w) => /\w/.test(w.text) && w.i !== row).sort((a, b) => b.weight - a.weight);
  return {
    row,
    largest: shares.indexOf(Math.max(...shares)),
    top: other[0]!.i,
    predicted: {
      top3: [...shares].sort((a, b) => b - a).slice(0, 3).reduce((a, b) => a + b, 0),
      previous: Math.max(...measured.map((m) => m.previous)),
    },
  };
}

// Presses Tab until the element, or something in it, has the focus.
async function tabTo(page: Page, target: Locator, back = false): Promise<void> {
  const trail: string[] = [];
  for (let i = 0; i < 150; ++i) {
    if (await target.evaluate((e) => e.contains(document.activeElement))) return;
    trail.push(await page.evaluate(() => `${document.activeElement?.tagName} ${document.activeElement?.textContent?.slice(0, 20)}`));
    await page.keyboard.press(back ? "Shift+Tab" : "Tab");
  }
  assert.fail(`Tab does not reach ${target}, but ${trail.slice(0, 30).join(", ")}`);
}
async function press(page: Page, target: Locator): Promise<void> {
  await tabTo(page, target);
  await page.keyboard.press("Enter");
}
async function answerByKeyboard(page: Page, question: Question): Promise<void> {
  const own = card(page, question.id);
  const f = facts();
  if (question.kind === "choose") {
    const right = question.options!.find((o) => "right" in o && o.right)!;
    await tabTo(page, own.locator("fieldset"));
    await page.keyboard.press("Space");
    const wanted = own.getByRole("radio", { name: right.text });
    for (let i = 0; i < 6 && !(await wanted.isChecked()); ++i) await page.keyboard.press("ArrowDown");
    await press(page, own.getByRole("button", { name: text.quiz.check }));
  } else if (question.kind === "cell") {
    for (const [label, i] of [[text.quiz.row, f.row], [text.quiz.column, question.strongest ? f.largest : f.top]] as const) {
      const select = own.getByLabel(label);
      await tabTo(page, select);
      for (let k = 0; k < 60 && (await select.inputValue()) !== String(i); ++k) await page.keyboard.press("ArrowDown");
    }
    await press(page, own.getByRole("button", { name: text.quiz.check }));
  } else if (question.kind === "predict") {
    const slider = own.getByRole("slider");
    await tabTo(page, slider);
    await page.keyboard.press("Home");
    const steps = Math.round(f.predicted[question.measure as "top3" | "previous"] / 0.05);
    for (let i = 0; i < steps; ++i) await page.keyboard.press("ArrowRight");
    await press(page, own.getByRole("button", { name: text.quiz.see, exact: true }));
  } else {
    for (const [place, item] of question.items!.entries()) {
      const now = async () => (await own.locator(".order li > span").allTextContents()).indexOf(item);
      const steps = (await now()) - place;
      if (steps === 0) continue;
      const up = own.getByRole("button", { name: `${text.quiz.up}: ${item}` });
      await tabTo(page, up, place > 0); // the focus is below, at the item before
      for (let i = 0; i < steps; ++i) await page.keyboard.press("Enter"); // the focus goes with it
      assert.equal(await now(), place);
    }
    await press(page, own.getByRole("button", { name: text.quiz.check }));
  }
  await own.getByText(text.quiz.right, { exact: true }).waitFor();
}

test("a newcomer goes by keyboard from the first step to the end of the quiz", { timeout: 240_000 }, () =>
  lesson(null, async (page) => {
    await page.locator(".lesson-step", { hasText: "Read the sentence" }).waitFor();
    await page.locator(".lesson-words").waitFor();
    await press(page, page.locator(".lesson-words button", { hasText: "animal" }));
    await page.locator(".verdict").waitFor();
    for (const [i, step] of text.steps.entries()) {
      const title = page.locator(".lesson-step");
      await page.waitForFunction((n) => document.querySelector("article > p")?.textContent === `Step ${n} of 10`, i + 1);
      if (i > 0) assert.ok(await title.evaluate((e) => e === document.activeElement), `the title of ${step.id} has the focus`);
      await page.locator(".lesson-figure").waitFor();
      if (["qkv", "scores", "distance"].includes(step.id)) {
        const slider = page.locator(".lesson-figure input[type=range]");
        await slider.waitFor();
        const before = await slider.inputValue();
        await tabTo(page, slider);
        await page.keyboard.press("ArrowRight");
        assert.notEqual(await slider.inputValue(), before);
      }
      await press(page, page.getByRole("button", { name: text.ui.next, exact: true }));
    }
    for (const question of text.quiz.questions) await answerByKeyboard(page, question as Question);
    await page.getByText("14 of 14 right").waitFor();
    // Kept: the quiz shows it again after a reload.
    await page.reload();
    await page.getByText("14 of 14 right").waitFor();
    await press(page, page.getByRole("button", { name: text.quiz.retake }));
    await page.getByText("0 of 14 right").waitFor();
  }));

test("every wrong answer is explained, and may be given up for another", { timeout: 240_000 }, () =>
  lesson(at("quiz"), async (page) => {
    const f = facts();
    await card(page, "cell").locator("select").first().waitFor();
    const plain = (s: string) => s.replace(/[*`]|\{.*?\}/g, "\0").split("\0").reduce((a, b) => (b.length > a.length ? b : a));
    for (const question of text.quiz.questions as Question[]) {
      const own = card(page, question.id);
      await own.getByRole("button", { name: text.quiz.hint, exact: true }).click();
      await own.locator("[role=status]", { hasText: plain(question.hint) }).waitFor();
      const judged = async (why: string) => {
        await own.locator(".verdict", { hasText: plain(why) }).waitFor();
        await own.getByText(text.quiz.wrong, { exact: true }).waitFor();
        await own.getByRole("button", { name: text.quiz.again }).click();
      };
      if (question.kind === "choose") {
        for (const option of question.options!.filter((o) => !("right" in o && o.right))) {
          await own.getByRole("radio", { name: option.text }).check();
          await own.getByRole("button", { name: text.quiz.check }).click();
          await judged(option.why);
        }
      } else if (question.kind === "cell") {
        // The transposed cell: the commonest mistake.
        await own.getByLabel(text.quiz.row).selectOption(String(f.top));
        await own.getByLabel(text.quiz.column).selectOption(String(f.row));
        await own.getByRole("button", { name: text.quiz.check }).click();
        await judged(question.why!);
        // With the pointer: the right cell.
        const wanted = question.strongest ? f.largest : f.top;
        const plane = own.locator(".plane");
        const { width, height } = (await plane.boundingBox())!;
        const words = await own.getByLabel(text.quiz.row).locator("option").count() - 1;
        await plane.click({ position: { x: ((wanted + 0.5) * width) / words, y: ((f.row + 0.5) * height) / words } });
        await own.getByRole("button", { name: text.quiz.check }).click();
        await own.getByText(text.quiz.right, { exact: true }).waitFor();
      } else if (question.kind === "predict") {
        await own.getByRole("slider").fill(f.predicted[question.measure as "top3" | "previous"] > 0.5 ? "0" : "1");
        await own.getByRole("button", { name: text.quiz.see, exact: true }).click();
        await own.getByText(`Measured: ${f.predicted[question.measure as "top3" | "previous"].toFixed(3)}`).waitFor();
        await judged(question.why!);
      } else {
        await own.getByRole("button", { name: text.quiz.check }).click();
        await judged(question.why!);
      }
    }
  }));

test("was everything clear: kept over a reload, saved as a file, deleted", () =>
  lesson(at("quiz"), async (page) => {
    const field = page.getByLabel(text.quiz.what);
    await field.fill("Why 0.18?\nund „warum“?");
    await page.getByRole("button", { name: text.quiz.no, exact: true }).click();
    await page.reload();
    assert.equal(await field.inputValue(), "Why 0.18?\nund „warum“?");
    assert.equal(await page.getByRole("button", { name: text.quiz.no, exact: true }).getAttribute("aria-pressed"), "true");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: text.quiz.export }).click()]);
    assert.equal(readFileSync((await download.path())!, "utf8"), "Was everything clear? Not everything\n\nWhy 0.18?\nund „warum“?\n");
    await page.getByRole("button", { name: text.quiz.delete }).click();
    await page.getByText(text.quiz.deleted).waitFor();
    assert.equal(await field.inputValue(), "");
    await page.reload();
    assert.equal(await field.inputValue(), "");
    assert.ok(!(await page.evaluate(() => JSON.stringify(localStorage))).includes("0.18"));
  }));

test("a newcomer sees the lesson before any answer, and again until they leave it; then the views", () =>
  lesson(null, async (page, origin) => {
    const bare = async () => {
      await page.goto("about:blank");
      await page.goto(origin);
    };
    let go = () => {};
    const waits = new Promise<void>((resolve) => (go = resolve));
    await page.route("**/api/**", async (route) => {
      await waits;
      await route.continue();
    });
    await bare();
    await page.locator(".lesson-step", { hasText: "Read the sentence" }).waitFor();
    assert.equal(await page.getByRole("tablist").count(), 0);
    go();
    await page.locator(".lesson-words").waitFor();
    assert.equal(await page.getByRole("button", { name: text.ui.png }).count(), 0); // words are no picture
    assert.ok(await page.getByRole("button", { name: text.ui.previous, exact: true }).isDisabled());
    await bare();
    await page.locator(".lesson-words").waitFor();
    await page.getByRole("button", { name: text.ui.lesson, exact: true }).click();
    await page.getByRole("tablist", { name: "Views" }).waitFor();
    await bare();
    await page.getByRole("tablist", { name: "Views" }).waitFor();
    assert.equal(await page.locator(".lesson").count(), 0);
  }));

test("who came to the quiz meets the views next time", () =>
  lesson(null, async (page, origin) => {
    await page.locator(".lesson-steps button", { hasText: text.ui.quiz }).click();
    await page.locator(".question").first().waitFor();
    await page.goto("about:blank");
    await page.goto(origin);
    await page.getByRole("tablist", { name: "Views" }).waitFor();
  }));

test("a link opens a step with a sentence; the copied link is that link", () =>
  lesson({ lesson: "flow", text: "The box didn't fit into the bag because it was too small.", model: "lesson" }, async (page, origin) => {
    await page.locator(".lesson-step", { hasText: "What flows on" }).waitFor();
    await page.locator(".vector").first().waitFor();
    assert.equal(await page.getByLabel(text.ui.sentence, { exact: true }).inputValue(), "The box didn't fit into the bag because it was too small.");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin });
    await page.getByRole("button", { name: text.ui.link }).click();
    await page.getByRole("button", { name: text.ui.copied }).waitFor();
    const copied = new URL(await page.evaluate(() => navigator.clipboard.readText()));
    const hash = new URLSearchParams(copied.hash.slice(1));
    assert.deepEqual([hash.get("lesson"), hash.get("text")], ["flow", "The box didn't fit into the bag because it was too small."]);
  }));

test("pictures of the figures can be saved for slides", () =>
  lesson(at("who"), async (page) => {
    await page.locator(".lesson-bar").first().waitFor();
    for (const [name, start] of [[text.ui.figure, "<svg"], [text.ui.png, "\u0089PNG"]] as const) {
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
      assert.ok(readFileSync((await download.path())!).subarray(0, 40).toString("latin1").includes(start), name);
    }
  }));

for (const dark of [false, true]) {
  test(`axe finds nothing at any step, ${dark ? "dark" : "light"}`, { timeout: 180_000 }, () =>
    lesson(at("read"), async (page) => {
      await setDark(page, dark);
      for (const [i, place] of kPlaces.entries()) {
        await page.locator(".lesson-steps button").nth(i).click();
        await page.locator(place === "quiz" ? ".question .plane" : place === "ask" ? ".ask-questions" : ".lesson-figure > *").first().waitFor();
        if (place === "learned") await page.locator(".head-measures").waitFor();
        assert.deepEqual(await axe(page), [], place);
      }
    }));
}

test("on a phone nothing is wider than the screen", () =>
  lesson(at("read"), async (page) => {
    for (const [i, place] of kPlaces.entries()) {
      await page.locator(".lesson-steps button").nth(i).click();
      await page.locator(place === "quiz" ? ".question .plane" : place === "ask" ? ".ask-questions" : ".lesson-figure > *").first().waitFor();
      await page.waitForTimeout(150);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360, place);
      for (const plane of await page.locator(".lesson .plane-frame").all()) {
        const { x, width } = (await plane.boundingBox())!;
        assert.ok(x >= 0 && x + width <= 360, `${place}: a grid of ${width} at ${x}`);
      }
    }
  }, { viewport: { width: 360, height: 740 } }));

test("a text of too many tokens keeps every step alive, and says why a figure is not there", () =>
  lesson({ lesson: "who", text: `${"The cat saw the dog and ".repeat(24)}it ran.`, model: "lesson" }, async (page) => {
    await page.getByText("is done for texts of at most 128 tokens; this one has 147").waitFor();
    for (const [i, place] of kPlaces.entries()) {
      await page.locator(".lesson-steps button").nth(i).click();
      await page.waitForTimeout(100);
      assert.ok(await page.locator(".lesson-step").isVisible(), place);
    }
    await page.locator(".lesson-steps button").nth(kPlaces.indexOf("quiz")).click();
    assert.equal(await page.locator(".question").count(), text.quiz.questions.filter((q) => q.kind === "choose" || q.kind === "order").length);
  }));

test("what is typed while a run is on is not lost", () =>
  lesson(at("read"), async (page) => {
    const field = page.getByLabel(text.ui.sentence, { exact: true });
    await page.locator(".lesson-words").waitFor();
    let go = () => {};
    const waits = new Promise<void>((resolve) => (go = resolve));
    await page.route("**/api/runs", async (route) => {
      await waits;
      await route.continue();
    });
    await page.getByLabel(text.ui.examples).selectOption(text.sentences[1]!.text);
    await field.fill("The horse was hungry.");
    go();
    await page.locator(".lesson-words button", { hasText: "wide" }).waitFor();
    assert.equal(await field.inputValue(), "The horse was hungry.");
    await field.press("Enter");
    await page.locator(".lesson-words button", { hasText: "hungry" }).waitFor();
  }));

test("German is complete where it is shown, and stays chosen", () =>
  lesson(at("read"), async (page) => {
    await page.getByLabel("Language").selectOption("de");
    await page.locator(".lesson-step", { hasText: "Den Satz lesen" }).waitFor();
    await page.reload();
    await page.locator(".lesson-step", { hasText: "Den Satz lesen" }).waitFor();
    assert.equal(await page.locator("main").getAttribute("lang"), "de");
    for (const place of [...kPlaces.keys()]) {
      await page.locator(".lesson-steps button").nth(place).click();
      await page.waitForTimeout(60);
      assert.doesNotMatch((await page.locator("main").textContent())!, /\{\w+\}/);
    }
  }));
