// SPDX-License-Identifier: Apache-2.0
// Pools a region of a map to a tile, as regard/attention/attention_map.h says: cell (i, j) pools
// rows [i h, (i + 1) h) and columns [j w, (j + 1) w), h and w the extent over the size rounded down
// (at least 1), the last cell the remainder; mean divides by the block's cells.
import type { Pool, Region, Tile } from "./types";

export function pooled(
  region: Region,
  size: number,
  pool: Pool,
  read: (row: number, columnBegin: number, out: Float64Array) => void,
): Tile {
  const height = region.rowEnd - region.rowBegin;
  const width = region.columnEnd - region.columnBegin;
  const rows = Math.min(size, height);
  const columns = Math.min(size, width);
  const h = Math.max(1, Math.floor(height / Math.max(rows, 1)));
  const w = Math.max(1, Math.floor(width / Math.max(columns, 1)));
  const sums = new Float64Array(rows * columns);
  const row = new Float64Array(width);
  for (let r = 0; r < height; ++r) {
    const from = Math.min(Math.floor(r / h), rows - 1) * columns;
    read(region.rowBegin + r, region.columnBegin, row);
    for (let c = 0; c < width; ++c) {
      const at = from + Math.min(Math.floor(c / w), columns - 1);
      sums[at] = pool === "max" ? Math.max(sums[at]!, row[c]!) : sums[at]! + row[c]!;
    }
  }
  if (pool === "mean") {
    for (let i = 0; i < rows; ++i) {
      const tall = i === rows - 1 ? height - i * h : h;
      for (let j = 0; j < columns; ++j) {
        const wide = j === columns - 1 ? width - j * w : w;
        sums[i * columns + j] = sums[i * columns + j]! / (tall * wide);
      }
    }
  }
  return { rows, columns, cells: Float32Array.from(sums) };
}
