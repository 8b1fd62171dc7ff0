// SPDX-License-Identifier: Apache-2.0
// Pools a region of a map to a tile, as regard/attention/attention_map.h says: cell (i, j) pools
// rows [i h, (i + 1) h) and columns [j w, (j + 1) w), h and w given, or the extent over the number of
// cells rounded down (at least 1); the last cell ends with the region; mean divides by the block's
// cells.
import type { Cells, Pool, Region, Tile } from "./types";

export function pooled(
  region: Region,
  cells: Cells,
  pool: Pool,
  read: (row: number, columnBegin: number, out: Float64Array) => void,
): Tile {
  const height = region.rowEnd - region.rowBegin;
  const width = region.columnEnd - region.columnBegin;
  const along = (extent: number, given: number | null): [count: number, size: number] => {
    if (given !== null) return [Math.ceil(extent / given), given];
    const count = Math.min(cells as number, extent);
    return [count, Math.max(1, Math.floor(extent / Math.max(count, 1)))];
  };
  const [rows, h] = along(height, typeof cells === "number" ? null : cells.height);
  const [columns, w] = along(width, typeof cells === "number" ? null : cells.width);
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
