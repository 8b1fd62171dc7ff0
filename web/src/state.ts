// SPDX-License-Identifier: Apache-2.0
// What is chosen: shared by all views, mirrored in the address bar.
import { computed, effect, signal } from "@preact/signals";

import { ConnectionError, SourceError, type Progress, type Source } from "./data/source";
import { sameHead, type Checkpoint, type HeadId, type HeadMeasure, type Kind, type Layer, type ModelEntry, type RunRequest, type TraceInfo } from "./data/types";
import { unitOfToken, unitsOf, type Level, type Part, type Scale, type Top } from "./lib/grid";

export const kViews = [
  "heatmap",
  "links",
  "heads",
  "steps",
  "text",
  "map",
  "compare",
  "generated",
  "training",
] as const;
export type ViewName = (typeof kViews)[number];
// Views that can show a mean of heads.
export const kMeanViews: readonly ViewName[] = ["heatmap", "links", "text"];

export interface Choice {
  lesson: string | null; // step of the lesson; null: the views
  view: ViewName;
  head: HeadId | null; // null until a trace is there
  heads: HeadId[]; // shown by Links, the first is `head`
  mean: HeadId[]; // grid, Links and Text show the mean of these, the first is `head`; empty: no mean
  level: Level;
  row: number | null; // token that attends, locked by a click
  column: number | null; // token attended to
  scale: Scale;
  top: Top;
  specials: boolean;
  sinks: boolean;
  mass: number;
  part: Part;
  other: { trace: string; head: HeadId } | null; // what Compare compares with
}

export const kDefaults: Choice = {
  lesson: null,
  view: "heatmap",
  head: null,
  heads: [],
  mean: [],
  level: "word",
  row: null,
  column: null,
  scale: "linear",
  top: "map",
  specials: true,
  sinks: true,
  mass: 1,
  part: "all",
  other: null,
};

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

const kinds: readonly Kind[] = ["self", "encoder", "decoder", "cross"];

const headToAddress = (h: HeadId) => `${h.kind === "self" ? "" : `${h.kind}.`}L${h.layer}H${h.head}`;
function headFromAddress(text: string): HeadId | null {
  const found = /^(?:(\w+)\.)?L(\d+)H(\d+)$/.exec(text);
  const kind = (found?.[1] ?? "self") as Kind;
  if (!found || !kinds.includes(kind)) return null;
  return { kind, layer: Number(found[2]), head: Number(found[3]) };
}

function address(): string {
  const c = choice.value;
  const p = new URLSearchParams();
  const info = trace.value;
  if (info) {
    p.set("trace", info.id);
    const side = info.sides[0]!;
    // A trace that was not asked for here can be run again only by a model of the list.
    const asked: RunRequest | null =
      request.value ??
      (models.value.some((m) => m.name === info.model)
        ? { model: info.model, text: side.text, ...(side.pair === null ? {} : { pair: side.pair }) }
        : null);
    if (source?.canRun && asked && asked.text.length <= 2000) {
      for (const key of ["model", "text", "pair", "target", "generate", "truncate"] as const)
        if (asked[key] !== undefined) p.set(key, String(asked[key]));
    }
  }
  if (c.lesson !== null) p.set("lesson", c.lesson);
  if (c.view !== kDefaults.view) p.set("view", c.view);
  if (c.mean.length > 0) p.set("mean", c.mean.map(headToAddress).join(" "));
  else if (c.heads.length > 0) p.set("head", c.heads.map(headToAddress).join(" "));
  for (const key of ["level", "scale", "top", "part", "row", "column", "mass"] as const)
    if (c[key] !== kDefaults[key]) p.set(key, String(c[key]));
  for (const key of ["specials", "sinks"] as const) if (c[key] !== kDefaults[key]) p.set(key, "no");
  if (c.other) p.set("other", `${c.other.trace} ${headToAddress(c.other.head)}`);
  return `#${p.toString()}`;
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

function pick<T extends string>(text: string | null, from: readonly T[], otherwise: T): T {
  return from.includes(text as T) ? (text as T) : otherwise;
}
const count = (text: string | null) => (text !== null && /^\d+$/.test(text) ? Number(text) : null);

// A newcomer meets the lesson first; a page that was written as the lesson always does.
function firstPlace(): string | null {
  if (document.querySelector("meta[name=regard-start][content=lesson]")) return "read";
  if (!source?.canRun) return null;
  try {
    if (localStorage.getItem("regard.known") !== null) return null;
    localStorage.setItem("regard.known", "yes");
  } catch {
    return null;
  }
  return "read";
}

interface Address {
  c: Choice;
  trace: string | null;
  asked: RunRequest | null;
}
function readAddress(): Address {
  const p = new URLSearchParams(location.hash.slice(1));
  const headsOf = (key: string) => (p.get(key) ?? "").split(" ").map(headFromAddress).filter((h) => h !== null);
  const mean = headsOf("mean");
  const heads = mean.length > 0 ? mean.slice(0, 1) : headsOf("head");
  const mass = Number(p.get("mass") ?? "1");
  const [other, otherHead] = (p.get("other") ?? "").split(" ");
  const second = otherHead ? headFromAddress(otherHead) : null;
  const text = p.get("text");
  const more: Partial<RunRequest> = {};
  for (const key of ["pair", "target"] as const) {
    const found = p.get(key);
    if (found !== null) more[key] = found;
  }
  if (p.get("truncate") === "true") more.truncate = true;
  const generate = count(p.get("generate"));
  if (generate !== null) more.generate = generate;
  return {
    c: {
      lesson: p.get("lesson") ?? (location.hash === "" ? firstPlace() : null),
      view: pick(p.get("view"), kViews, "heatmap"),
      head: heads[0] ?? null,
      heads,
      mean,
      level: pick(p.get("level"), ["token", "word", "sentence"], "word"),
      row: count(p.get("row")),
      column: count(p.get("column")),
      scale: pick(p.get("scale"), ["linear", "log", "rank"], "linear"),
      top: pick(p.get("top"), ["row", "map"], "map"),
      part: pick(p.get("part"), ["all", "within", "across"], "all"),
      specials: p.get("specials") !== "no",
      sinks: p.get("sinks") !== "no",
      mass: mass > 0 && mass <= 1 ? mass : 1,
      other: other && second ? { trace: other, head: second } : null,
    },
    trace: p.get("trace"),
    asked: text === null ? null : { model: p.get("model") ?? "", text, ...more },
  };
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
    await showTrace(id, keep ?? { ...choice.value, head: null, heads: [], mean: [], row: null, column: null }, asked, signal);
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
    if (asked && theSource().canRun) return await runText(asked.text, asked.pair ?? null, c, asked, false);
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
