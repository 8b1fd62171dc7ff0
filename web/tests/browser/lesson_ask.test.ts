// SPDX-License-Identifier: Apache-2.0
// Questions: answers that are computed from the run, and free ones that go to a language model,
// which may be good, hang, lie about its type, or be gone.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { Page } from "playwright-core";

import text from "../../src/lesson/en.json";
import { kSentence, output, serve, tab } from "./harness";

const kWide = text.sentences[1]!.text;

async function asking(body: (page: Page, errors: string[]) => Promise<void>, ...words: string[]): Promise<void> {
  const server = await serve(0, "--model", "lesson", ...words);
  const { page, errors } = await tab(server.origin);
  try {
    await page.goto(`${server.origin}/#${new URLSearchParams({ lesson: "ask", text: kSentence, model: "lesson", head: "L2H3" })}`);
    await page.locator(".ask-questions").waitFor();
    await body(page, errors);
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
    await server.stop();
  }
}

interface Shown {
  words: { text: string }[];
  heads: { layer: number | null; head: number | null; weights: number[][] }[];
}
// The largest share of "it" on another word, over all heads.
function largest(sentence: string) {
  const list = Array.from({ length: 12 }, (_, i) => `L${Math.floor(i / 4)}H${i % 4}`).flatMap((name) => {
    const map = output<Shown>("show", sentence, "--model", "lesson", "--head", name);
    const row = map.words.findIndex((w) => w.text === "it");
    return map.heads[0]!.weights[row]!.map((weight, i) => ({ name, weight, word: map.words[i]!.text, i })).filter((c) => c.i !== row && /\w/.test(c.word));
  });
  return list.reduce((a, b) => (b.weight > a.weight ? b : a));
}

test("answers are those of the program, and change with the text", () =>
  asking(async (page) => {
    const answer = page.locator(".ask-answer .verdict");
    const said: string[] = [];
    for (const sentence of [kSentence, kWide]) {
      if (sentence === kWide) {
        await page.getByLabel(text.ui.sentence, { exact: true }).fill(kWide);
        await page.keyboard.press("Enter");
        await page.getByRole("button", { name: "instead of wide?" }).waitFor();
      }
      await page.getByRole("button", { name: "What does it attend to most, and in which head?" }).click();
      await answer.waitFor();
      const top = largest(sentence);
      said.push((await answer.textContent())!);
      assert.ok(said.at(-1)!.startsWith(`Over all heads, it attends most to ${top.word}: ${top.weight.toFixed(3)} in ${top.name}.`), said.at(-1));
    }
    assert.notEqual(said[0], said[1]);
    await page.getByRole("button", { name: "Which heads look at the previous word?" }).click();
    const { heads } = output<{ heads: { layer: number; head: number; previous: number }[] }>("heads", kWide, "--model", "lesson");
    const first = heads.reduce((a, b) => (b.previous > a.previous ? b : a));
    await page.locator(".ask-answer .verdict", { hasText: `L${first.layer}H${first.head} ${first.previous.toFixed(3)}` }).waitFor();
    await page.getByRole("button", { name: text.ask.show }).click();
    await page.locator("#tab-heads[aria-selected=true]").waitFor();
  }));

test("what changes with another word: both shares are those of regard show", () =>
  asking(async (page) => {
    await page.getByRole("button", { name: "What changes if I write wide instead of tired?" }).click();
    const share = (sentence: string, word: string) => {
      const map = output<Shown>("show", sentence, "--model", "lesson", "--head", "L2H3");
      const find = (name: string) => map.words.findIndex((w) => w.text === name);
      return map.heads[0]!.weights[find("it")]![find(word)]!.toFixed(3);
    };
    const said = (await page.locator(".ask-answer .verdict").textContent())!;
    assert.ok(said.includes(`to animal (${share(kSentence, "animal")}) with tired, and to street (${share(kWide, "street")}) with wide`), said);
  }));

test("another question does not wait for the one before, nor is it replaced by it", () =>
  asking(async (page) => {
    let go = () => {};
    const waits = new Promise<void>((resolve) => (go = resolve));
    await page.route("**/api/runs", async (route) => {
      await waits;
      await route.continue().catch(() => undefined);
    });
    await page.getByRole("button", { name: "What changes if I write" }).click();
    await page.getByRole("button", { name: "How much goes to sinks?" }).click();
    const answer = page.locator(".ask-answer .verdict", { hasText: "On average" });
    await answer.waitFor();
    go();
    await page.waitForTimeout(400);
    assert.ok(await answer.isVisible());
    assert.ok(!(await page.locator(".ask-answer").textContent())!.includes("cancelled"));
  }));

// A service with OpenAI's chat interface on loopback; the address that --ask-url takes.
async function service(answer: (request: IncomingMessage, body: string, response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => answer(request, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => new Promise<void>((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, stop };
}

async function ask(page: Page, question: string): Promise<void> {
  await page.getByRole("textbox", { name: text.ask.free, exact: true }).fill(question);
  await page.locator(".free").getByRole("button", { name: text.ask.send, exact: true }).click();
}
// The browser's own report of a failed answer.
const unreported = (errors: string[]) => errors.splice(0, errors.length, ...errors.filter((error) => !/status of 5\d\d/.test(error)));

test("a free question goes to the service with the numbers of the run, and its answer is marked", async () => {
  const asked: { path: string; body: string }[] = [];
  const good = await service((request, body, response) => {
    asked.push({ path: request.url!, body });
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ choices: [{ message: { content: "Because <b>animals</b> tire." } }] }));
  });
  try {
    await asking(async (page) => {
      await ask(page, "Why does it look at animal?");
      const reply = page.locator(".of-model");
      await reply.waitFor();
      assert.ok((await reply.textContent())!.includes("Because <b>animals</b> tire.")); // as text
      assert.equal(await reply.locator("b").count(), 0);
      assert.ok((await reply.locator("figcaption").textContent())!.includes("It can be wrong"));
      assert.equal(asked[0]!.path, "/v1/chat/completions");
      const map = output<Shown>("show", kSentence, "--model", "lesson", "--head", "L2H3");
      const weight = map.heads[0]!.weights[7]![1]!;
      assert.ok(asked[0]!.body.includes("Why does it look at animal?"));
      assert.match(asked[0]!.body, /it attends to animal: \d/);
      assert.ok(asked[0]!.body.includes(weight.toFixed(3)), "the shown head's share is among the facts");
    }, "--ask-url", good.url);
  } finally {
    await good.stop();
  }
});

test("a service that hangs can be stopped, and the page stays usable", async () => {
  const hanging = await service(() => undefined);
  try {
    await asking(async (page) => {
      await ask(page, "Anything?");
      await page.getByRole("button", { name: text.ask.stop, exact: true }).click();
      await page.getByRole("button", { name: text.ask.stop, exact: true }).waitFor({ state: "hidden" });
      await page.getByRole("button", { name: "How much goes to sinks?" }).click();
      await page.locator(".ask-answer .verdict").waitFor();
      await page.getByLabel(text.ui.sentence, { exact: true }).fill(kWide);
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "instead of wide?" }).waitFor();
    }, "--ask-url", hanging.url);
  } finally {
    await hanging.stop();
  }
});

const kLies: Record<string, (response: ServerResponse) => void> = {
  "a page that calls itself JSON": (response) => {
    response.setHeader("content-type", "application/json");
    response.end("<html><script>alert(1)</script></html>");
  },
  "JSON of another shape": (response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ choices: [{ message: { content: 7 } }] }));
  },
  "a picture that calls itself JSON": (response) => {
    response.setHeader("content-type", "application/json");
    response.end(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff, 0xfe]));
  },
  "an answer that breaks off": (response) => {
    response.setHeader("content-length", "1000");
    response.write("{");
    setTimeout(() => response.destroy(), 50);
  },
};
for (const [what, lie] of Object.entries(kLies)) {
  test(`${what} is said to be no answer`, async () => {
    const lying = await service((_request, _body, response) => lie(response));
    try {
      await asking(async (page, errors) => {
        await ask(page, "Anything?");
        await page.locator(".free [role=status] p", { hasText: "model" }).waitFor();
        assert.equal(await page.locator(".of-model").count(), 0);
        unreported(errors);
      }, "--ask-url", lying.url);
    } finally {
      await lying.stop();
    }
  });
}

test("a service that is gone is said to be gone", async () => {
  const gone = await service(() => undefined);
  await gone.stop();
  await asking(async (page, errors) => {
    await ask(page, "Anything?");
    await page.locator(".free [role=status] p", { hasText: "127.0.0.1" }).waitFor();
    assert.equal(await page.locator(".of-model").count(), 0);
    unreported(errors);
  }, "--ask-url", gone.url);
});

test("without a service the page says how to set one up", () =>
  asking(async (page) => {
    await page.getByText("regard serve --ask-url").waitFor();
    assert.equal(await page.getByRole("textbox", { name: text.ask.free, exact: true }).count(), 0);
  }));
