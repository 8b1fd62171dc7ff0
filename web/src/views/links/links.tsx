// SPDX-License-Identifier: Apache-2.0
// Two columns of words joined by lines whose strength is the weight; any number of heads, each with
// its colour. Hover isolates a word, a click locks it.
import { useEffect, useMemo } from "preact/hooks";

import { headName, headsName, sameHead, type HeadId, type Unit } from "../../data/types";
import { headColour } from "../../lib/colour";
import { unitOfToken, type Grid } from "../../lib/grid";
import { gridOf, shownGrid, tooLong } from "../../lib/maps";
import { choice, choose, chooseMean, clearHover, dark, hover, layer, trace } from "../../state";
import { Notes, Waiting } from "../../ui/controls";
import { elide, useSize } from "../../ui/layout";
import { DataTable } from "../../ui/table";
import { TooLong } from "../../ui/too_long";

const kFaintest = 0.02; // lines below this share of the strongest are left out
const kMostLines = 4000; // drawn at once

interface Shown {
  head: HeadId | null; // null: a mean
  name: string;
  colour: string;
  grid: Grid;
}
interface Line {
  colour: string;
  row: number;
  column: number;
  share: number; // of the strongest weight shown
}

export function Links() {
  const solo = choice.value.alone;
  if (tooLong.value) return <TooLong />;
  const { heads, mean } = choice.value;
  const all =
    mean.length > 0
      ? [{ head: null, name: headsName(mean), colour: headColour(0, dark.value), grid: shownGrid.value }]
      : heads.map((head, i) => ({
          head,
          name: headName(head),
          colour: headColour(i, dark.value),
          grid: gridOf(head),
        }));
  const ready = all.filter((one): one is Shown => one.grid !== null);
  if (!trace.value || !ready[0]) return <Waiting>Reading the weights…</Waiting>;
  const soloed = solo ? ready.filter((one) => one.head && sameHead(one.head, solo)) : [];
  const shown = soloed.length > 0 ? soloed : ready;
  return (
    <section class="links" aria-label="Links">
      <HeadChips solo={soloed.length > 0 ? solo : null} onSolo={(alone) => choose({ alone })} />
      <Drawing shown={shown} />
      <Notes notes={ready[0].grid.notes} />
      <DataTable
        table={() => ({
          caption: "The links of the heads shown, strongest first",
          columns: ["query (attends from)", "key (attended to)", "weight", "head"],
          rows: linesOf(shown, 0).map((l) => [
            shown[0]!.grid.rowUnits[l.row]!.text,
            shown[0]!.grid.columnUnits[l.column]!.text,
            l.share * strongestOf(shown),
            shown.find((one) => one.colour === l.colour)!.name,
          ]),
        })}
      />
    </section>
  );
}

function strongestOf(shown: Shown[]): number {
  return Math.max(...shown.map((one) => one.grid.weights.reduce((a, b) => (b > a ? b : a), 0)), 1e-9);
}

// Lines of at least a share of the strongest, strongest first.
function linesOf(shown: Shown[], faintest: number): Line[] {
  const strongest = strongestOf(shown);
  const lines: Line[] = [];
  for (const { colour, grid } of shown) {
    const wide = grid.columnUnits.length;
    grid.weights.forEach((weight, at) => {
      const share = weight / strongest;
      if (share > faintest) lines.push({ colour, row: Math.floor(at / wide), column: at % wide, share });
    });
  }
  return lines.sort((a, b) => b.share - a.share);
}

// One button a head of the layer: click shows or hides it, with Shift (or a double click) it is
// shown alone.
function HeadChips(props: { solo: HeadId | null; onSolo: (head: HeadId | null) => void }) {
  const at = layer.value;
  const { mean } = choice.value;
  const chosen = mean.length > 0 ? [] : choice.value.heads;
  const ofMakers = trace.value?.choice.mean;
  if (!at) return null;
  const here = at.heads.map((head) => ({ kind: at.kind, layer: at.layer, head }));
  const elsewhere = chosen.filter((h) => !here.some((other) => sameHead(h, other)));
  const toggle = (head: HeadId, to: boolean) => {
    if (!to && chosen.length === 1) return;
    const heads = to ? [...chosen.filter((h) => !sameHead(h, head)), head] : chosen.filter((h) => !sameHead(h, head));
    choose({ heads, head: heads[0]! });
  };
  const alone = (head: HeadId) => {
    if (!chosen.some((h) => sameHead(h, head))) {
      const heads = [...chosen, head];
      return choose({ heads, head: heads[0]!, alone: head });
    }
    props.onSolo(props.solo && sameHead(head, props.solo) ? null : head);
  };
  return (
    <div class="chips" role="group" aria-label="Heads: click shows or hides, Shift and click shows one alone">
      {ofMakers && (
        <button
          type="button"
          class="chip"
          aria-pressed={mean.length > 0}
          style={mean.length > 0 ? { "--chip": headColour(0, dark.value) } : {}}
          onClick={() => chooseMean(ofMakers)}
        >
          {headsName(ofMakers)}
        </button>
      )}
      {[...here, ...elsewhere].map((head) => {
        const index = chosen.findIndex((h) => sameHead(h, head));
        const solo = props.solo !== null && sameHead(head, props.solo);
        return (
          <button
            key={headName(head)}
            type="button"
            class={solo ? "chip alone" : "chip"}
            aria-pressed={index >= 0}
            style={index >= 0 ? { "--chip": headColour(index, dark.value) } : {}}
            onClick={(event) => {
              if (event.shiftKey) alone(head);
              else if (event.detail !== 2) toggle(head, index < 0);
            }}
            onDblClick={(event) => !event.shiftKey && alone(head)}
          >
            {headName(head)}
            {solo && <small> alone</small>}
          </button>
        );
      })}
      <button
        type="button"
        onClick={() => {
          const head = choice.value.head!;
          choose({ head, heads: [head, ...here.filter((h) => !sameHead(h, head))] });
        }}
      >
        All of the layer
      </button>
      <button
        type="button"
        onClick={() => {
          choose({ head: choice.value.head!, heads: [choice.value.head!], alone: null });
        }}
      >
        One
      </button>
    </div>
  );
}

function Drawing({ shown }: { shown: Shown[] }) {
  const [box, { width, rem }] = useSize<HTMLDivElement>();
  const rowHeight = 1.5 * rem;
  useEffect(() => clearHover, []);
  const { rowUnits: rows, columnUnits: columns } = shown[0]!.grid;
  const height = Math.max(rows.length, columns.length) * rowHeight;
  const side = Math.min(12.5 * rem, Math.max(5.25 * rem, width * 0.26));
  const key = shown.map((one) => `${one.name} ${one.colour}`).join();
  const lines = useMemo(() => linesOf(shown, kFaintest), [key, ...shown.map((one) => one.grid)]);

  const pointed = hover.value.row !== null || hover.value.column !== null;
  const row = unitOfToken(rows, pointed ? hover.value.row : choice.value.row);
  const column = unitOfToken(columns, pointed ? hover.value.column : choice.value.row === null ? choice.value.column : null);
  const isolated = row >= 0 || column >= 0;
  const own = isolated ? lines.filter((l) => (row < 0 || l.row === row) && (column < 0 || l.column === column)) : [];

  const middle = (i: number) => (i + 0.5) * rowHeight;
  const colours = shown.map((one) => one.colour);
  const path = ({ colour, row: i, column: j, share }: Line) => {
    const from = side + 6;
    const to = width - side - 6;
    const bend = (to - from) * 0.4;
    // Lines of several heads lie side by side.
    const aside = (colours.indexOf(colour) - (colours.length - 1) / 2) * Math.min(2.5, rowHeight / 2 / colours.length);
    const [y1, y2] = [middle(i) + aside, middle(j) + aside];
    return (
      <path
        key={`${colour} ${i} ${j}`}
        d={`M${from} ${y1}C${from + bend} ${y1} ${to - bend} ${y2} ${to} ${y2}`}
        stroke={colour}
        stroke-width={1 + 2 * share}
        stroke-opacity={share}
      />
    );
  };
  const every = useMemo(() => lines.slice(0, kMostLines).reverse().map(path), [lines, width, rem]);
  // How much each word on the other side gets, a bar a head.
  const bars = own.map((l) => {
    const at = colours.indexOf(l.colour);
    const wide = Math.max(2, Math.min(7, 40 / shown.length));
    const [x, i] = row >= 0 ? [width - side - 2 + at * wide, l.column] : [side - 2 - (at + 1) * wide, l.row];
    return (
      <rect
        key={`${l.colour} ${i}`}
        x={x}
        y={middle(i) + 8 - 16 * l.share}
        width={wide - 1}
        height={16 * l.share}
        fill={l.colour}
      />
    );
  });
  const words = useMemo(
    () => (
      <>
        <div class="words left">{rows.map((unit, i) => <Word key={i} unit={unit} top={i * rowHeight} axis="row" width={side} height={rowHeight} />)}</div>
        <div class="words right">
          {columns.map((unit, i) => <Word key={i} unit={unit} top={i * rowHeight} axis="column" width={side} height={rowHeight} />)}
        </div>
      </>
    ),
    [rows, columns, side, rowHeight],
  );
  const mark = (i: number, left: number) =>
    i >= 0 && <div class="word-mark" style={{ top: i * rowHeight, left, width: side, height: rowHeight }} />;
  return (
    <>
      <div class="links-titles" aria-hidden="true">
        <span style={{ width: `${side}px` }}>query (attends from)</span>
        <span style={{ width: `${side}px` }}>key (attended to)</span>
      </div>
      <div ref={box} class="links-drawing" style={{ height: `${height}px` }}>
        <svg width={width} height={height} fill="none" aria-hidden="true">
          <g style={isolated ? { display: "none" } : {}}>{every}</g>
          {[...own].reverse().map(path)}
          {bars}
        </svg>
        {mark(row, 0)}
        {mark(column, width - side)}
        {words}
      </div>
      {lines.length > kMostLines && (
        <p class="muted">
          The {kMostLines.toLocaleString("en")} strongest of {lines.length.toLocaleString("en")} lines are drawn; point at a word
          for all of its own.
        </p>
      )}
    </>
  );
}

function Word(props: { unit: Unit; top: number; axis: "row" | "column"; width: number; height: number }) {
  const { unit, axis } = props;
  const token = unit.tokens[0] ?? null;
  const chosen = choice.value[axis];
  const locked = chosen !== null && unit.tokens.includes(chosen);
  const show = () => (hover.value = axis === "row" ? { row: token, column: null } : { row: null, column: token });
  return (
    <button
      type="button"
      class={unit.special ? "word special" : "word"}
      style={{ top: `${props.top}px`, width: `${props.width}px`, height: `${props.height}px` }}
      aria-pressed={locked}
      onMouseEnter={show}
      onFocus={show}
      onMouseLeave={clearHover}
      onBlur={clearHover}
      onClick={() => choose({ [axis]: locked ? null : token })}
    >
      <bdi>{elide(unit.text, 20)}</bdi>
    </button>
  );
}
