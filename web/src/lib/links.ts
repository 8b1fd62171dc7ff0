// SPDX-License-Identifier: Apache-2.0
// Links that stand out: the program's formula (docs/mathematics.md, "Choosing a head"), here over
// the links of one word in every head.
import { theSource } from "../state";
import { sameHead, type HeadId, type Layer, type TraceInfo, type Unit } from "../data/types";
import { lift } from "./grid";

export interface WordMap {
  head: HeadId;
  layer: Layer;
  weights: Float32Array; // [words, words]
}

export interface ScoredLink {
  query: number; // word
  key: number;
  weight: number;
  head: HeadId;
  score: number; // contrast * ln(distance)
}

const kMost = 128; // tokens: beyond, every map of every head is too much to ask for

const known = new Map<string, Promise<WordMap[]>>();

// The word maps of every head of a kind; empty for a text that is too long.
export function wordMaps(info: TraceInfo, kind: HeadId["kind"]): Promise<WordMap[]> {
  const name = `${info.id} ${kind}`;
  const there = known.get(name);
  if (there) return there;
  const layers = info.layers.filter((layer) => layer.kind === kind);
  const small = layers.every(
    (l) => Math.max(info.sides[l.query]!.tokens.length, info.sides[l.key]!.tokens.length) <= kMost,
  );
  const loading = !small
    ? Promise.resolve([])
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

// The links of one word in one head with a score above 0, in no order.
export function linksOf(info: TraceInfo, map: WordMap, query: number): ScoredLink[] {
  const rows = info.sides[map.layer.query]!.words;
  const columns = info.sides[map.layer.key]!.words;
  const width = columns.length;
  const one = map.layer.query === map.layer.key;
  const from = rows[query];
  if (!from?.wordlike || rows.length < 2) return [];
  const sink = map.layer.score?.causal ?? false;
  const out: ScoredLink[] = [];
  columns.forEach((to, key) => {
    const distance = one ? Math.abs(query - key) : Math.E;
    if (distance < 2 || !to.wordlike || to.special) return;
    if (one && fold(from) === fold(to)) return;
    if (sink && to.tokens[0] === 0) return;
    let column = 0;
    rows.forEach((_, i) => (column += map.weights[i * width + key]!));
    const weight = map.weights[query * width + key]!;
    const contrast = weight - (column - weight) / (rows.length - 1);
    if (contrast > 0) out.push({ query, key, weight, head: map.head, score: contrast * Math.log(distance) });
  });
  return out;
}

// For each word that `query` is linked to, the head with the largest score; best first.
export function bestLinks(info: TraceInfo, maps: WordMap[], query: number, only?: HeadId): ScoredLink[] {
  const best = new Map<number, ScoredLink>();
  for (const map of maps) {
    if (only && !sameHead(map.head, only)) continue;
    for (const link of linksOf(info, map, query))
      if (link.score > (best.get(link.key)?.score ?? 0)) best.set(link.key, link);
  }
  return [...best.values()].sort((a, b) => b.score - a.score);
}
