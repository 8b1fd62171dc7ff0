// SPDX-License-Identifier: Apache-2.0
// Cells under two axes of words: hover, click, arrow keys. What is pointed at is drawn over the
// cells, so that moving the pointer costs the same for ten words and for a thousand.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { elide } from "./layout";

export interface Cell {
  row: number;
  column: number;
}
export const kNoCell: Cell = { row: -1, column: -1 };

export interface AxisName {
  text: string;
  special: boolean;
}

const kReadable = 10; // CSS pixels between labels
const kSlant = 44; // CSS pixels for the slanted labels of the last columns
const kNarrow = 480; // CSS pixels: less room for labels

interface Props {
  name: string; // for screen readers
  rows: AxisName[];
  columns: AxisName[];
  image: ImageData; // [rows, columns]
  room: number; // for labels and cells, CSS pixels
  most: number; // width of a cell at most, rem
  rem: number; // the page's font size
  shown: Cell; // pointed at or locked; -1: none
  locked: Cell;
  onPoint: (cell: Cell | null) => void;
  onLock: (cell: Cell | null) => void;
  over?: (cell: number) => ComponentChildren; // drawn over cells of so many CSS pixels
}

export function CellPlane(props: Props) {
  const { shown, locked } = props;
  const rows = props.rows.length;
  const columns = props.columns.length;
  const label = (props.room < kNarrow ? 4.25 : 5.5) * props.rem;
  const cell = Math.max(2, Math.min(props.most * props.rem, Math.floor((props.room - label - kSlant) / Math.max(columns, 1))));
  const canvas = useRef<HTMLCanvasElement>(null);
  const plane = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const target = canvas.current!;
    target.width = Math.max(columns, 1);
    target.height = Math.max(rows, 1);
    target.getContext("2d")?.putImageData(props.image, 0, 0);
  }, [props.image, rows, columns]);

  const at = (event: MouseEvent): Cell | null => {
    const place = plane.current!.getBoundingClientRect();
    const row = Math.floor((event.clientY - place.top) / cell);
    const column = Math.floor((event.clientX - place.left) / cell);
    return row >= 0 && row < rows && column >= 0 && column < columns ? { row, column } : null;
  };
  const onKey = (event: KeyboardEvent) => {
    const from = { row: Math.max(shown.row, 0), column: Math.max(shown.column, 0) };
    const started = shown.row >= 0 && shown.column >= 0;
    const step = started ? 1 : 0; // the first arrow shows where one is
    const moves: Record<string, [number, number]> = {
      ArrowDown: [step, 0],
      ArrowUp: [-step, 0],
      ArrowRight: [0, step],
      ArrowLeft: [0, -step],
      Home: [0, -columns],
      End: [0, columns],
      PageUp: [-rows, 0],
      PageDown: [rows, 0],
    };
    const move = moves[event.key];
    if (move) {
      props.onPoint({
        row: Math.min(Math.max(from.row + move[0], 0), rows - 1),
        column: Math.min(Math.max(from.column + move[1], 0), columns - 1),
      });
    } else if (event.key === "Enter" || event.key === " ") {
      if (started) props.onLock(from);
    } else if (event.key === "Escape") {
      props.onPoint(null);
      props.onLock(null);
    } else {
      return;
    }
    event.preventDefault();
  };

  const font = Math.min(0.875 * props.rem, Math.max(9.5, cell - 2));
  const every = Math.max(1, Math.ceil(kReadable / cell));
  const most = Math.floor((label - 8) / (font * 0.56));
  const columnAt = (j: number) => `translate(${(j + 0.5) * cell + font / 3} ${label - 5}) rotate(-58)`;
  const rowAt = (i: number) => (i + 0.5) * cell + font * 0.34;
  const columnLabel = (j: number, kind: string) => (
    <text key={j} class={kind} font-size={font} transform={columnAt(j)}>
      {elide(props.columns[j]!.text, most)}
    </text>
  );
  const rowLabel = (i: number, kind: string) => (
    <text key={i} class={kind} font-size={font} text-anchor="end" x={label - 7} y={rowAt(i)}>
      {elide(props.rows[i]!.text, most)}
    </text>
  );
  const labels = (names: AxisName[], draw: typeof rowLabel) =>
    names.map((name, i) => (i % every === 0 ? draw(i, name.special ? "special" : "") : null));
  const columnLabels = useMemo(() => labels(props.columns, columnLabel), [props.columns, cell, label, props.rem]);
  const rowLabels = useMemo(() => labels(props.rows, rowLabel), [props.rows, cell, label, props.rem]);
  const over = useMemo(() => props.over?.(cell), [props.over, cell]);
  const box = (c: Cell) => ({ left: c.column * cell, top: c.row * cell, width: cell, height: cell });

  return (
    <div
      class="plane-frame"
      style={{
        gridTemplateColumns: `${label}px ${cell * columns}px`,
        gridTemplateRows: `auto ${label}px ${cell * rows}px`,
        paddingRight: `${kSlant}px`,
      }}
    >
      <div class="axis-title columns-title">key (attended to)</div>
      <div class="axis-title rows-title">query (attends from)</div>
      <svg class="labels" width={cell * columns} height={label} aria-hidden="true">
        {columnLabels}
        {shown.column >= 0 && columnLabel(shown.column, "on")}
      </svg>
      <svg class="labels rows" width={label} height={cell * rows} aria-hidden="true">
        {rowLabels}
        {shown.row >= 0 && rowLabel(shown.row, "on")}
      </svg>
      <div
        ref={plane}
        class="plane"
        role="application"
        tabIndex={0}
        aria-label={`${props.name}: ${rows} by ${columns}. Arrow keys move, Enter locks, Escape clears.`}
        onKeyDown={onKey}
        onMouseMove={(event) => props.onPoint(at(event))}
        onMouseLeave={() => props.onPoint(null)}
        onClick={(event) => props.onLock(at(event))}
      >
        <canvas ref={canvas} style={{ width: `${cell * columns}px`, height: `${cell * rows}px` }} />
        {over}
        {shown.row >= 0 && (
          <div class="band" style={{ top: shown.row * cell, left: 0, height: cell, width: cell * columns }} />
        )}
        {shown.column >= 0 && (
          <div class="band" style={{ left: shown.column * cell, top: 0, width: cell, height: cell * rows }} />
        )}
        {locked.row >= 0 && locked.column >= 0 && <div class="locked" style={box(locked)} />}
      </div>
    </div>
  );
}

// A plane under its title, as one of several; `children` stand below it.
export function Plate({ children, ...plane }: Props & { children?: ComponentChildren }) {
  return (
    <figure class="plate">
      <figcaption>{plane.name}</figcaption>
      <CellPlane {...plane} />
      {children}
    </figure>
  );
}
