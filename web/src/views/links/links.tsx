// SPDX-License-Identifier: Apache-2.0
// Two columns of words joined by lines whose opacity is the weight; any number of heads, each with
// its colour. Hover isolates a word, a click locks it.
import { useEffect, useState } from "preact/hooks";

import { headName, sameHead, type HeadId } from "../../data/types";
import { headColour } from "../../lib/colour";
import { percent, type Grid } from "../../lib/grid";
import { gridOf, tooLong } from "../../lib/maps";
import { choice, choose, dark, hover, layer, trace } from "../../state";
import { DataTable, Notes, Waiting } from "../../ui/controls";
import { elide, useSize } from "../../ui/layout";
import { TooLong } from "../../ui/too_long";

const kRowHeight = 24;
const kFaintest = 0.02; // lines below this share of the strongest are left out

interface Shown {
  head: HeadId;
  colour: string;
  grid: Grid;
}

export function Links() {
  const [solo, setSolo] = useState<HeadId | null>(null);
  if (tooLong.value) return <TooLong />;
  const heads = choice.value.heads;
  const all = heads.map((head, i) => ({
    head,
    colour: headColour(i, dark.value),
    grid: gridOf(head),
  }));
  const ready = all.filter((one): one is Shown => one.grid !== null);
  if (!trace.value || !ready[0]) return <Waiting>Reading the weights…</Waiting>;
  const soloed = solo ? ready.filter((one) => sameHead(one.head, solo)) : [];
  const shown = soloed.length > 0 ? soloed : ready;
  return (
    <section class="links" aria-label="Links">
      <HeadChips solo={solo} onSolo={setSolo} />
      <Drawing shown={shown} />
      <Notes notes={ready[0].grid.notes} />
      <LinkTable shown={shown} />
    </section>
  );
}

// One button a head of the layer: click shows or hides it, double-click shows it alone.
function HeadChips(props: { solo: HeadId | null; onSolo: (head: HeadId | null) => void }) {
  const at = layer.value;
  const chosen = choice.value.heads;
  if (!at) return null;
  const here = at.heads.map((head) => ({ kind: at.kind, layer: at.layer, head }));
  const elsewhere = chosen.filter((h) => !here.some((other) => sameHead(h, other)));
  const toggle = (head: HeadId) => {
    const on = chosen.some((h) => sameHead(h, head));
    if (on && chosen.length === 1) return;
    const heads = on ? chosen.filter((h) => !sameHead(h, head)) : [...chosen, head];
    choose({ heads, head: heads[0]! });
  };
  return (
    <div class="chips" role="group" aria-label="Heads shown: click shows or hides, double-click shows one alone">
      {[...here, ...elsewhere].map((head) => {
        const index = chosen.findIndex((h) => sameHead(h, head));
        const alone = props.solo !== null && sameHead(head, props.solo);
        return (
          <button
            key={headName(head)}
            type="button"
            class={alone ? "chip alone" : "chip"}
            aria-pressed={index >= 0}
            style={index >= 0 ? { "--chip": headColour(index, dark.value) } : {}}
            onClick={() => toggle(head)}
            onDblClick={() => {
              if (!chosen.some((h) => sameHead(h, head))) toggle(head);
              props.onSolo(alone ? null : head);
            }}
          >
            {headName(head)}
          </button>
        );
      })}
      <button type="button" onClick={() => choose({ heads: [choice.value.head!, ...here.filter((h) => !sameHead(h, choice.value.head!))] })}>
        All of the layer
      </button>
      <button type="button" onClick={() => (props.onSolo(null), choose({ heads: [choice.value.head!] }))}>
        One
      </button>
    </div>
  );
}

function Drawing({ shown }: { shown: Shown[] }) {
  const [box, width] = useSize<HTMLDivElement>();
  useEffect(() => () => void (hover.value = { row: null, column: null }), []);
  const first = shown[0]!.grid;
  const rows = first.rowUnits;
  const columns = first.columnUnits;
  const height = Math.max(rows.length, columns.length) * kRowHeight;
  const side = Math.min(180, Math.max(84, width * 0.26));
  const indexOf = (units: typeof rows, token: number | null) =>
    token === null ? -1 : units.findIndex((unit) => unit.tokens.includes(token));
  const row = indexOf(rows, hover.value.row ?? (hover.value.column === null ? choice.value.row : null));
  const column = indexOf(columns, hover.value.column);
  const strongest = Math.max(...shown.map((one) => one.grid.weights.reduce((a, b) => (b > a ? b : a), 0)), 1e-9);
  const middle = (i: number) => (i + 0.5) * kRowHeight;
  const lines: preact.JSX.Element[] = [];
  shown.forEach(({ head, colour, grid }) => {
    const wide = grid.columnUnits.length;
    for (let i = 0; i < grid.rowUnits.length; ++i) {
      if (row >= 0 && i !== row) continue;
      for (let j = 0; j < wide; ++j) {
        if (column >= 0 && j !== column) continue;
        const share = grid.weights[i * wide + j]! / strongest;
        if (!(share > kFaintest)) continue;
        lines.push(
          <line
            key={`${headName(head)} ${i} ${j}`}
            x1={side + 4}
            y1={middle(i)}
            x2={width - side - 4}
            y2={middle(j)}
            stroke={colour}
            stroke-width={2}
            stroke-opacity={share}
          />,
        );
      }
    }
  });
  const word = (axis: "row" | "column", i: number) => {
    const unit = (axis === "row" ? rows : columns)[i]!;
    const token = unit.tokens[0] ?? null;
    const on = axis === "row" ? row === i : column === i;
    const locked = indexOf(axis === "row" ? rows : columns, choice.value[axis]) === i;
    const show = () => (hover.value = axis === "row" ? { row: token, column: null } : { row: null, column: token });
    return (
      <button
        key={i}
        type="button"
        class={`word ${axis}${on ? " on" : ""}${unit.special ? " special" : ""}`}
        style={{ top: `${i * kRowHeight}px`, width: `${side}px`, height: `${kRowHeight}px` }}
        aria-pressed={locked}
        onMouseEnter={show}
        onFocus={show}
        onMouseLeave={() => (hover.value = { row: null, column: null })}
        onBlur={() => (hover.value = { row: null, column: null })}
        onClick={() => choose({ [axis]: locked ? null : token })}
      >
        {shown.map(({ head, colour, grid }) => {
          const w =
            axis === "row" && column >= 0
              ? grid.weights[i * columns.length + column]!
              : axis === "column" && row >= 0
                ? grid.weights[row * columns.length + i]!
                : 0;
          return <i key={headName(head)} class="swatch" style={{ background: colour, opacity: w / strongest || 0 }} />;
        })}
        <bdi>{elide(unit.text, 18)}</bdi>
      </button>
    );
  };
  return (
    <>
      <div class="links-titles" aria-hidden="true">
        <span>query (attends from)</span>
        <span>key (attended to)</span>
      </div>
      <div ref={box} class="links-drawing" style={{ height: `${height}px` }}>
        <svg width={width} height={height} aria-hidden="true">
          {lines}
        </svg>
        <div class="words left">{rows.map((_, i) => word("row", i))}</div>
        <div class="words right">{columns.map((_, i) => word("column", i))}</div>
      </div>
    </>
  );
}

function LinkTable({ shown }: { shown: Shown[] }) {
  const links = shown.flatMap(({ head, grid }) => {
    const wide = grid.columnUnits.length;
    return [...grid.weights.keys()].map((at) => ({
      head,
      from: grid.rowUnits[Math.floor(at / wide)]!.text,
      to: grid.columnUnits[at % wide]!.text,
      weight: grid.weights[at]!,
    }));
  });
  links.sort((a, b) => (b.weight || 0) - (a.weight || 0));
  return (
    <DataTable
      caption="The strongest links of the heads shown"
      columns={["attends to", "weight", "head"]}
      rows={links.slice(0, 60).map((l) => ({
        name: l.from,
        cells: [l.to, percent(l.weight), headName(l.head)],
      }))}
    />
  );
}
