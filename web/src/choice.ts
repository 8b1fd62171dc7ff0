// SPDX-License-Identifier: Apache-2.0
// What can be chosen, and how it is written into the address bar.
import type { HeadId, Kind, Pool, RunRequest } from "./data/types";
import type { Level, Part, Scale, Top } from "./lib/grid";

export const kViews = ["heatmap", "links", "heads", "steps", "text", "map", "compare", "generated", "training"] as const;
export type ViewName = (typeof kViews)[number];
// Views that can show a mean of heads.
export const kMeanViews: readonly ViewName[] = ["heatmap", "links", "text"];

export const kSorts = ["layer", "link", "entropy", "distance", "previous", "next", "same", "first", "special"] as const;
export type SortKey = (typeof kSorts)[number];
// How All heads stands: its order, and which heads are left.
export interface HeadsOrder {
  by: SortKey;
  ascending: boolean;
  layers: string; // "all" or a layer's name
  only: Exclude<SortKey, "layer"> | "none"; // the measure of the filter
  most: boolean; // at most, instead of at least
  share: number; // of the way from the smallest to the largest
}
export type Direction = "to" | "from";
// Where the middle of Map is, in tokens, and how much larger than whole it is drawn.
export interface Place {
  row: number;
  column: number;
  zoom: number;
}
// What Compare compares with, and what would run it again; null: not known.
export interface Other {
  trace: string;
  head: HeadId;
  asked: RunRequest | null;
}

export interface Choice {
  lesson: string | null; // step of the lesson; null: the views
  view: ViewName;
  head: HeadId | null; // null until a trace is there
  heads: HeadId[]; // shown by Links, the first is `head`
  mean: HeadId[]; // grid, Links and Text show the mean of these, the first is `head`; empty: no mean
  alone: HeadId | null; // of `heads` the one that Links shows alone
  level: Level;
  row: number | null; // token that attends, locked by a click
  column: number | null; // token attended to
  scale: Scale;
  top: Top;
  specials: boolean;
  sinks: boolean;
  mass: number;
  part: Part;
  direction: Direction; // of Text
  order: HeadsOrder;
  pool: Pool; // of Map
  place: Place | null; // of Map; null: the whole
  other: Other | null;
}

export const kDefaults: Choice = {
  lesson: null,
  view: "heatmap",
  head: null,
  heads: [],
  mean: [],
  alone: null,
  level: "word",
  row: null,
  column: null,
  scale: "linear",
  top: "map",
  specials: true,
  sinks: true,
  mass: 1,
  part: "all",
  direction: "to",
  order: { by: "layer", ascending: false, layers: "all", only: "none", most: false, share: 0.5 },
  pool: "max",
  place: null,
  other: null,
};

// A text that is longer makes no address.
const kLongest = 2000;

const kKinds: readonly Kind[] = ["self", "encoder", "decoder", "cross"];
const headToAddress = (h: HeadId) => `${h.kind === "self" ? "" : `${h.kind}.`}L${h.layer}H${h.head}`;
function headFromAddress(text: string): HeadId | null {
  const found = /^(?:(\w+)\.)?L(\d+)H(\d+)$/.exec(text);
  const kind = (found?.[1] ?? "self") as Kind;
  if (!found || !kKinds.includes(kind)) return null;
  return { kind, layer: Number(found[2]), head: Number(found[3]) };
}

function pick<T extends string>(text: string | null | undefined, from: readonly T[], otherwise: T): T {
  return from.includes(text as T) ? (text as T) : otherwise;
}
const count = (text: string | null) => (text !== null && /^\d+$/.test(text) ? Number(text) : null);
const shareOf = (text: string | null | undefined, otherwise: number) => {
  const x = Number(text ?? NaN);
  return x >= 0 && x <= 1 ? x : otherwise;
};

// What runs a trace again, each name after `prefix`.
function putRun(p: URLSearchParams, prefix: string, asked: RunRequest | null): void {
  if (!asked || asked.text.length > kLongest) return;
  for (const key of ["model", "text", "pair", "target", "generate", "truncate"] as const)
    if (asked[key] !== undefined) p.set(prefix + key, String(asked[key]));
}
function takeRun(p: URLSearchParams, prefix: string): RunRequest | null {
  const text = p.get(`${prefix}text`);
  if (text === null) return null;
  const asked: RunRequest = { model: p.get(`${prefix}model`) ?? "", text };
  for (const key of ["pair", "target"] as const) {
    const found = p.get(prefix + key);
    if (found !== null) asked[key] = found;
  }
  if (p.get(`${prefix}truncate`) === "true") asked.truncate = true;
  const generate = count(p.get(`${prefix}generate`));
  if (generate !== null) asked.generate = generate;
  return asked;
}

// trace: the one that is shown, and what would run it again.
export function toAddress(c: Choice, trace: string | null, asked: RunRequest | null): string {
  const p = new URLSearchParams();
  if (trace !== null) p.set("trace", trace);
  putRun(p, "", asked);
  if (c.lesson !== null) p.set("lesson", c.lesson);
  if (c.view !== kDefaults.view) p.set("view", c.view);
  if (c.mean.length > 0) p.set("mean", c.mean.map(headToAddress).join(" "));
  else if (c.heads.length > 0) p.set("head", c.heads.map(headToAddress).join(" "));
  if (c.alone) p.set("alone", headToAddress(c.alone));
  for (const key of ["level", "scale", "top", "part", "row", "column", "mass", "direction", "pool"] as const)
    if (c[key] !== kDefaults[key]) p.set(key, String(c[key]));
  for (const key of ["specials", "sinks"] as const) if (c[key] !== kDefaults[key]) p.set(key, "no");
  const { by, ascending, layers, only, most, share } = c.order;
  if (by !== "layer" || ascending) p.set("sort", `${by}${ascending ? " up" : ""}`);
  if (layers !== "all") p.set("layers", layers);
  if (only !== "none") p.set("only", `${only} ${most ? "most" : "least"} ${share}`);
  if (c.place) p.set("place", `${c.place.row} ${c.place.column} ${Number(c.place.zoom.toPrecision(4))}`);
  if (c.other) {
    p.set("other", `${c.other.trace} ${headToAddress(c.other.head)}`);
    putRun(p, "other.", c.other.asked);
  }
  return `#${p.toString()}`;
}

function orderFrom(p: URLSearchParams): HeadsOrder {
  const [by, up] = (p.get("sort") ?? "").split(" ");
  const [measure, bound, share] = (p.get("only") ?? "").split(" ");
  const only = pick<SortKey>(measure, kSorts, "layer");
  return {
    by: pick(by, kSorts, "layer"),
    ascending: up === "up",
    layers: p.get("layers") ?? "all",
    only: only === "layer" ? "none" : only,
    most: only !== "layer" && bound === "most",
    share: only === "layer" ? 0.5 : shareOf(share, 0.5),
  };
}

function placeFrom(text: string | null): Place | null {
  const [row, column, zoom] = (text ?? "").split(" ").map(Number);
  return text !== null && row! >= 0 && column! >= 0 && zoom! >= 1 ? { row: row!, column: column!, zoom: zoom! } : null;
}

export interface Address {
  c: Choice; // but for `lesson` when the address is empty
  trace: string | null;
  asked: RunRequest | null;
}
export function fromAddress(hash: string): Address {
  const p = new URLSearchParams(hash.slice(1));
  const headsOf = (key: string) => (p.get(key) ?? "").split(" ").map(headFromAddress).filter((h) => h !== null);
  const mean = headsOf("mean");
  const heads = mean.length > 0 ? mean.slice(0, 1) : headsOf("head");
  const mass = Number(p.get("mass") ?? "1");
  const [other, otherHead] = (p.get("other") ?? "").split(" ");
  const second = otherHead ? headFromAddress(otherHead) : null;
  return {
    c: {
      lesson: p.get("lesson"),
      view: pick(p.get("view"), kViews, "heatmap"),
      head: heads[0] ?? null,
      heads,
      mean,
      alone: headsOf("alone")[0] ?? null,
      level: pick(p.get("level"), ["token", "word", "sentence"], "word"),
      row: count(p.get("row")),
      column: count(p.get("column")),
      scale: pick(p.get("scale"), ["linear", "log", "rank"], "linear"),
      top: pick(p.get("top"), ["row", "map"], "map"),
      part: pick(p.get("part"), ["all", "within", "across"], "all"),
      specials: p.get("specials") !== "no",
      sinks: p.get("sinks") !== "no",
      mass: mass > 0 && mass <= 1 ? mass : 1,
      direction: pick(p.get("direction"), ["to", "from"], "to"),
      order: orderFrom(p),
      pool: pick(p.get("pool"), ["max", "mean"], "max"),
      place: placeFrom(p.get("place")),
      other: other && second ? { trace: other, head: second, asked: takeRun(p, "other.") } : null,
    },
    trace: p.get("trace"),
    asked: takeRun(p, ""),
  };
}
