// SPDX-License-Identifier: Apache-2.0
// What is chosen: shared by all views, mirrored in the address bar.
import { computed, effect, signal } from "@preact/signals";

import { fromAddress, kDefaults, toAddress, type Address, type Choice } from "./choice";
import { ConnectionError, SourceError, type Progress, type Source } from "./data/source";
import { sameHead, type Checkpoint, type HeadId, type HeadMeasure, type Layer, type ModelEntry, type RunRequest, type TraceInfo } from "./data/types";
import { unitOfToken, unitsOf } from "./lib/grid";

export const choice = signal<Choice>(kDefaults);
export const hover = signal<{ row: number | null; column: number | null }>({ row: null, column: null });
export function clearHover(): void {
  hover.value = { row: null, column: null };
}
export const trace = signal<TraceInfo | null>(null);
export const measures = signal<HeadMeasure[]>([]);
// Of the shown model's training, at which the shown text can be run.
export const checkpoints = signal<Checkpoint[]>([]);
export const models = signal<ModelEntry[]>([]);
export const model = signal("");
// What the shown run was asked with; null where it was not asked for here.
export const request = signal<RunRequest | null>(null);
export const asking = signal<RunRequest | null>(null); // what is being run
export const running = signal<Progress | null>(null);
export const problem = signal<string | null>(null);
export const dark = signal(false);

let source: Source | null = null;
export function theSource(): Source {
  if (!source) throw new Error("no source");
  return source;
}

// Changes the choice; `step` makes an entry in the history, so that back undoes it. Who chooses a
// head wants no mean.
export function choose(change: Partial<Choice>, step = true): void {
  if (change.lesson === null && choice.value.lesson !== null) knowsLesson();
  choice.value = { ...choice.value, ...(change.head ? { mean: [] } : {}), ...change };
  remember(step);
}

export function chooseHead(head: HeadId): void {
  const rest = choice.value.heads.filter((h) => !sameHead(h, head));
  choose({ head, heads: [head, ...rest.slice(choice.value.heads.length > 1 ? 0 : 1)] });
}

// The mean that the model's makers chose.
export function chooseMean(mean: HeadId[]): void {
  choose({ head: mean[0]!, heads: [mean[0]!], mean });
}

// What grid, Links and Text show: the heads of a mean, or one. The lesson speaks of one.
export const shownHeads = computed<HeadId[]>(() => {
  const { head, mean, lesson } = choice.value;
  return mean.length > 0 && lesson === null ? mean : head ? [head] : [];
});

export const layer = computed<Layer | null>(() => {
  const head = choice.value.head;
  return (
    trace.value?.layers.find((l) => head && l.kind === head.kind && l.layer === head.layer) ?? null
  );
});

const level = computed(() => choice.value.level);

// Both sides of the chosen attention, and their units at the chosen level.
export const axes = computed(() => {
  const info = trace.value;
  const at = layer.value;
  if (!info || !at) return null;
  const query = info.sides[at.query]!;
  const key = info.sides[at.key]!;
  const rows = unitsOf(query, level.value);
  return { query, key, rows, columns: key === query ? rows : unitsOf(key, level.value) };
});

// The unit of a locked or hovered token.
export function unitAt(token: number | null, axis: "row" | "column"): number {
  const both = axes.value;
  if (!both) return -1;
  return unitOfToken(axis === "row" ? both.rows : both.columns, token);
}

// What would run a trace again that was not asked for here; only a model of the list can.
export function askedOf(info: TraceInfo): RunRequest | null {
  const { text, pair } = info.sides[0]!;
  if (!models.value.some((m) => m.name === info.model)) return null;
  return { model: info.model, text, ...(pair === null ? {} : { pair }) };
}

function address(): string {
  const info = trace.value;
  const asked = info && source?.canRun ? (request.value ?? askedOf(info)) : null;
  return toAddress(choice.value, info?.id ?? null, asked);
}

function remember(step: boolean): void {
  const next = address();
  if (next === location.hash) return;
  try {
    history[step ? "pushState" : "replaceState"](null, "", next);
  } catch {
    location.hash = next; // a page that lies on disk may not write its history in some browsers
  }
}

// A newcomer meets the lesson first, until they leave it or have seen its steps; a page that was
// written as the lesson always does.
const kKnown = "regard.known";
function firstPlace(): string | null {
  if (document.querySelector("meta[name=regard-start][content=lesson]")) return "read";
  if (!source?.canRun) return null;
  try {
    return localStorage.getItem(kKnown) === null ? "read" : null;
  } catch {
    return null;
  }
}
export function knowsLesson(): void {
  try {
    localStorage.setItem(kKnown, "yes");
  } catch {
    // Storage is forbidden: the explorer comes first.
  }
}

function readAddress(): Address {
  const found = fromAddress(location.hash);
  if (location.hash === "") found.c.lesson = firstPlace();
  return found;
}

// Each run and each step in the history makes stale whatever was asked for before it: what is
// answered late changes nothing.
let latest = new AbortController();
function supersede(): AbortSignal {
  latest.abort();
  running.value = asking.value = null;
  latest = new AbortController();
  return latest.signal;
}

async function showTrace(id: string, wanted: Choice, asked: RunRequest | null, signal: AbortSignal): Promise<void> {
  const info = await theSource().info(id);
  signal.throwIfAborted();
  request.value = asked;
  if (!asked && models.value.some((m) => m.name === info.model)) model.value = info.model;
  const exists = (h: HeadId) =>
    info.layers.some((l) => l.kind === h.kind && l.layer === h.layer && l.heads.includes(h.head));
  const heads = wanted.heads.filter(exists);
  let mean = wanted.mean.every(exists) ? wanted.mean : [];
  if (heads.length === 0) {
    heads.push(info.choice.head);
    mean = info.choice.mean ?? [];
  }
  const at = info.layers.find((l) => l.kind === heads[0]!.kind && l.layer === heads[0]!.layer)!;
  const inside = (token: number | null, side: number) =>
    token !== null && token < info.sides[side]!.tokens.length ? token : null;
  trace.value = info;
  choice.value = {
    ...wanted,
    head: heads[0]!,
    heads,
    mean,
    alone: wanted.alone && exists(wanted.alone) ? wanted.alone : null,
    row: inside(wanted.row, at.query),
    column: inside(wanted.column, at.key),
  };
  measures.value = [];
  checkpoints.value = [];
  void readCheckpoints();
  void theSource()
    .measures(id)
    .then((list) => {
      if (trace.value === info) measures.value = list;
    }, report);
}

// The model and the text of what is shown, as they were asked for.
export const shownModel = () => request.value?.model || model.value;
export async function readCheckpoints(): Promise<void> {
  const info = trace.value;
  if (!info || info.sides.length > 1 || info.sides[0]!.pair !== null) return;
  try {
    const list = await theSource().checkpoints(shownModel(), info.sides[0]!.text);
    const same = list.length === checkpoints.value.length;
    if (trace.value === info && !same) checkpoints.value = list;
  } catch (error) {
    report(error);
  }
}

export function report(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (error instanceof ConnectionError) return void reconnect();
  problem.value = error instanceof SourceError ? error.message : `Something went wrong: ${error}`;
}

// The server is gone: says so, asks until it answers again, and shows what was shown, or goes on
// with the run that was cut off; a server that was restarted computes it anew.
export const lost = signal(false);
let cutOff: (() => Promise<void>) | null = null;
async function reconnect(): Promise<void> {
  if (lost.value) return;
  lost.value = true;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    try {
      await readModels();
      break;
    } catch (error) {
      if (!(error instanceof ConnectionError)) break;
    }
  }
  theSource().forget();
  lost.value = false;
  const again = cutOff;
  cutOff = null;
  if (asking.value) return; // somebody's run got through meanwhile
  if (again) return again();
  const shown = request.value;
  trace.value = null;
  await followAddress(supersede(), shown);
}

async function readModels(): Promise<void> {
  const list = await theSource().models();
  models.value = list.models;
  if (!list.models.some((m) => m.name === model.value)) model.value = list.chosen;
}

export function cancelRun(): void {
  supersede();
}

// Runs the chosen model on a text and shows it, keeping view, level and scales. `step`: as a step in
// the history.
export async function runText(
  text: string,
  pair: string | null,
  keep?: Choice,
  more: Partial<RunRequest> = {},
  step = true,
): Promise<void> {
  const signal = supersede();
  cutOff = null;
  problem.value = null;
  running.value = { done: 0, total: 1, what: "starting" };
  const asked: RunRequest = { ...more, model: model.value, text };
  if (pair === null) delete asked.pair;
  else asked.pair = pair;
  asking.value = asked;
  try {
    const id = await theSource().run(asked, (p) => !signal.aborted && (running.value = p), signal);
    await showTrace(id, keep ?? { ...choice.value, head: null, heads: [], mean: [], alone: null, row: null, column: null, place: null }, asked, signal);
    remember(step);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ConnectionError) cutOff = () => runText(text, pair, keep, more, step);
    report(error);
  } finally {
    if (!signal.aborted) running.value = asking.value = null;
  }
}

// Shows what the address bar names; `otherwise` is run where it names neither trace nor text.
async function followAddress(signal = supersede(), otherwise: RunRequest | null = null): Promise<void> {
  const { c, trace: id, asked: named } = readAddress();
  const asked = named ?? otherwise;
  if (asked && asked.model !== "") model.value = asked.model;
  try {
    if (id !== null && trace.value?.id === id) {
      const { head, heads, mean } = choice.value;
      choice.value = { ...c, ...(c.head ? {} : { head, heads, mean }) };
      return;
    }
    const all = await theSource().traces();
    signal.throwIfAborted();
    const known = all.find((t) => t.id === id);
    if (known) return await showTrace(known.id, c, asked, signal);
    // A page on disk runs nothing, but may hold the text.
    const there = theSource().canRun || all.some((t) => t.text === asked?.text);
    if (asked && there) return await runText(asked.text, asked.pair ?? null, c, asked, false);
    if (asked) problem.value = `This page holds no run of “${asked.text}”: it shows another.`;
    // The lesson begins with its own sentence, whatever was looked at last.
    if (all[0] && (c.lesson === null || !theSource().canRun)) return await showTrace(all[0].id, c, null, signal);
    if (theSource().canRun) return await runText(kFirstText, null, c, {}, false);
  } catch (error) {
    if (!signal.aborted) report(error);
  }
}

export const kFirstText = "The animal didn't cross the street because it was too tired.";

export async function start(from: Source): Promise<void> {
  source = from;
  choice.value = readAddress().c; // lesson or views are there before the first answer
  const signal = supersede();
  const media = matchMedia("(prefers-color-scheme: dark)");
  const stored = (() => {
    try {
      return localStorage.getItem("regard.theme");
    } catch {
      return null;
    }
  })();
  dark.value = stored ? stored === "dark" : media.matches;
  if (!stored) media.addEventListener("change", () => (dark.value = media.matches));
  effect(() => {
    document.documentElement.dataset["theme"] = dark.value ? "dark" : "light";
  });
  addEventListener("hashchange", () => void followAddress());
  try {
    await readModels();
  } catch (error) {
    report(error);
  }
  if (!signal.aborted) await followAddress(signal);
}
