// SPDX-License-Identifier: Apache-2.0
// Whole maps of texts that are short enough to hold them, loaded once and kept within a budget.
import { computed, signal, type Signal } from "@preact/signals";

import type { HeadId, TraceInfo } from "../data/types";
import { type Choice } from "../choice";
import { axes, choice, report, shownHeads, theSource, trace } from "../state";
import { keepMass, lift, onlyPart, shades, unitsOf, withoutSinks, withoutSpecials, type Grid } from "./grid";

export const kLongestWhole = 1024; // tokens; longer texts are looked at through the Map
const kBudget = 96 * 1024 * 1024; // bytes of maps kept

const kept = new Map<string, { info: TraceInfo; map: Signal<Float32Array | null> }>();

// The head's weights between tokens [queries, keys]; null while they load or when too long.
function tokenMap(info: TraceInfo, head: HeadId): Signal<Float32Array | null> {
  const at = info.layers.find((l) => l.kind === head.kind && l.layer === head.layer);
  const name = `${info.id} ${head.kind} ${head.layer} ${head.head}`;
  const known = kept.get(name);
  if (known?.info === info) {
    kept.delete(name); // to the end: most recently used
    kept.set(name, known);
    return known.map;
  }
  const made = signal<Float32Array | null>(null);
  if (!at) return made;
  const rows = info.sides[at.query]!.tokens.length;
  const columns = info.sides[at.key]!.tokens.length;
  if (Math.max(rows, columns) > kLongestWhole) return made;
  kept.set(name, { info, map: made });
  const region = { rowBegin: 0, rowEnd: rows, columnBegin: 0, columnEnd: columns };
  theSource()
    .tile(info.id, head, region, Math.max(rows, columns), "max")
    .then(
      (tile) => {
        made.value = tile.cells;
        let bytes = 0;
        for (const [key, one] of [...kept].reverse()) {
          bytes += one.map.value?.byteLength ?? 0;
          if (bytes > kBudget) kept.delete(key);
        }
      },
      (error) => {
        kept.delete(name);
        report(error);
      },
    );
  return made;
}

export const tooLong = computed(() => {
  const both = axes.value;
  return both !== null && Math.max(both.query.tokens.length, both.key.tokens.length) > kLongestWhole;
});

// The mean of maps of one shape.
function meanOf(maps: readonly Float32Array[]): Float32Array {
  if (maps.length === 1) return maps[0]!;
  return maps[0]!.map((_, i) => maps.reduce((sum, map) => sum + map[i]!, 0) / maps.length);
}

// What a choice says about grids and heads, so that locking a word works nothing out anew.
const manner = computed(() => {
  const { level, specials, sinks, mass, part, scale, top } = choice.value;
  return JSON.stringify({ level, specials, sinks, mass, part, scale, top });
});
const mannerNow = () =>
  JSON.parse(manner.value) as Pick<Choice, "level" | "specials" | "sinks" | "mass" | "part" | "scale" | "top">;

// The grid of a head, or of the mean of several, as chosen: level, hidden tokens, kept mass, part.
// Null while it loads.
export function gridFor(info: TraceInfo, ...heads: HeadId[]): Grid | null {
  const at = info.layers.find((l) => l.kind === heads[0]?.kind && l.layer === heads[0].layer);
  const c = mannerNow();
  const maps = heads.map((head) => tokenMap(info, head).value).filter((map) => map !== null);
  if (!at || maps.length < heads.length) return null;
  const weights = meanOf(maps);
  const key = info.sides[at.key]!;
  const rowUnits = unitsOf(info.sides[at.query]!, c.level);
  const columnUnits = unitsOf(key, c.level);
  const lifted =
    c.level === "token" ? weights : lift(weights, key.tokens.length, rowUnits, columnUnits);
  let grid: Grid = { rowUnits, columnUnits, weights: lifted, notes: [] };
  if (!c.sinks) grid = withoutSinks(grid, c.level === "sentence");
  if (!c.specials) grid = withoutSpecials(grid);
  grid = keepMass(grid, c.mass);
  return at.query === at.key ? onlyPart(grid, c.part) : grid;
}

export function gridOf(head: HeadId): Grid | null {
  return trace.value ? gridFor(trace.value, head) : null;
}

// A string, so that locking a word works nothing out anew.
const namesOfShown = computed(() => JSON.stringify(shownHeads.value));
export const shownGrid = computed<Grid | null>(() =>
  trace.value ? gridFor(trace.value, ...(JSON.parse(namesOfShown.value) as HeadId[])) : null,
);
export const shownShades = computed(() => {
  const { scale, top } = mannerNow();
  return shownGrid.value ? shades(shownGrid.value, scale, top) : null;
});
