// SPDX-License-Identifier: Apache-2.0
// Words x words: hover shows both words and the weight, a click locks them, arrow keys walk the
// cells.
import { useCallback, useEffect, useMemo } from "preact/hooks";

import { headsName } from "../../data/types";
import { kRamp, paint, textOn } from "../../lib/colour";
import { percent, unitOfToken, type Grid } from "../../lib/grid";
import { shownGrid, shownShades, tooLong } from "../../lib/maps";
import { choice, choose, clearHover, hover, shownHeads, trace } from "../../state";
import { Notes, Waiting } from "../../ui/controls";
import { useSize } from "../../ui/layout";
import { CellPlane, type Cell } from "../../ui/plane";
import { DataTable } from "../../ui/table";
import { TooLong } from "../../ui/too_long";

const kNumbered = 1.9; // cells of at least so many rem show their number

export function Heatmap() {
  if (tooLong.value) return <TooLong />;
  const grid = shownGrid.value;
  const tints = shownShades.value;
  if (!grid || !tints || !trace.value) return <Waiting>Reading the weights…</Waiting>;
  return <Drawn grid={grid} tints={tints} />;
}

function Drawn({ grid, tints }: { grid: Grid; tints: Float32Array }) {
  const [box, { width, rem }] = useSize<HTMLDivElement>();
  const rows = grid.rowUnits.length;
  const columns = grid.columnUnits.length;
  const image = useMemo(() => paint(tints, columns, rows), [tints]);
  useEffect(() => clearHover, []);

  const cellOf = (chosen: { row: number | null; column: number | null }): Cell => ({
    row: unitOfToken(grid.rowUnits, chosen.row),
    column: unitOfToken(grid.columnUnits, chosen.column),
  });
  const locked = cellOf(choice.value);
  const hovered = cellOf(hover.value);
  const shown: Cell = {
    row: hovered.row >= 0 ? hovered.row : locked.row,
    column: hovered.column >= 0 ? hovered.column : locked.column,
  };
  const tokens = (c: Cell | null) => ({
    row: c ? (grid.rowUnits[c.row]?.tokens[0] ?? null) : null,
    column: c ? (grid.columnUnits[c.column]?.tokens[0] ?? null) : null,
  });
  const lock = (c: Cell | null) => {
    const same = c !== null && c.row === locked.row && c.column === locked.column;
    choose(tokens(same ? null : c));
  };
  const name = headsName(shownHeads.value);
  const numbers = useCallback(
    (cell: number) => (cell >= kNumbered * rem ? <Numbers grid={grid} tints={tints} cell={cell} /> : null),
    [grid, tints, rem],
  );

  return (
    <section class="heatmap" aria-label="Heatmap">
      <Readout grid={grid} at={shown} />
      <div ref={box} class="scroll">
        <CellPlane
          name={`Heatmap of ${name}`}
          rows={grid.rowUnits}
          columns={grid.columnUnits}
          image={image}
          room={width}
          most={2.5}
          rem={rem}
          shown={shown}
          locked={locked}
          onPoint={(c) => (hover.value = tokens(c))}
          onLock={lock}
          over={numbers}
        />
      </div>
      <Legend />
      <Notes notes={grid.notes} />
      <DataTable
        table={() => ({
          caption: `Weights of ${name}: a row attends to the columns`,
          columns: ["query (attends from) \\ key (attended to)", ...grid.columnUnits.map((unit) => unit.text)],
          rows: grid.rowUnits.map((unit, i) => [unit.text, ...grid.weights.subarray(i * columns, (i + 1) * columns)]),
        })}
      />
    </section>
  );
}

function Readout({ grid, at }: { grid: Grid; at: Cell }) {
  const from = grid.rowUnits[at.row];
  const to = grid.columnUnits[at.column];
  return (
    <p class="readout" role="status">
      {from && to ? (
        <>
          <bdi>{from.text}</bdi> → <bdi>{to.text}</bdi>{" "}
          <b>{percent(grid.weights[at.row * grid.columnUnits.length + at.column]!)}</b>
        </>
      ) : (
        "Point at a cell, or move with the arrow keys; click or Enter locks it."
      )}
    </p>
  );
}

// Weights of a hundredth and more, in their cells.
function Numbers(props: { grid: Grid; tints: Float32Array; cell: number }) {
  const { grid, tints, cell } = props;
  const wide = grid.columnUnits.length;
  const size = `${cell * wide}`;
  return (
    <svg class="numbers" width={size} height={cell * grid.rowUnits.length} aria-hidden="true">
      {[...grid.weights].map((weight, i) =>
        weight >= 0.01 ? (
          <text
            key={i}
            x={((i % wide) + 0.5) * cell}
            y={(Math.floor(i / wide) + 0.5) * cell}
            dy="0.36em"
            style={{ fill: textOn(tints[i]!) }}
          >
            {weight.toFixed(2).replace(/^0/, "")}
          </text>
        ) : null,
      )}
    </svg>
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
