// SPDX-License-Identifier: Apache-2.0
// The lesson as a file on disk: offline, small, and of use without scripts.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import text from "../../src/lesson/en.json";
import { kSentence, lessonOnDisk, tab } from "./harness";

const written = () => lessonOnDisk("--model", "lesson");

test("every step works from disk, and no request leaves", async () => {
  assert.ok(statSync(fileURLToPath(written())).size <= 8e6);
  const { page, errors } = await tab(null);
  try {
    await page.goto(written());
    await page.locator(".lesson-words button", { hasText: "animal" }).click();
    await page.locator(".verdict").waitFor();
    for (const [i, step] of text.steps.entries()) {
      await page.locator(".lesson-steps button").nth(i).click();
      await page.locator(".lesson-figure > *").first().waitFor();
      if (step.id === "learned") {
        await page.locator(".training .plane").waitFor();
        await page.getByRole("slider", { name: "Checkpoint" }).fill("0");
        await page.getByText("at step 0", { exact: false }).first().waitFor();
      }
      if (step.id === "distance") {
        const slider = page.locator(".lesson-figure input[type=range]");
        const most = Number(await slider.getAttribute("max"));
        assert.equal(most, text.gap.ondisk.length);
        for (let k = 1; k <= most; ++k) await slider.fill(String(k));
        await page.waitForFunction((n) => document.querySelectorAll(".curve circle.here").length >= n, 2);
      }
    }
    await page.getByText("it holds the runs of a few sentences").waitFor();
    assert.equal(await page.getByText(/[Tt]ype (another|a) sentence/).count(), 0); // nothing can be typed
    await page.getByLabel(text.ui.choose).selectOption(text.sentences[1]!.text);
    await page.locator(".lesson-steps button").nth(0).click();
    await page.locator(".lesson-words button", { hasText: "wide" }).waitFor();
    await page.locator(".lesson-steps button").nth(11).click();
    await page.getByRole("button", { name: "What changes if I write tired instead of wide?" }).click();
    await page.locator(".ask-answer .verdict", { hasText: "with wide" }).waitFor();
    await page.getByText("This page was written to a file and asks nobody.").waitFor();
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
  }
});

test("a teacher's own sentence comes first, at any step", async () => {
  const own = "The horse couldn't follow the path because it was too steep.";
  const { page, errors } = await tab(null);
  try {
    await page.goto(`${lessonOnDisk(own, "--model", "lesson")}#lesson=flow`);
    await page.locator(".lesson-step", { hasText: "What flows on" }).waitFor();
    await page.locator(".said", { hasText: own }).waitFor();
    await page.locator(".vector").first().waitFor();
    // A link may name a sentence that the file holds.
    const wide = text.sentences[1]!.text;
    await page.goto(`${lessonOnDisk(own, "--model", "lesson")}#${new URLSearchParams({ lesson: "who", text: wide })}`);
    await page.locator("p.said", { hasText: wide }).first().waitFor();
    await page.locator(".lesson-step", { hasText: "Who is" }).waitFor();
    // The others can be chosen, and it again.
    const choice = page.getByLabel(text.ui.choose);
    for (const one of [kSentence, own]) {
      await choice.selectOption(one);
      await page.locator("p.said", { hasText: one }).first().waitFor();
    }
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
  }
});

test("without JavaScript the text, the picture and its table are there", async () => {
  const { page, errors } = await tab(null, { javaScriptEnabled: false });
  try {
    await page.goto(written());
    for (const step of text.steps)
      assert.ok(await page.getByRole("heading", { name: step.title.replace("{word}", "it") }).isVisible(), step.id);
    assert.ok(await page.getByText("Self-attention is how a transformer solves it").isVisible());
    assert.ok(await page.locator("figure svg").isVisible());
    const rows = page.locator("table tr");
    assert.equal(await rows.count(), 13); // 12 words and the head
    assert.ok((await rows.nth(8).textContent())!.startsWith("it"));
    const shares = (await rows.nth(8).locator("td").allTextContents()).map(Number);
    assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 0.01);
    assert.ok((await page.locator("body").textContent())!.includes(kSentence));
    assert.doesNotMatch((await page.locator("#app").textContent())!, /\{\w+\}/);
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
  }
});
