// SPDX-License-Identifier: Apache-2.0
// What the page knows of a trace: the same names and shapes as docs/api.md.

export interface Token {
  id: number;
  text: string; // the piece, or a special token's name
  start: number; // bytes of its own text
  end: number;
  sequence: number; // 0 first text, 1 second, -1 added by the tokenizer
  special: boolean;
}

// A row or column: a token, a word or a sentence.
export interface Unit {
  text: string;
  start: number;
  end: number;
  sequence: number;
  special: boolean;
  wordlike: boolean; // has a letter or digit
  tokens: number[]; // indices, ascending
}

export type Alibi = "none" | "distance" | "falcon";

// regard/attention/score.h: ScoreSpec.
export interface ScoreSpec {
  scale: number;
  cap: number;
  causal: boolean;
  window: number;
  chunk: number;
  prefix: number;
  alibi: Alibi;
}

// One side of an attention: a text as tokens, words and sentences.
export interface Side {
  name: string; // "text", "encoder", "decoder"
  text: string;
  pair: string | null;
  tokens: Token[];
  words: Unit[];
  sentences: Unit[];
  generated: number; // tokens from this index on were generated; tokens.length: none
}

export type Kind = "self" | "encoder" | "decoder" | "cross";

export interface Layer {
  kind: Kind;
  layer: number;
  heads: number[]; // the heads recorded, ascending
  query: number; // index into sides
  key: number;
  dim: number;
  valueDim: number; // 0: values were not recorded
  score: ScoreSpec | null; // null: weights that were given ready-made
}

export interface HeadId {
  kind: Kind;
  layer: number;
  head: number;
}

export interface Link {
  query: number; // word index
  key: number;
  weight: number;
  head: HeadId;
}

export interface TraceInfo {
  format: number;
  id: string;
  model: string;
  sides: Side[];
  layers: Layer[];
  blockEdge: number;
  // What is shown first: `head`, or the mean of several, of which it is one.
  choice: { head: HeadId; mean?: HeadId[]; why: string };
  links: Link[]; // strongest content links, words of the sides of their heads
  notes: string[];
}

// Measures of one head, from the record, never from a map: docs/mathematics.md. NaN: there is none,
// such as the weight on the token before in cross-attention.
export interface HeadMeasure {
  head: HeadId;
  entropy: number; // mean over rows, in bits
  distance: number; // mean |query - key|, weighted, in tokens
  previous: number; // mean weight on the token before
  next: number;
  same: number;
  first: number; // mean weight on the first token
  special: number; // mean weight on special tokens
  link: { query: number; key: number; weight: number } | null; // strongest content link
}

export interface ModelEntry {
  name: string;
  path: string;
  note: string;
  opens: boolean;
  architecture: string;
  layers: number;
  heads: number;
  bytes: number;
}

export interface RunRequest {
  model: string;
  text: string;
  pair?: string;
  target?: string;
  truncate?: boolean;
  generate?: number;
  untrained?: boolean; // the same architecture with random weights
  checkpoint?: number; // the model as it was at this step of its training
}

// A checkpoint of the training of a model.
export interface Checkpoint {
  step: number;
  loss: number | null; // nats; null: not measured after this step
  heldOut: number | null;
  note: string; // which training, where that must be said
}

// The cells of a tile: at most so many along an edge, the last one taking the remainder; or each of
// so many tokens, the last one smaller.
export type Cells = number | { height: number; width: number };

export interface Region {
  rowBegin: number;
  rowEnd: number;
  columnBegin: number;
  columnEnd: number;
}

export type Pool = "max" | "mean" | "sum";

// A pooled region: cells [rows, columns], row-major.
export interface Tile {
  rows: number;
  columns: number;
  cells: Float32Array;
  rough?: boolean; // estimated from the overview
}

// One token's numbers in one head, worked through: regard/analysis/explain.h.
export interface Explanation {
  head: HeadId;
  queryIndex: number;
  score: ScoreSpec;
  lse: number;
  query: number[];
  steps: {
    token: number;
    key: number[];
    dot: number;
    logit: number;
    masked: boolean;
    weight: number;
    value: number[];
  }[];
  output: number[];
}

export function headName(head: HeadId): string {
  const name = `L${head.layer}H${head.head}`;
  return head.kind === "self" ? name : `${head.kind} ${name}`;
}

// One head, or the mean of several.
export function headsName(heads: readonly HeadId[]): string {
  return heads.map(headName).join(" + ") + (heads.length > 1 ? ", mean" : "");
}

export function sameHead(a: HeadId, b: HeadId): boolean {
  return a.layer === b.layer && a.head === b.head && a.kind === b.kind;
}

// JSON has no NaN: null stands for it.
export function measuresFrom(list: readonly HeadMeasure[]): HeadMeasure[] {
  const numbers = ["entropy", "distance", "previous", "next", "same", "first", "special"] as const;
  return list.map((m) => {
    const out = { ...m };
    for (const key of numbers) out[key] ??= NaN;
    return out;
  });
}
