// SPDX-License-Identifier: Apache-2.0
// Tiles of a map of any length: a pyramid of 256 x 256 cells a tile, level 0 the whole map in one.
// At level z a tile covers extent(z) = 256 * 2^(top - z) tokens a side; at the top level a cell is a
// token. Loaded nearest first, few at a time, kept within a budget; what the overview says at once
// comes before what takes long.
import type { HeadId, Pool } from "../../data/types";
import type { Source } from "../../data/source";
import { paint } from "../../lib/colour";
import { shade } from "../../lib/grid";
import type { InSight } from "./draw";

export const kTile = 256;
const kAtOnce = 4;
const kKept = 600;

export interface TileImage {
  canvas: OffscreenCanvas | HTMLCanvasElement;
  cells: Float32Array;
  rows: number;
  columns: number;
  rough?: boolean; // to be asked for again, exactly
}

interface Place {
  z: number;
  i: number;
  j: number;
  distance: number;
}

export function topLevel(tokens: number): number {
  return Math.max(0, Math.ceil(Math.log2(Math.max(tokens, 1) / kTile)));
}

// Tokens a cell of level 0; whole blocks of the overview, so that it is there at once.
export function cellOfWhole(tokens: number): number {
  return 2 ** topLevel(tokens);
}

export class Tiles {
  private readonly images = new Map<string, TileImage>();
  private readonly wanted = new Map<string, Place>();
  private readonly coarse = new Map<string, Place>(); // rough ones in sight
  private readonly loading = new Map<string, AbortController>();
  readonly top: number;

  constructor(
    private readonly source: Source,
    private readonly trace: string,
    private readonly head: HeadId,
    private readonly rows: number,
    private readonly columns: number,
    private readonly pool: Pool,
    private readonly scale: "linear" | "log",
    private readonly strongest: number,
    private readonly onChange: () => void,
    private readonly onError: (error: unknown) => void,
  ) {
    this.top = topLevel(Math.max(rows, columns));
  }

  extent(z: number): number {
    return kTile * 2 ** (this.top - z);
  }

  // The level at which a cell is about one device pixel, never coarser than that.
  levelOf(pixelsOfToken: number): number {
    const ideal = Math.ceil(this.top + Math.log2(Math.max(pixelsOfToken, 1e-9)));
    return Math.min(Math.max(ideal, 0), this.top);
  }

  // The weight of one cell when its tile is there at full resolution.
  weight(row: number, column: number): number | null {
    const image = this.images.get(`${this.top} ${Math.floor(row / kTile)} ${Math.floor(column / kTile)}`);
    return image ? image.cells[(row % kTile) * image.columns + (column % kTile)]! : null;
  }

  // The strongest cells in sight of the tiles that are there.
  strongestInSight(s: InSight, count: number): { row: number; column: number; size: number; weight: number }[] {
    const out: { row: number; column: number; size: number; weight: number }[] = [];
    const extent = this.extent(s.level);
    const size = extent / kTile;
    for (let i = Math.floor(s.firstRow / extent); i * extent < s.lastRow; ++i)
      for (let j = Math.floor(s.firstColumn / extent); j * extent < s.lastColumn; ++j) {
        const image = this.images.get(`${s.level} ${i} ${j}`);
        image?.cells.forEach((weight, at) => {
          const row = i * extent + Math.floor(at / image.columns) * size;
          const column = j * extent + (at % image.columns) * size;
          const inside = row + size > s.firstRow && row < s.lastRow && column + size > s.firstColumn && column < s.lastColumn;
          if (inside && weight > 0) out.push({ row, column, size, weight });
        });
      }
    return out.sort((a, b) => b.weight - a.weight).slice(0, count);
  }

  get(z: number, i: number, j: number): TileImage | null {
    const key = `${z} ${i} ${j}`;
    const image = this.images.get(key);
    if (image) {
      this.images.delete(key);
      this.images.set(key, image);
    }
    return image ?? null;
  }

  // The tiles that are in sight now; what is no longer wanted is cancelled.
  want(list: Place[]): void {
    const keys = new Set(list.map((t) => `${t.z} ${t.i} ${t.j}`));
    for (const [key, abort] of this.loading) {
      if (keys.has(key)) continue;
      abort.abort();
      this.loading.delete(key);
    }
    this.wanted.clear();
    this.coarse.clear();
    for (const t of list) {
      const key = `${t.z} ${t.i} ${t.j}`;
      if (this.images.get(key)?.rough && !this.loading.has(key)) this.coarse.set(key, t);
      if (!this.images.has(key) && !this.loading.has(key)) this.wanted.set(key, t);
    }
    this.next();
  }

  get busy(): boolean {
    return this.loading.size + this.wanted.size + this.coarse.size > 0;
  }

  close(): void {
    this.wanted.clear();
    this.coarse.clear();
    for (const abort of this.loading.values()) abort.abort();
    this.loading.clear();
  }

  private next(): void {
    while (this.loading.size < kAtOnce && this.wanted.size > 0) {
      const nearest = [...this.wanted].reduce((a, b) => (b[1].distance < a[1].distance ? b : a));
      this.wanted.delete(nearest[0]);
      void this.load(nearest[0], nearest[1], true);
    }
    // One at a time: the server computes such tiles one after the other.
    const [next] = this.coarse;
    if (!next || this.loading.size > 0) return;
    this.coarse.delete(next[0]);
    void this.load(next[0], next[1], false);
  }

  private async load(key: string, t: Place, atOnce: boolean): Promise<void> {
    const abort = new AbortController();
    this.loading.set(key, abort);
    const extent = this.extent(t.z);
    const region = {
      rowBegin: t.i * extent,
      rowEnd: Math.min((t.i + 1) * extent, this.rows),
      columnBegin: t.j * extent,
      columnEnd: Math.min((t.j + 1) * extent, this.columns),
    };
    const cell = extent / kTile;
    try {
      const tile = await this.source.tile(
        this.trace, this.head, region, { height: cell, width: cell }, this.pool, abort.signal, atOnce,
      );
      const shades = Float32Array.from(tile.cells, (x) => shade(x, this.strongest, this.scale));
      const canvas = document.createElement("canvas");
      canvas.width = tile.columns;
      canvas.height = tile.rows;
      canvas.getContext("2d")!.putImageData(paint(shades, tile.columns, tile.rows), 0, 0);
      this.images.set(key, { canvas, ...tile });
      if (tile.rough) this.coarse.set(key, t);
      for (const old of this.images.keys()) {
        if (this.images.size <= kKept) break;
        this.images.delete(old);
      }
      this.onChange();
    } catch (error) {
      if (!abort.signal.aborted) this.onError(error);
    } finally {
      if (this.loading.get(key) === abort) this.loading.delete(key);
      this.next();
    }
  }
}
