// SPDX-License-Identifier: Apache-2.0
// From weights between tokens to the grid that is shown. The rules and their names are the
// program's: docs/mathematics.md. What changes the raw weights adds a note.
import type { Side, Unit } from "../data/types";

export type Level = "token" | "word" | "sentence";

export interface Grid {
  rowUnits: Unit[];
  columnUnits: Unit[];
  weights: Float32Array; // [rows, columns]
  notes: string[];
}

export function unitsOf(side: Side, level: Level): Unit[] {
  if (level === "word") return side.words;
  if (level === "sentence") return side.sentences;
  return side.tokens.map((token, i) => ({ ...token, wordlike: /[\p{L}\p{N}]/u.test(token.text), tokens: [i] }));
}

// The unit that holds a token; -1: none. Units hold ascending tokens, one after the other.
export function unitOfToken(units: readonly Unit[], token: number | null): number {
  if (token === null) return -1;
  let low = 0;
  let high = units.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((units[middle]!.tokens[0] ?? Infinity) <= token) low = middle;
    else high = middle - 1;
  }
  return units[low]?.tokens.includes(token) ? low : -1;
}

// Sum over the tokens attended to, mean over the tokens attended from (Clark et al. 2019).
export function lift(
  weights: Float32Array,
  keys: number,
  rowUnits: Unit[],
  columnUnits: Unit[],
): Float32Array {
  const out = new Float32Array(rowUnits.length * columnUnits.length);
  rowUnits.forEach((row, i) => {
    const share = 1 / Math.max(row.tokens.length, 1);
    columnUnits.forEach((column, j) => {
      let sum = 0;
      for (const q of row.tokens) for (const k of column.tokens) sum += weights[q * keys + k]!;
      out[i * columnUnits.length + j] = sum * share;
    });
  });
  return out;
}

export function keep(grid: Grid, rows: boolean[], columns: boolean[]): Grid {
  const width = grid.columnUnits.length;
  const kept: number[] = [];
  grid.rowUnits.forEach((_, i) => {
    if (!rows[i]) return;
    grid.columnUnits.forEach((_, j) => {
      if (columns[j]) kept.push(grid.weights[i * width + j]!);
    });
  });
  return {
    rowUnits: grid.rowUnits.filter((_, i) => rows[i]),
    columnUnits: grid.columnUnits.filter((_, j) => columns[j]),
    weights: Float32Array.from(kept),
    notes: grid.notes,
  };
}

export function withoutSpecials(grid: Grid): Grid {
  const ordinary = (unit: Unit) => !unit.special;
  const rows = grid.rowUnits.map(ordinary);
  const columns = grid.columnUnits.map(ordinary);
  const hidden = columns.filter((is) => !is).length;
  if (hidden === 0) return grid;
  const out = keep(grid, rows, columns);
  return { ...out, notes: [...grid.notes, "special tokens are hidden: rows need not sum to 1"] };
}

// Takes the columns of sink tokens out and divides each row by what is left of it: special tokens,
// or where none comes first, the first word. A first sentence is more than a sink.
export function withoutSinks(grid: Grid, sentences = false): Grid {
  const first = !sentences && grid.columnUnits[0]?.special === false;
  const columns = grid.columnUnits.map((unit, j) => !unit.special && !(first && j === 0));
  const out = keep(grid, grid.rowUnits.map(() => true), columns);
  const width = out.columnUnits.length;
  const weights = out.weights.slice();
  for (let i = 0; i < out.rowUnits.length; ++i) {
    const row = weights.subarray(i * width, (i + 1) * width);
    const sum = row.reduce((a, b) => a + b, 0);
    if (sum > 0) row.forEach((x, j) => (row[j] = x / sum));
  }
  return {
    ...out,
    weights,
    notes: [
      ...grid.notes,
      `without sinks: columns of special tokens${first ? " and of the first word" : ""} are taken out, and each row is divided by what is left of it`,
    ],
  };
}

// In each row keeps the largest weights that together reach `mass` of the row's sum.
export function keepMass(grid: Grid, mass: number): Grid {
  if (mass >= 1) return grid;
  const width = grid.columnUnits.length;
  const weights = grid.weights.slice();
  for (let i = 0; i < grid.rowUnits.length; ++i) {
    const row = weights.subarray(i * width, (i + 1) * width);
    const total = row.reduce((a, b) => a + b, 0);
    const order = [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b);
    let reached = 0;
    for (const j of order) {
      if (reached >= mass * total) row[j] = 0;
      else reached += row[j]!;
    }
  }
  const note = `only the largest weights that make ${Math.round(mass * 100)} % of each row are kept`;
  return { ...grid, weights, notes: [...grid.notes, note] };
}

export type Part = "all" | "within" | "across";

// Within or across the two texts of a pair; cells of the other part become NaN and are not drawn.
export function onlyPart(grid: Grid, part: Part): Grid {
  if (part === "all") return grid;
  const width = grid.columnUnits.length;
  const weights = grid.weights.map((x, at) => {
    const a = grid.rowUnits[Math.floor(at / width)]!.sequence;
    const b = grid.columnUnits[at % width]!.sequence;
    const within = a === b && a >= 0;
    const across = a !== b && a >= 0 && b >= 0;
    return (part === "within" ? within : across) ? x : NaN;
  });
  const note = part === "within" ? "only cells within one text" : "only cells across the two texts";
  return { ...grid, weights, notes: [...grid.notes, note] };
}

export type Scale = "linear" | "log" | "rank";
export type Top = "row" | "map";

// Position of each cell on the colour map, in [0, 1]; NaN stays NaN.
export function shades(grid: Grid, scale: Scale, top: Top): Float32Array {
  const width = grid.columnUnits.length;
  const out = new Float32Array(grid.weights.length);
  const largest = (from: number, to: number) => {
    let most = 0;
    for (let i = from; i < to; ++i) if (grid.weights[i]! > most) most = grid.weights[i]!;
    return most;
  };
  const all = largest(0, out.length);
  for (let i = 0; i < grid.rowUnits.length; ++i) {
    const from = i * width;
    const most = top === "row" ? largest(from, from + width) : all;
    if (scale === "rank") {
      const row = grid.weights.subarray(from, from + width);
      const order = [...row.keys()].filter((j) => !Number.isNaN(row[j]!)).sort((a, b) => row[a]! - row[b]!);
      out.fill(NaN, from, from + width);
      order.forEach((j, rank) => (out[from + j] = row[j]! > 0 ? (rank + 1) / order.length : 0));
      continue;
    }
    for (let j = 0; j < width; ++j) out[from + j] = shade(grid.weights[from + j]!, most, scale);
  }
  return out;
}

// Linear: weight / top. Log: three decades below top.
export function shade(weight: number, top: number, scale: "linear" | "log"): number {
  if (Number.isNaN(weight)) return NaN;
  if (!(top > 0) || weight <= 0) return 0;
  const share = weight / top;
  if (scale === "linear") return Math.min(share, 1);
  return Math.min(Math.max(1 + Math.log10(share) / 3, 0), 1);
}

export function percent(weight: number): string {
  if (Number.isNaN(weight)) return "–";
  if (weight !== 0 && Math.abs(weight) < 0.0005) return weight.toExponential(1);
  return weight.toFixed(3);
}
