// SPDX-License-Identifier: Apache-2.0
// Draws one frame of the map: tiles of the best level that is there, axes with words, and the small
// map in the corner.
import type { ZoomTransform } from "d3-zoom";

import type { Side } from "../../data/types";
import { elide } from "../../ui/layout";
import type { Tiles } from "./tiles";

export const kMargin = 84; // room for labels above and to the left

export interface Scene {
  canvas: HTMLCanvasElement;
  tiles: Tiles;
  transform: ZoomTransform;
  side: number; // CSS pixels of the plane
  rows: number;
  columns: number;
  query: Side;
  key: Side;
  dark: boolean;
  row: number | null;
  column: number | null;
}

interface InSight {
  firstRow: number;
  lastRow: number;
  firstColumn: number;
  lastColumn: number;
}

// Draws, asks for the tiles in sight, and says in words what is in sight.
export function draw(scene: Scene): string {
  const { canvas, side, transform: t } = scene;
  const ratio = devicePixelRatio;
  const size = Math.round((side + kMargin) * ratio);
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const c = canvas.getContext("2d")!;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  const style = getComputedStyle(canvas);
  c.fillStyle = style.getPropertyValue("--page");
  c.fillRect(0, 0, side + kMargin, side + kMargin);

  const most = Math.max(scene.rows, scene.columns);
  const pixels = (t.k * side) / most; // of one token
  const inSight: InSight = {
    firstRow: Math.max(0, Math.floor(-t.y / pixels)),
    lastRow: Math.min(scene.rows, Math.ceil((side - t.y) / pixels)),
    firstColumn: Math.max(0, Math.floor(-t.x / pixels)),
    lastColumn: Math.min(scene.columns, Math.ceil((side - t.x) / pixels)),
  };

  c.save();
  c.beginPath();
  c.rect(kMargin, kMargin, side, side);
  c.clip();
  c.translate(kMargin + t.x, kMargin + t.y);
  c.imageSmoothingEnabled = false;
  drawTiles(c, scene, pixels, inSight);
  drawLocked(c, scene, pixels, style.getPropertyValue("--accent"));
  c.restore();

  c.fillStyle = style.getPropertyValue("--ink");
  c.font = `11px ${style.fontFamily}`;
  labels(c, scene, "column", t.x, pixels, inSight.firstColumn, inSight.lastColumn);
  labels(c, scene, "row", t.y, pixels, inSight.firstRow, inSight.lastRow);
  smallMap(c, scene, inSight, style.getPropertyValue("--accent"));

  const zoomed = pixels >= 1 ? `${pixels.toFixed(0)} pixels a token` : `${(1 / pixels).toFixed(0)} tokens a pixel`;
  return `Rows (queries) ${inSight.firstRow} to ${inSight.lastRow}, columns (keys) ${inSight.firstColumn} to ${inSight.lastColumn}; ${zoomed}${scene.tiles.busy ? "; sharpening" : ""}.`;
}

function drawTiles(c: CanvasRenderingContext2D, scene: Scene, pixels: number, s: InSight): void {
  const { tiles } = scene;
  // The level at which a cell is about a device pixel, never coarser than that.
  const ideal = Math.ceil(tiles.top + Math.log2(Math.max(pixels * devicePixelRatio, 1e-9)));
  const z = Math.min(Math.max(ideal, 0), tiles.top);
  const centre = { row: (s.firstRow + s.lastRow) / 2, column: (s.firstColumn + s.lastColumn) / 2 };
  const wanted: { z: number; i: number; j: number; distance: number }[] = [];
  for (let level = 0; level <= z; ++level) {
    const extent = tiles.extent(level);
    for (let i = Math.floor(s.firstRow / extent); i * extent < s.lastRow; ++i) {
      for (let j = Math.floor(s.firstColumn / extent); j * extent < s.lastColumn; ++j) {
        const image = tiles.get(level, i, j);
        if (image) {
          const height = Math.min(extent, scene.rows - i * extent);
          const width = Math.min(extent, scene.columns - j * extent);
          c.drawImage(image.canvas, j * extent * pixels, i * extent * pixels, width * pixels, height * pixels);
        }
        // Coarse tiles are asked for only where nothing is there yet: the first picture comes fast.
        if (level === z || level === 0) {
          const distance = Math.hypot((i + 0.5) * extent - centre.row, (j + 0.5) * extent - centre.column);
          wanted.push({ z: level, i, j, distance: level === 0 ? -1 : distance });
        }
      }
    }
  }
  tiles.want(wanted);
}

function drawLocked(c: CanvasRenderingContext2D, scene: Scene, pixels: number, accent: string): void {
  c.strokeStyle = accent;
  c.lineWidth = 1.5;
  const size = Math.max(pixels, 3);
  const far = Math.max(scene.rows, scene.columns) * pixels;
  if (scene.row !== null) c.strokeRect(0, scene.row * pixels - (size - pixels) / 2, far, size);
  if (scene.column !== null) c.strokeRect(scene.column * pixels - (size - pixels) / 2, 0, size, far);
}

function labels(
  c: CanvasRenderingContext2D, scene: Scene, axis: "row" | "column", offset: number, pixels: number,
  first: number, last: number,
): void {
  const { tokens } = axis === "row" ? scene.query : scene.key;
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(15 / pixels)));
  const start = Math.ceil(first / every) * every;
  for (let i = start; i < last; i += every) {
    const at = kMargin + offset + (i + 0.5) * pixels;
    if (at < kMargin || at > kMargin + scene.side) continue;
    const word = elide(tokens[i]!.text.replace(/[▁Ġ]/gu, ""), 9);
    const text = every > 1 ? `${word} ${i}` : word;
    c.save();
    if (axis === "row") {
      c.textAlign = "right";
      c.fillText(text, kMargin - 5, at + 4, kMargin - 8);
    } else {
      c.translate(at, kMargin - 5);
      c.rotate(-Math.PI / 3);
      c.fillText(text, 0, 4, kMargin);
    }
    c.restore();
  }
  c.save();
  c.globalAlpha = 0.75;
  if (axis === "row") {
    c.translate(10, kMargin + scene.side / 2);
    c.rotate(-Math.PI / 2);
    c.textAlign = "center";
    c.fillText("query (attends from)", 0, 0);
  } else {
    c.textAlign = "center";
    c.fillText("key (attended to)", kMargin + scene.side / 2, 12);
  }
  c.restore();
}

function smallMap(c: CanvasRenderingContext2D, scene: Scene, s: InSight, accent: string): void {
  if (scene.transform.k <= 1.01) return;
  const size = Math.min(120, scene.side / 4);
  const x = kMargin + scene.side - size - 8;
  const y = kMargin + 8;
  const image = scene.tiles.get(0, 0, 0);
  const most = Math.max(scene.rows, scene.columns);
  const scale = size / most;
  c.save();
  c.globalAlpha = 0.94;
  c.fillStyle = "#fff";
  c.fillRect(x - 1, y - 1, size + 2, size + 2);
  if (image) c.drawImage(image.canvas, x, y, scene.columns * scale, scene.rows * scale);
  c.strokeStyle = accent;
  c.lineWidth = 2;
  c.strokeRect(
    x + s.firstColumn * scale, y + s.firstRow * scale,
    Math.max(4, (s.lastColumn - s.firstColumn) * scale), Math.max(4, (s.lastRow - s.firstRow) * scale),
  );
  c.restore();
}
