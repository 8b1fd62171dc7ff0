// SPDX-License-Identifier: Apache-2.0
// What the tests in a browser share: Chromium, the program, pages that it wrote, and the rules that
// every page keeps (no request leaves it, no error in its console, nothing that axe objects to).
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

export const kSentence = "The animal didn't cross the street because it was too tired.";

// Numbers of the tests are those of PyTorch for this model.
process.env["REGARD_MODEL"] ??= "minilm";
const program = process.env["REGARD_PROGRAM"] ?? "";
const folder = mkdtempSync(join(tmpdir(), "regard-browser-"));

function onPath(name: string): string | null {
  const found = (process.env["PATH"] ?? "").split(delimiter).map((place) => join(place, name));
  return found.find((place) => existsSync(place)) ?? null;
}

let launched: Promise<Browser> | null = null;
function browser(): Promise<Browser> {
  launched ??= (async () => {
    const path = ["chromium", "chromium-browser", "google-chrome"].map(onPath).find((p) => p !== null);
    assert.ok(path, "no chromium, chromium-browser or google-chrome on PATH");
    const root = process.getuid?.() === 0;
    return chromium.launch({ executablePath: path, args: root ? ["--no-sandbox"] : [] });
  })();
  return launched;
}
const servers = new Set<() => Promise<void>>();
after(async () => {
  await (await launched)?.close();
  for (const stop of servers) await stop();
});

const written = new Map<string, string>();
// The address of a page that the program wrote with these arguments of `show`.
export function pageOnDisk(...words: string[]): string {
  assert.ok(existsSync(program), `REGARD_PROGRAM: expected the program regard, found "${program}"`);
  const key = words.join("\0");
  let file = written.get(key);
  if (!file) {
    file = join(folder, `page${written.size}.html`);
    execFileSync(program, ["show", ...words, "-o", file], { stdio: ["ignore", "ignore", "inherit"] });
    written.set(key, file);
  }
  return pathToFileURL(file).href;
}

// The lesson as a file that the program wrote.
export function lessonOnDisk(...words: string[]): string {
  const key = ["lesson", ...words].join("\0");
  let file = written.get(key);
  if (!file) {
    file = join(folder, `lesson${written.size}.html`);
    execFileSync(program, ["lesson", ...words, "-o", file], { stdio: "ignore" });
    written.set(key, file);
  }
  return pathToFileURL(file).href;
}

// What the program prints with these arguments, as JSON.
export function output<T>(...words: string[]): T {
  return JSON.parse(execFileSync(program, [...words, "--format", "json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 2 ** 28 })) as T;
}

const kAnimals = ["fox", "hen", "goat", "duck", "ox", "ram", "cat", "dog"];
const kDocuments = kAnimals.flatMap((a) => kAnimals.map((b) => `the ${a} saw the ${b} and it ran because the ${b} was big .`));

// The folder of a small run of `regard train` on these documents, with a checkpoint every two steps.
export function trained(steps: number): string {
  const key = `trained ${steps}`;
  let run = written.get(key);
  if (!run) {
    run = join(folder, `run${written.size}`);
    const corpus = `${run}.txt`;
    writeFileSync(corpus, kDocuments.join("\n"));
    const shape = ["--width", "32", "--layers", "2", "--heads", "2", "--mlp", "32", "--positions", "64", "--pieces", "60"];
    execFileSync(program, ["train", corpus, "-o", run, ...shape, "--batch", "8", "--steps", String(steps), "--save-every", "2"], { stdio: "ignore" });
    written.set(key, run);
  }
  return run;
}

// Arguments of `show` for ready weights, [size, size], in a file as NumPy writes it.
export function ready(weights: Float32Array, size: number): string[] {
  const file = join(folder, `matrix${written.size}.npy`);
  written.set(file, file);
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${size}, ${size}), }`.padEnd(117) + "\n";
  writeFileSync(file, Buffer.concat([Buffer.from("\x93NUMPY\x01\x00\x76\x00", "latin1"), Buffer.from(head), new Uint8Array(weights.buffer)]));
  writeFileSync(`${file}.txt`, Array.from({ length: size }, (_, i) => `w${i}\n`).join(""));
  return ["--attention", file, "--words", `${file}.txt`];
}

// A trace file that the program recorded.
export function record(...words: string[]): string {
  const file = join(folder, `trace${written.size}.safetensors`);
  written.set(file, file);
  execFileSync(program, ["record", ...words, "-o", file], { stdio: "ignore" });
  return file;
}

export interface Opened {
  page: Page;
  errors: string[]; // of the console, and requests that left
}

// A tab whose requests may go to `origin` only: none at all for a file.
export async function tab(origin: string | null, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await (await browser()).newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: "reduce",
    acceptDownloads: true,
    ...options,
  });
  context.setDefaultTimeout(20_000);
  if (origin === null) await context.setOffline(true);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    const inside = ["data:", "blob:"].includes(url.protocol) || (origin === null ? url.protocol === "file:" : url.origin === origin);
    if (!inside) errors.push(`a request left the page: ${url.href}`);
  });
  page.on("pageerror", (error) => errors.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    errors.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, errors };
}

// Opens a written page, runs the body, and holds it to the rules.
export async function withPage(
  address: string,
  hash: string,
  body: (page: Page) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  const { page, errors } = await tab(address.startsWith("file:") ? null : new URL(address).origin, options);
  try {
    await page.goto(`${address}#${hash}`);
    await page.getByRole("tablist", { name: "Views" }).waitFor();
    await body(page);
    assert.deepEqual(errors, []);
  } finally {
    await page.context().close();
  }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// What axe finds wrong on the page as it is now.
export async function axe(page: Page): Promise<string[]> {
  const found = await page.evaluate(
    `${axeSource}; axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " " + n.failureSummary).join(" | ")))`,
  );
  return found as string[];
}

export async function setDark(page: Page, dark: boolean): Promise<void> {
  const button = page.getByRole("button", { name: "Dark" });
  if ((await button.getAttribute("aria-pressed")) !== String(dark)) await button.click();
  await page.waitForFunction((name) => document.documentElement.dataset["theme"] === name, dark ? "dark" : "light");
}

// The brightness of the canvas's cells, [rows][columns].
export async function brightness(page: Page, selector: string): Promise<number[][]> {
  return page.locator(selector).evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    return Array.from({ length: canvas.height }, (_, i) =>
      Array.from({ length: canvas.width }, (_, j) => {
        const at = 4 * (i * canvas.width + j);
        return data[at]! + data[at + 1]! + data[at + 2]!;
      }),
    );
  });
}

// A server of the program's own, on a free port of loopback.
export interface Server {
  origin: string;
  stop: () => Promise<void>;
}
export async function serve(port = 0, ...words: string[]): Promise<Server> {
  const child = spawn(program, ["serve", "--port", String(port), ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const origin = await new Promise<string>((resolve, reject) => {
    let said = "";
    const read = (bytes: Buffer) => {
      said += bytes.toString();
      const found = /http:\/\/[\w.:[\]]+/.exec(said);
      if (found) resolve(new URL(found[0]).origin);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("exit", (status) => reject(new Error(`regard serve ended with ${status}: ${said}`)));
    child.on("error", reject);
  });
  const stop = () =>
    new Promise<void>((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.on("exit", () => resolve());
      child.kill("SIGTERM");
    });
  servers.add(stop);
  return { origin, stop };
}
