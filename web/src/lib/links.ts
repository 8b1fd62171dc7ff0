// SPDX-License-Identifier: Apache-2.0
// What one word gives to the others, in one head and over all heads.
import { theSource } from "../state";
import type { HeadId, Layer, TraceInfo, Unit } from "../data/types";
import { lift } from "./grid";

export interface WordMap {
  head: HeadId;
  layer: Layer;
  weights: Float32Array; // [words, words]
}

export const kMostMapped = 128; // tokens: beyond, every map of every head is too much to ask for

const known = new Map<string, Promise<WordMap[] | null>>();

// The word maps of every head of a kind; null for a text that is too long.
export function wordMaps(info: TraceInfo, kind: HeadId["kind"]): Promise<WordMap[] | null> {
  const name = `${info.id} ${kind}`;
  const there = known.get(name);
  if (there) return there;
  const layers = info.layers.filter((layer) => layer.kind === kind);
  const small = layers.every(
    (l) => Math.max(info.sides[l.query]!.tokens.length, info.sides[l.key]!.tokens.length) <= kMostMapped,
  );
  const loading: Promise<WordMap[] | null> = !small
    ? Promise.resolve(null)
    : Promise.all(
        layers.flatMap((layer) =>
          layer.heads.map(async (number) => {
            const head: HeadId = { kind, layer: layer.layer, head: number };
            const rows = info.sides[layer.query]!;
            const columns = info.sides[layer.key]!;
            const tile = await theSource().tile(
              info.id,
              head,
              { rowBegin: 0, rowEnd: rows.tokens.length, columnBegin: 0, columnEnd: columns.tokens.length },
              Math.max(rows.tokens.length, columns.tokens.length),
              "max",
            );
            return { head, layer, weights: lift(tile.cells, columns.tokens.length, rows.words, columns.words) };
          }),
        ),
      );
  known.set(name, loading);
  loading.catch(() => known.delete(name));
  while (known.size > 24) known.delete(known.keys().next().value!);
  return loading;
}

const fold = (unit: Unit) => unit.text.toLowerCase();

// What a word gives to another in a head.
export interface Share {
  key: number; // word
  weight: number;
  head: HeadId;
}

const largestFirst = (a: Share, b: Share) => b.weight - a.weight || a.key - b.key;

// The shares of a word in one head, of the other words proper: no marks, no copies of itself, and of
// a causal model not the first token. Largest first.
export function sharesOf(info: TraceInfo, map: WordMap, query: number): Share[] {
  const columns = info.sides[map.layer.key]!.words;
  const from = info.sides[map.layer.query]!.words[query];
  if (!from) return [];
  const one = map.layer.query === map.layer.key;
  const sink = map.layer.score?.causal ?? false;
  return columns
    .flatMap((to, key): Share[] =>
      !to.wordlike || to.special || (one && (key === query || fold(from) === fold(to))) || (sink && to.tokens[0] === 0)
        ? []
        : [{ key, weight: map.weights[query * columns.length + key]!, head: map.head }],
    )
    .sort(largestFirst);
}

// For each other word the head that gives it the largest share. Largest first.
export function sharesOverHeads(info: TraceInfo, maps: readonly WordMap[], query: number): Share[] {
  const best = new Map<number, Share>();
  for (const map of maps)
    for (const share of sharesOf(info, map, query))
      if (share.weight > (best.get(share.key)?.weight ?? -1)) best.set(share.key, share);
  return [...best.values()].sort(largestFirst);
}
