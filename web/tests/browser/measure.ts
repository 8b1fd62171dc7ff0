// SPDX-License-Identifier: Apache-2.0
// How fast the page is, in Chromium's own account: `npm run measure`. docs/performance.md has what
// it printed.
//   REGARD_PROGRAM    the program
//   REGARD_TEXT       optional: a file with a text of 512 tokens or more for the default model
//   REGARD_LONG       optional: an address of a served page whose Map is to be measured
import { readFileSync } from "node:fs";
import type { CDPSession, Page } from "playwright-core";

import { pageOnDisk, record, serve, tab } from "./harness";

interface TraceEvent {
  name: string;
  ph: string;
  ts: number; // microseconds
  dur?: number;
  tid: number;
  args?: { name?: string };
}

const quantile = (list: number[], q: number) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(q * list.length))] ?? NaN;
function say(what: string, list: number[]): void {
  const [median, high, most] = [0.5, 0.95, 1].map((q) => quantile(list, q).toFixed(1));
  console.log(`${what}: median ${median} ms, 95 % ${high} ms, largest ${most} ms, of ${list.length}`);
}

// Milliseconds of script, style and layout on the page's main thread in each frame while `body` runs.
async function frames(page: Page, body: () => Promise<void>): Promise<number[]> {
  const session: CDPSession = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", (part) => events.push(...(part.value as unknown as TraceEvent[])));
  const done = new Promise<void>((resolve) => session.once("Tracing.tracingComplete", () => resolve()));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["devtools.timeline", "disabled-by-default-devtools.timeline", "blink.user_timing", "__metadata"] } });
  await body();
  await session.send("Tracing.end");
  await done;
  const work = new Set(["EventDispatch", "FireAnimationFrame", "TimerFire", "FunctionCall", "RunMicrotasks", "UpdateLayoutTree", "Layout", "XHRReadyStateChange", "V8.GCScavenger", "MajorGC", "MinorGC"]);
  const main = events.find((e) => e.name === "FunctionCall")?.tid;
  const own = events.filter((e) => e.tid === main && e.ts > 0).sort((a, b) => a.ts - b.ts);
  const ends = own.filter((e) => e.name === "Commit").map((e) => e.ts);
  const spent = new Array<number>(ends.length).fill(0);
  let covered = 0; // nested events count once
  let frame = 0;
  for (const e of own) {
    if (!work.has(e.name) || !e.dur) continue;
    const begin = Math.max(e.ts, covered);
    const end = e.ts + e.dur;
    if (end <= begin) continue;
    covered = end;
    while (frame < ends.length && ends[frame]! < begin) ++frame;
    if (frame < ends.length) spent[frame]! += (end - begin) / 1000;
  }
  return spent;
}

async function whole(from: string, address: string): Promise<void> {
  const opened: number[] = [];
  for (let i = 0; i < 5; ++i) {
    const { page } = await tab(address.startsWith("file:") ? null : new URL(address).origin);
    await page.addInitScript(() => {
      const look = () => {
        const canvas = document.querySelector<HTMLCanvasElement>(".plane canvas");
        if (canvas && canvas.width > 1) requestAnimationFrame(() => performance.mark("first picture"));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.goto(`${address}#view=heatmap&level=token`);
    await page.waitForFunction(() => performance.getEntriesByName("first picture").length > 0);
    opened.push(await page.evaluate(() => performance.getEntriesByName("first picture")[0]!.startTime));
    if (i === 4) {
      console.log(`${from}: ${await page.locator(".plane canvas").evaluate((e) => (e as HTMLCanvasElement).width)} tokens a side`);
      for (const view of ["heatmap", "links"]) {
        await page.locator(`#tab-${view}`).click();
        const target = page.locator(view === "heatmap" ? ".plane" : ".links-drawing");
        await target.waitFor();
        await target.scrollIntoViewIfNeeded();
        const box = (await target.boundingBox())!;
        const step = view === "heatmap" ? 7 : 24;
        const rows = await frames(page, async () => {
          for (let k = 0; k < 60; ++k)
            await page.mouse.move(box.x + (view === "heatmap" ? 120 + k * step : 60), Math.max(box.y, 0) + 140 + (k % 20) * step);
        });
        say(`hover, ${view}, script and layout of a frame`, rows.filter((x) => x > 0));
      }
      const begin = await page.evaluate(() => performance.now());
      await page.locator("#tab-heads").click();
      await page.waitForFunction(() => [...document.querySelectorAll<HTMLCanvasElement>(".thumbnail canvas")].every((c) => c.width !== 300));
      say("all thumbnails", [(await page.evaluate(() => performance.now())) - begin]);
    }
    await page.context().close();
  }
  say(`${from}, open to first picture`, opened);
}

async function map(address: string): Promise<void> {
  const { page } = await tab(new URL(address).origin);
  page.setDefaultTimeout(120_000);
  await page.addInitScript(() => {
    const fetched = window.fetch;
    window.fetch = async (...args) => {
      const begin = performance.now();
      const answer = await fetched(...args);
      if (String(args[0]).includes("/tile?")) performance.measure("tile", { start: begin, end: performance.now() });
      return answer;
    };
  });
  await page.goto(address);
  const canvas = page.locator(".map-canvas");
  await canvas.waitFor();
  const settled = () => page.waitForFunction(() => !(document.querySelector(".map-canvas")?.getAttribute("aria-label") ?? "sharpening").includes("sharpening"));
  await settled();
  const box = (await canvas.boundingBox())!;
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await page.mouse.move(middle.x, middle.y);
  say("map, zooming, script and layout of a frame", (await frames(page, async () => {
    for (let k = 0; k < 90; ++k) {
      await page.mouse.wheel(0, -60);
      await page.waitForTimeout(16);
    }
  })).filter((x) => x > 0));
  await settled();
  await page.evaluate(() => performance.clearMeasures());
  say("map at full zoom, panning, script and layout of a frame", (await frames(page, async () => {
    await page.mouse.down();
    for (let k = 0; k < 120; ++k) {
      await page.mouse.move(middle.x + 2 * (k % 60), middle.y - 3 * k);
      await page.waitForTimeout(8);
    }
    await page.mouse.up();
  })).filter((x) => x > 0));
  await settled();
  // Far away, one tile at a time.
  for (let k = 0; k < 40; ++k) {
    await canvas.press("ArrowDown");
    await settled();
  }
  say("a new tile at full zoom, asked to answered", await page.evaluate(() => performance.getEntriesByName("tile").map((e) => e.duration)));
  await page.context().close();
}

const text = process.env["REGARD_TEXT"];
if (text) {
  const file = pageOnDisk(`@${text}`, "--truncate");
  console.log(`file: ${(readFileSync(new URL(file)).length / 1e6).toFixed(1)} MB`);
  await whole("file", file);
  const server = await serve(0, "--trace", record(`@${text}`, "--truncate"));
  await whole("server", `${server.origin}/`);
  await server.stop();
}
if (process.env["REGARD_LONG"]) await map(process.env["REGARD_LONG"]);
process.exit(0);
