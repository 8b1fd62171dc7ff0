// SPDX-License-Identifier: Apache-2.0
// The score in TypeScript: the twin of regard/attention/score-inl.h, which has the formula.
// tests/score.test.ts compares it with numbers that the C++ wrote.
import type { ScoreSpec } from "./types";

// regard/attention/score.h: ScoreTerms of one head; absent arrays are null.
export interface ScoreTerms {
  slope: number;
  bias: Float32Array | null; // [2 * reach + 1], by distance
  queryRelative: Float32Array | null; // [query, slots]
  keyRelative: Float32Array | null; // [key, slots]
  slot: Int32Array | null; // [2 * reach + 1]
  slots: number;
  blocks: Uint8Array | null; // [query block, key block]
}

export const kNoTerms: ScoreTerms = {
  slope: 0,
  bias: null,
  queryRelative: null,
  keyRelative: null,
  slot: null,
  slots: 0,
  blocks: null,
};

export interface HeadView {
  query: Float32Array; // [queries, dim]
  key: Float32Array; // [keys, dim]
  lse: Float64Array; // [queries]
  keyValid: Uint8Array | null; // [keys]
  queries: number;
  keys: number;
  dim: number;
  score: ScoreSpec;
  terms: ScoreTerms;
}

const kBlock = 64;

const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

// The keys [begin, end) that query q may see, before padding and block masks.
export function visible(spec: ScoreSpec, q: number, queries: number, keys: number): [number, number] {
  const position = q + keys - queries;
  let begin = 0;
  let end = keys;
  if (spec.causal) end = clamp(Math.max(position + 1, spec.prefix), 0, keys);
  if (spec.window > 0) {
    begin = clamp(position - spec.window + 1, 0, end);
    end = clamp(position + spec.window, begin, end);
  }
  if (spec.chunk > 0) {
    const first = position < 0 ? 0 : Math.floor(position / spec.chunk) * spec.chunk;
    const last = position < 0 ? 0 : Math.min(keys, first + spec.chunk);
    begin = clamp(Math.max(begin, first), 0, keys);
    end = clamp(Math.min(end, last), begin, keys);
  }
  return [begin, end];
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);
function toBfloat16(x: number): number {
  float[0] = x;
  const b = bits[0]!;
  bits[0] = (b + 0x7fff + ((b >>> 16) & 1)) & 0xffff0000;
  return float[0]!;
}

function byDistance(distance: number, entries: number): number {
  const reach = (entries - 1) / 2;
  return clamp(distance, -reach, reach) + reach;
}

function biasOf(spec: ScoreSpec, terms: ScoreTerms, query: number, key: number): number {
  let bias = 0;
  if (terms.bias) bias += terms.bias[byDistance(key - query, terms.bias.length)]!;
  if (spec.alibi === "distance") {
    bias -= terms.slope * Math.abs(key - query);
  } else if (spec.alibi === "falcon") {
    const slope = toBfloat16(terms.slope);
    const at = (position: number) => toBfloat16(slope * toBfloat16(position));
    bias += Math.fround(spec.scale) * (at(key) - at(query));
  }
  return bias;
}

// Whether padding or a block mask hides a key that the range of visible() holds.
function hidden(head: HeadView, q: number, k: number): boolean {
  if (head.keyValid && head.keyValid[k] === 0) return true;
  if (!head.terms.blocks) return false;
  const blocks = Math.ceil(head.keys / kBlock);
  return head.terms.blocks[Math.floor(q / kBlock) * blocks + Math.floor(k / kBlock)] === 0;
}

export function sees(head: HeadView, q: number, k: number): boolean {
  const [begin, end] = visible(head.score, q, head.queries, head.keys);
  return begin <= k && k < end && !hidden(head, q, k);
}

export function dot(head: HeadView, q: number, k: number): number {
  const { dim, query, key } = head;
  let sum = 0;
  for (let i = 0, a = q * dim, b = k * dim; i < dim; ++i) sum += query[a + i]! * key[b + i]!;
  return sum;
}

// The logit of a cell that is not masked.
function seenLogit(head: HeadView, q: number, k: number): number {
  const { score, terms } = head;
  const scale = Math.fround(score.scale); // a float's shortest decimal is another double
  const cap = Math.fround(score.cap);
  const position = q + head.keys - head.queries;
  let sum = dot(head, q, k);
  if (terms.slot) {
    const slot = terms.slot[byDistance(k - position, terms.slot.length)]!;
    if (terms.queryRelative) sum += terms.queryRelative[q * terms.slots + slot]!;
    if (terms.keyRelative) sum += terms.keyRelative[k * terms.slots + slot]!;
  }
  let x = scale * sum;
  if (cap > 0) x = cap * Math.tanh(x / cap);
  return x + biasOf(score, terms, position, k);
}

// The logit of one cell; -Infinity where masked.
export function logit(head: HeadView, q: number, k: number): number {
  return sees(head, q, k) ? seenLogit(head, q, k) : -Infinity;
}

// The weights of keys [begin, begin + out.length) in one row.
export function weightsOfRow(head: HeadView, q: number, begin: number, out: Float64Array): void {
  out.fill(0);
  const [first, last] = visible(head.score, q, head.queries, head.keys);
  const lse = head.lse[q]!;
  for (let k = Math.max(begin, first); k < Math.min(begin + out.length, last); ++k)
    if (!hidden(head, q, k)) out[k - begin] = Math.exp(seenLogit(head, q, k) - lse);
}
