// SPDX-License-Identifier: Apache-2.0
// Words x words: one canvas of cells under a grid of labels. Hover shows both words and the weight,
// a click locks them, arrow keys walk the cells.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { headName } from "../../data/types";
import { kRamp, paint } from "../../lib/colour";
import { percent, type Grid } from "../../lib/grid";
import { shownGrid, shownShades, tooLong } from "../../lib/maps";
import { choice, choose, hover, trace } from "../../state";
import { DataTable, Notes, Waiting } from "../../ui/controls";
import { elide, useSize } from "../../ui/layout";
import { TooLong } from "../../ui/too_long";

const kLabel = 96; // room for labels, in CSS pixels
const kSmallestLabelled = 9; // cells below this size show labels only for some words

interface Cell {
  row: number;
  column: number;
}

// Index in the shown grid of the unit that holds a token.
function indexOf(grid: Grid, token: number | null, axis: "row" | "column"): number {
  if (token === null) return -1;
  const units = axis === "row" ? grid.rowUnits : grid.columnUnits;
  return units.findIndex((unit) => unit.tokens.includes(token));
}

export function Heatmap() {
  if (tooLong.value) return <TooLong />;
  const grid = shownGrid.value;
  const tints = shownShades.value;
  if (!grid || !tints || !trace.value) return <Waiting>Reading the weights…</Waiting>;
  return <Drawn grid={grid} tints={tints} />;
}

function Drawn({ grid, tints }: { grid: Grid; tints: Float32Array }) {
  const [box, width] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const plane = useRef<HTMLDivElement>(null);
  const [focus, setFocus] = useState<Cell | null>(null);
  const rows = grid.rowUnits.length;
  const columns = grid.columnUnits.length;
  const cell = Math.max(2, Math.min(40, Math.floor((width - kLabel - 52) / Math.max(columns, 1))));

  useLayoutEffect(() => {
    const target = canvas.current;
    if (!target) return;
    target.width = Math.max(columns, 1);
    target.height = Math.max(rows, 1);
    target.getContext("2d")?.putImageData(paint(tints, columns, rows), 0, 0);
  }, [tints, rows, columns]);

  const locked: Cell = {
    row: indexOf(grid, choice.value.row, "row"),
    column: indexOf(grid, choice.value.column, "column"),
  };
  const hovered: Cell = {
    row: indexOf(grid, hover.value.row, "row"),
    column: indexOf(grid, hover.value.column, "column"),
  };
  const shown: Cell = {
    row: hovered.row >= 0 ? hovered.row : locked.row,
    column: hovered.column >= 0 ? hovered.column : locked.column,
  };

  const at = (event: MouseEvent): Cell | null => {
    const place = plane.current?.getBoundingClientRect();
    if (!place) return null;
    const row = Math.floor((event.clientY - place.top) / cell);
    const column = Math.floor((event.clientX - place.left) / cell);
    return row >= 0 && row < rows && column >= 0 && column < columns ? { row, column } : null;
  };
  const tokens = (c: Cell | null) => ({
    row: c ? (grid.rowUnits[c.row]?.tokens[0] ?? null) : null,
    column: c ? (grid.columnUnits[c.column]?.tokens[0] ?? null) : null,
  });
  const lock = (c: Cell | null) => {
    if (!c) return;
    const same = c.row === locked.row && c.column === locked.column;
    choose(same ? { row: null, column: null } : tokens(c));
  };
  const onKey = (event: KeyboardEvent) => {
    const from = focus ?? { row: Math.max(locked.row, 0), column: Math.max(locked.column, 0) };
    const move = (row: number, column: number) => {
      const next = {
        row: Math.min(Math.max(row, 0), rows - 1),
        column: Math.min(Math.max(column, 0), columns - 1),
      };
      setFocus(next);
      hover.value = tokens(next);
      event.preventDefault();
    };
    if (event.key === "ArrowDown") move(from.row + 1, from.column);
    else if (event.key === "ArrowUp") move(from.row - 1, from.column);
    else if (event.key === "ArrowRight") move(from.row, from.column + 1);
    else if (event.key === "ArrowLeft") move(from.row, from.column - 1);
    else if (event.key === "Home") move(from.row, 0);
    else if (event.key === "End") move(from.row, columns - 1);
    else if (event.key === "Enter" || event.key === " ") {
      lock(from);
      event.preventDefault();
    } else if (event.key === "Escape") {
      setFocus(null);
      hover.value = { row: null, column: null };
      choose({ row: null, column: null });
    }
  };
  useEffect(() => () => void (hover.value = { row: null, column: null }), []);

  const said = (c: Cell) => {
    if (c.row < 0 || c.column < 0) return "";
    const weight = grid.weights[c.row * columns + c.column]!;
    return `${grid.rowUnits[c.row]!.text} → ${grid.columnUnits[c.column]!.text}: ${percent(weight)}`;
  };
  const every = Math.max(1, Math.ceil(kSmallestLabelled / cell));
  const font = Math.min(14, Math.max(9, cell - 2));
  const name = choice.value.head ? headName(choice.value.head) : "";
  const labelled = (i: number, a: number, b: number) => i % every === 0 || i === a || i === b;

  return (
    <section class="heatmap" aria-label="Heatmap">
      <p class="readout" role="status" aria-live="polite">
        {said(shown) || "Point at a cell, or move with the arrow keys; click or Enter locks it."}
      </p>
      <div ref={box} class="scroll">
        <div
          class="heatmap-frame"
          style={{
            gridTemplateColumns: `${kLabel}px ${cell * columns}px`,
            gridTemplateRows: `auto ${kLabel}px ${cell * rows}px`,
          }}
        >
          <div class="axis-title columns-title">key (attended to)</div>
          <div class="axis-title rows-title">query (attends from)</div>
          <svg class="labels" width={cell * columns} height={kLabel} aria-hidden="true">
            {grid.columnUnits.map((unit, j) =>
              labelled(j, shown.column, locked.column) ? (
                <text
                  key={j}
                  class={j === shown.column ? "on" : unit.special ? "special" : ""}
                  font-size={font}
                  transform={`translate(${(j + 0.5) * cell + font / 3} ${kLabel - 4}) rotate(-60)`}
                >
                  {elide(unit.text, 14)}
                </text>
              ) : null,
            )}
          </svg>
          <svg class="labels rows" width={kLabel} height={cell * rows} aria-hidden="true">
            {grid.rowUnits.map((unit, i) =>
              labelled(i, shown.row, locked.row) ? (
                <text
                  key={i}
                  class={i === shown.row ? "on" : unit.special ? "special" : ""}
                  font-size={font}
                  text-anchor="end"
                  x={kLabel - 6}
                  y={(i + 0.5) * cell + font / 3}
                >
                  {elide(unit.text, 14)}
                </text>
              ) : null,
            )}
          </svg>
          <div
            ref={plane}
            class="plane"
            role="application"
            tabIndex={0}
            aria-label={`Heatmap of ${name}: ${rows} by ${columns}. Arrow keys move, Enter locks, Escape clears.`}
            onKeyDown={onKey}
            onMouseMove={(event) => (hover.value = tokens(at(event)))}
            onMouseLeave={() => (hover.value = { row: null, column: null })}
            onClick={(event) => lock(at(event))}
          >
            <canvas ref={canvas} style={{ width: `${cell * columns}px`, height: `${cell * rows}px` }} />
            {shown.row >= 0 && (
              <div class="band" style={{ top: shown.row * cell, left: 0, height: cell, width: cell * columns }} />
            )}
            {shown.column >= 0 && (
              <div class="band" style={{ left: shown.column * cell, top: 0, width: cell, height: cell * rows }} />
            )}
            {locked.row >= 0 && locked.column >= 0 && (
              <div
                class="locked"
                style={{ left: locked.column * cell, top: locked.row * cell, width: cell, height: cell }}
              />
            )}
          </div>
        </div>
      </div>
      <Legend />
      <Notes notes={grid.notes} />
      <DataTable
        caption={`Weights of ${name}: a row attends to the columns`}
        columns={grid.columnUnits.map((unit) => unit.text)}
        rows={grid.rowUnits.map((unit, i) => ({
          name: unit.text,
          cells: [...grid.weights.subarray(i * columns, (i + 1) * columns)].map(percent),
        }))}
      />
    </section>
  );
}

function Legend() {
  const { scale, top } = choice.value;
  const stops = [0, 64, 128, 192, 255]
    .map((i) => `rgb(${kRamp[3 * i]} ${kRamp[3 * i + 1]} ${kRamp[3 * i + 2]})`)
    .join(", ");
  const of = top === "row" ? "its row's largest" : "the map's largest";
  const ends =
    scale === "rank"
      ? ["smallest of its row", "largest of its row"]
      : scale === "log"
        ? [`a thousandth of ${of} or less`, of]
        : ["0", of];
  return (
    <div class="legend">
      <span>{ends[0]}</span>
      <span class="ramp" style={{ background: `linear-gradient(to right, ${stops})` }} />
      <span>{ends[1]}</span>
      <span class="muted">darker = stronger ({scale} scale)</span>
    </div>
  );
}
