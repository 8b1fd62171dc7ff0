// SPDX-License-Identifier: Apache-2.0
// The text itself, each word coloured by what the chosen word attends to, or is attended from.
import { useEffect, useState } from "preact/hooks";

import type { Side, Unit } from "../../data/types";
import { textOn, weightColour } from "../../lib/colour";
import { percent, shade, unitOfToken } from "../../lib/grid";
import { axes, choice, choose, hover, report, theSource, trace } from "../../state";
import { Choose, DataTable, Waiting } from "../../ui/controls";

type Direction = "to" | "from";
const kMost = 20000; // words drawn

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

// Weights of one row or column at the level of words, of one head.
function useWeights(token: number | null, direction: Direction): Float32Array | null {
  const [found, setFound] = useState<{ key: string; weights: Float32Array } | null>(null);
  const info = trace.value;
  const head = choice.value.head;
  const both = axes.value;
  const name = `${info?.id} ${head?.kind} ${head?.layer} ${head?.head} ${choice.value.level} ${token} ${direction}`;
  useEffect(() => {
    if (!info || !head || !both || token === null) return;
    const abort = new AbortController();
    const own = direction === "to" ? both.rows : both.columns;
    const others = direction === "to" ? both.columns : both.rows;
    const unit = own[unitOfToken(own, token)];
    if (!unit || unit.tokens.length === 0) return;
    const from = unit.tokens[0]!;
    const to = unit.tokens.at(-1)! + 1;
    const rows = both.query.tokens.length;
    const columns = both.key.tokens.length;
    const region =
      direction === "to"
        ? { rowBegin: from, rowEnd: to, columnBegin: 0, columnEnd: columns }
        : { rowBegin: 0, rowEnd: rows, columnBegin: from, columnEnd: to };
    theSource()
      .tile(info.id, head, region, Math.max(rows, columns), "sum", abort.signal)
      .then((tile) => {
        const at = (q: number, k: number) =>
          tile.cells[(q - region.rowBegin) * tile.columns + k - region.columnBegin] ?? 0;
        const weights = Float32Array.from(others, (other) => {
          let sum = 0;
          for (const a of unit.tokens)
            for (const b of other.tokens) sum += direction === "to" ? at(a, b) : at(b, a);
          return sum / Math.max((direction === "to" ? unit : other).tokens.length, 1);
        });
        setFound({ key: name, weights });
      })
      .catch(report);
    return () => abort.abort();
  }, [name]);
  return found?.key === name ? found.weights : null;
}

export function TextView() {
  const [direction, setDirection] = useState<Direction>("to");
  const both = axes.value;
  const axis = direction === "to" ? "row" : "column";
  const locked = choice.value[axis];
  const pointed = hover.value[axis];
  const own = both ? (direction === "to" ? both.rows : both.columns) : [];
  const first = own.find((u) => u.wordlike)?.tokens[0] ?? 0;
  const strongest = trace.value?.links[0];
  const otherwise = strongest && direction === "to" ? (both?.query.words[strongest.query]?.tokens[0] ?? first) : first;
  const token = pointed ?? locked ?? otherwise;
  const weights = useWeights(token, direction);
  useEffect(() => () => void (hover.value = { row: null, column: null }), []);
  if (!trace.value || !both) return <Waiting>Reading the trace…</Waiting>;
  const others = direction === "to" ? both.columns : both.rows;
  const unit = own[unitOfToken(own, token)];
  const side = direction === "to" ? both.query : both.key;
  const other = direction === "to" ? both.key : both.query;
  const most = weights ? weights.reduce((a, b) => Math.max(a, b), 0) : 0;
  const scale = choice.value.scale === "log" ? "log" : "linear";
  const tint = (i: number) => (weights ? shade(weights[i]!, most, scale) : 0);
  const pick = (i: number) => {
    const t = own[i]!.tokens[0]!;
    choose({ [axis]: locked === t ? null : t });
  };
  const show = (i: number | null) => {
    const t = i === null ? null : (own[i]?.tokens[0] ?? null);
    hover.value = axis === "row" ? { row: t, column: null } : { row: null, column: t };
  };
  return (
    <section class="text-view" aria-label="Text">
      <div class="options" role="group" aria-label="Direction">
        <Choose<Direction>
          label="Colour by"
          value={direction}
          options={[
            { value: "to", text: "what the chosen word attends to" },
            { value: "from", text: "what attends to the chosen word" },
          ]}
          onChange={setDirection}
        />
      </div>
      <p class="readout" role="status">
        {unit && (
          <>
            <b>{unit.text}</b> {direction === "to" ? "attends to the words below" : "is attended from the words below"}; the darkest has{" "}
            {percent(most)}. Point at another word, or click to keep one.
          </>
        )}
      </p>
      {side === other ? (
        <Paragraph side={side} units={own} chosen={unit} tint={tint} onPick={pick} onShow={show} />
      ) : (
        <>
          <h3>{side.name}</h3>
          <Paragraph side={side} units={own} chosen={unit} tint={() => NaN} onPick={pick} onShow={show} />
          <h3>{other.name}</h3>
          <Paragraph side={other} units={others} chosen={undefined} tint={tint} />
        </>
      )}
      {weights && (
        <DataTable
          caption={`Weights of ${unit?.text ?? ""}`}
          columns={["weight"]}
          rows={[...weights.keys()]
            .sort((a, b) => weights[b]! - weights[a]!)
            .slice(0, 200)
            .map((i) => ({ name: others[i]!.text, cells: [percent(weights[i]!)] }))}
        />
      )}
    </section>
  );
}

// The words in their places, with what stands between them.
function Paragraph(props: {
  side: Side;
  units: Unit[];
  chosen: Unit | undefined;
  tint: (i: number) => number;
  onPick?: (i: number) => void;
  onShow?: (i: number | null) => void;
}) {
  const texts = [props.side.text, props.side.pair ?? ""].map((t) => utf8.encode(t));
  const ends = [0, 0];
  const parts: preact.JSX.Element[] = [];
  const cut = props.units.length > kMost;
  props.units.slice(0, kMost).forEach((unit, i) => {
    const bytes = unit.sequence >= 0 ? texts[unit.sequence] : undefined;
    if (bytes) {
      const gap = fromUtf8.decode(bytes.subarray(ends[unit.sequence], unit.start));
      if (gap !== "") parts.push(<span key={`gap ${i}`}>{gap}</span>);
      ends[unit.sequence] = Math.max(ends[unit.sequence]!, unit.end);
    }
    const t = props.tint(i);
    const style = Number.isNaN(t) || t <= 0 ? {} : { background: weightColour(t), color: textOn(t) };
    const classes = `run${unit.special ? " special" : ""}${unit === props.chosen ? " chosen" : ""}`;
    const text = bytes ? fromUtf8.decode(bytes.subarray(unit.start, unit.end)) || unit.text : unit.text;
    parts.push(
      props.onPick ? (
        <button
          key={i}
          type="button"
          class={classes}
          style={style}
          aria-pressed={unit === props.chosen}
          onClick={() => props.onPick?.(i)}
          onMouseEnter={() => props.onShow?.(i)}
          onMouseLeave={() => props.onShow?.(null)}
        >
          {text}
        </button>
      ) : (
        <span key={i} class={classes} style={style}>
          {text}
        </span>
      ),
    );
    if (unit.special) parts.push(<span key={`after ${i}`}> </span>);
  });
  return (
    <div class="paragraph" dir="auto">
      {parts}
      {cut && <p class="muted">Only the first {kMost} words are drawn here; the map holds them all.</p>}
    </div>
  );
}
