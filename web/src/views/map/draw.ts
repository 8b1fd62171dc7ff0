// SPDX-License-Identifier: Apache-2.0
// Draws one frame of the map: tiles of the best level that is there, axes with words, and the small
// map in the corner.
import type { ZoomTransform } from "d3-zoom";

import type { Side } from "../../data/types";
import { elide } from "../../ui/layout";
import { kTile, type TileImage, type Tiles } from "./tiles";

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
  colours: { page: string; ink: string; accent: string; font: string };
  row: number | null;
  column: number | null;
}

export interface InSight {
  firstRow: number;
  lastRow: number;
  firstColumn: number;
  lastColumn: number;
  pixels: number; // CSS pixels of one token
  level: number; // of the tiles wanted
  sharpening: boolean;
}

// Draws, asks for the tiles in sight, and returns what is in sight.
export function draw(scene: Scene): InSight {
  const { canvas, side, transform: t } = scene;
  const ratio = devicePixelRatio;
  const size = Math.round((side + kMargin) * ratio);
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const c = canvas.getContext("2d")!;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { page, ink, accent, font } = scene.colours;
  c.fillStyle = page;
  c.fillRect(0, 0, side + kMargin, side + kMargin);

  const most = Math.max(scene.rows, scene.columns);
  const pixels = (t.k * side) / most; // of one token
  const inSight: InSight = {
    firstRow: Math.max(0, Math.floor(-t.y / pixels)),
    lastRow: Math.min(scene.rows, Math.ceil((side - t.y) / pixels)),
    firstColumn: Math.max(0, Math.floor(-t.x / pixels)),
    lastColumn: Math.min(scene.columns, Math.ceil((side - t.x) / pixels)),
    pixels,
    level: scene.tiles.levelOf(pixels * ratio),
    sharpening: false,
  };

  c.save();
  c.beginPath();
  c.rect(kMargin, kMargin, side, side);
  c.clip();
  c.translate(kMargin + t.x, kMargin + t.y);
  c.imageSmoothingEnabled = false;
  drawTiles(c, scene, pixels, inSight);
  drawLocked(c, scene, pixels, accent);
  c.restore();

  c.fillStyle = ink;
  c.font = `11px ${font}`;
  labels(c, scene, "column", t.x, pixels, inSight.firstColumn, inSight.lastColumn);
  labels(c, scene, "row", t.y, pixels, inSight.firstRow, inSight.lastRow);
  smallMap(c, scene, inSight, accent);
  return { ...inSight, sharpening: scene.tiles.busy };
}

function drawTiles(c: CanvasRenderingContext2D, scene: Scene, pixels: number, s: InSight): void {
  const { tiles } = scene;
  const z = s.level;
  const centre = { row: (s.firstRow + s.lastRow) / 2, column: (s.firstColumn + s.lastColumn) / 2 };
  const wanted: { z: number; i: number; j: number; distance: number }[] = [];
  for (let level = 0; level <= z; ++level) {
    const extent = tiles.extent(level);
    for (let i = Math.floor(s.firstRow / extent); i * extent < s.lastRow; ++i) {
      for (let j = Math.floor(s.firstColumn / extent); j * extent < s.lastColumn; ++j) {
        const image = tiles.get(level, i, j);
        if (image) {
          drawTile(c, image, j * extent * pixels, i * extent * pixels, {
            cell: (extent / kTile) * pixels,
            height: Math.min(extent, scene.rows - i * extent) * pixels,
            width: Math.min(extent, scene.columns - j * extent) * pixels,
          });
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

// The last cells of a tile end with the map: they are drawn no further.
function drawTile(
  c: CanvasRenderingContext2D, image: TileImage, x: number, y: number,
  size: { cell: number; height: number; width: number },
): void {
  const { canvas, rows, columns } = image;
  const height = rows * size.cell;
  const width = columns * size.cell;
  if (height <= size.height && width <= size.width) return c.drawImage(canvas, x, y, width, height);
  c.save();
  c.beginPath();
  c.rect(x, y, size.width, size.height);
  c.clip();
  c.drawImage(canvas, x, y, width, height);
  c.restore();
}

function drawLocked(c: CanvasRenderingContext2D, scene: Scene, pixels: number, accent: string): void {
  c.strokeStyle = accent;
  c.lineWidth = 1.5;
  const size = Math.max(pixels, 3);
  const far = Math.max(scene.rows, scene.columns) * pixels;
  if (scene.row !== null) c.strokeRect(0, scene.row * pixels - (size - pixels) / 2, far, size);
  if (scene.column !== null) c.strokeRect(scene.column * pixels - (size - pixels) / 2, 0, size, far);
}

const known = new Map<string, string>();
function labelOf(text: string): string {
  let label = known.get(text);
  if (label === undefined) {
    label = elide(text.replace(/[▁Ġ]/gu, ""), 9);
    if (known.size < 50_000) known.set(text, label);
  }
  return label;
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
    const word = labelOf(tokens[i]!.text);
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

// Where the small map is, in CSS pixels of the plane; null when the whole map is in sight anyway.
function smallMapPlace(scene: Scene): { x: number; y: number; scale: number } | null {
  if (scene.transform.k <= 1.01) return null;
  const size = Math.min(132, scene.side / 4);
  return { x: scene.side - size - 8, y: 8, scale: size / Math.max(scene.rows, scene.columns) };
}

// The cell of the small map at a place of the plane.
export function smallMapAt(scene: Scene, x: number, y: number): { row: number; column: number } | null {
  const place = smallMapPlace(scene);
  if (!place) return null;
  const row = Math.floor((y - place.y) / place.scale);
  const column = Math.floor((x - place.x) / place.scale);
  return row >= 0 && row < scene.rows && column >= 0 && column < scene.columns ? { row, column } : null;
}

function smallMap(c: CanvasRenderingContext2D, scene: Scene, s: InSight, accent: string): void {
  const place = smallMapPlace(scene);
  if (!place) return;
  const { scale } = place;
  const x = kMargin + place.x;
  const y = kMargin + place.y;
  const image = scene.tiles.get(0, 0, 0);
  c.save();
  c.fillStyle = scene.colours.page;
  c.fillRect(x - 4, y - 4, scene.columns * scale + 8, scene.rows * scale + 8);
  const size = { cell: (scene.tiles.extent(0) / kTile) * scale, height: scene.rows * scale, width: scene.columns * scale };
  if (image) drawTile(c, image, x, y, size);
  c.strokeStyle = accent;
  c.lineWidth = 1;
  c.strokeRect(x - 0.5, y - 0.5, scene.columns * scale + 1, scene.rows * scale + 1);
  c.lineWidth = 2;
  const width = Math.max(5, (s.lastColumn - s.firstColumn) * scale);
  const height = Math.max(5, (s.lastRow - s.firstRow) * scale);
  const centre = (first: number, last: number, size: number) => ((first + last) / 2) * scale - size / 2;
  c.strokeRect(x + centre(s.firstColumn, s.lastColumn, width), y + centre(s.firstRow, s.lastRow, height), width, height);
  c.restore();
}
