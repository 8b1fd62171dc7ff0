// SPDX-License-Identifier: Apache-2.0
// The text itself, each word coloured by what the chosen word attends to, or is attended from.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import type { Direction } from "../../choice";
import { headsName, type Side, type Unit } from "../../data/types";
import { textOn, weightColour } from "../../lib/colour";
import { percent, shade, unitOfToken } from "../../lib/grid";
import { axes, choice, choose, clearHover, hover, report, shownHeads, theSource, trace } from "../../state";
import { Choose, Waiting } from "../../ui/controls";
import { directionOf } from "../../ui/layout";
import { DataTable } from "../../ui/table";

const kMost = 20000; // words drawn

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

// Weights of one row or column at the chosen level, of one head or the mean of several.
function useWeights(token: number | null, direction: Direction): Float32Array | null {
  const [found, setFound] = useState<{ key: string; weights: Float32Array } | null>(null);
  const info = trace.value;
  const heads = shownHeads.value;
  const both = axes.value;
  const name = `${info?.id} ${headsName(heads)} ${choice.value.level} ${token} ${direction}`;
  useEffect(() => {
    if (!info || !heads[0] || !both || token === null) return;
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
    // The unit's tokens follow one another: their weights come summed.
    const cell = direction === "to" ? { height: to - from, width: 1 } : { height: 1, width: to - from };
    Promise.all(heads.map((head) => theSource().tile(info.id, head, region, cell, "sum", abort.signal)))
      .then((tiles) => {
        const at = (token: number) => tiles.reduce((sum, tile) => sum + (tile.cells[token] ?? 0), 0) / tiles.length;
        const weights = Float32Array.from(others, (other) => {
          const sum = other.tokens.reduce((total, token) => total + at(token), 0);
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
  const { direction } = choice.value;
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
  useEffect(() => clearHover, []);
  if (!trace.value || !both) return <Waiting>Reading the trace…</Waiting>;
  const others = direction === "to" ? both.columns : both.rows;
  const chosen = unitOfToken(own, token);
  const unit = own[chosen];
  const side = direction === "to" ? both.query : both.key;
  const other = direction === "to" ? both.key : both.query;
  const most = weights ? weights.reduce((a, b) => Math.max(a, b), 0) : 0;
  const scale = choice.value.scale === "log" ? "log" : "linear";
  const tints = weights ? Float32Array.from(weights, (x) => shade(x, most, scale)) : null;
  const pick = (i: number) => {
    const t = own[i]!.tokens[0]!;
    choose({ [axis]: choice.value[axis] === t ? null : t });
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
          onChange={(direction) => choose({ direction })}
        />
      </div>
      <p class="readout" role="status">
        {unit && (
          <>
            <bdi class="word-name">{unit.text}</bdi>{" "}
            {direction === "to" ? "attends to the words below" : "is attended to from the words below"}; the darkest has{" "}
            <b>{percent(most)}</b>. Point at another word, or click to keep one.
          </>
        )}
      </p>
      {side === other ? (
        <Paragraph side={side} units={own} chosen={chosen} tints={tints} onPick={pick} onShow={show} />
      ) : (
        <>
          <h3>{side.name}</h3>
          <Paragraph side={side} units={own} chosen={chosen} tints={null} onPick={pick} onShow={show} />
          <h3>{other.name}</h3>
          <Paragraph side={other} units={others} chosen={-1} tints={tints} />
        </>
      )}
      {weights && (
        <DataTable
          table={() => ({
            caption: `Weights of ${unit?.text ?? ""}`,
            columns: [direction === "to" ? "key (attended to)" : "query (attends from)", "weight"],
            rows: [...weights.keys()].sort((a, b) => weights[b]! - weights[a]!).map((i) => [others[i]!.text, weights[i]!]),
          })}
        />
      )}
    </section>
  );
}

// The words in their places, with what stands between them. They are laid out once; colours come
// and go on the elements that are there.
function Paragraph(props: {
  side: Side;
  units: Unit[];
  chosen: number;
  tints: Float32Array | null;
  onPick?: (i: number) => void;
  onShow?: (i: number | null) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const act = useRef(props);
  act.current = props;
  const active = props.onPick !== undefined;
  const words = useMemo(() => laidOut(props.side, props.units.slice(0, kMost), active), [props.side, props.units, active]);
  useLayoutEffect(() => {
    const { tints, chosen } = props;
    box.current!.querySelectorAll<HTMLElement>("[data-unit]").forEach((element, i) => {
      const t = tints?.[i] ?? 0;
      const background = t > 0 ? weightColour(t) : "";
      if (element.style.background !== background) {
        element.style.background = background;
        element.style.color = t > 0 ? textOn(t) : "";
      }
      if (!active) return;
      element.classList.toggle("chosen", i === chosen);
      element.setAttribute("aria-pressed", String(i === chosen));
    });
  }, [words, props.tints, props.chosen]);
  const unitOf = (event: Event) => {
    const name = (event.target as HTMLElement).closest<HTMLElement>("[data-unit]")?.dataset["unit"];
    return name === undefined ? null : Number(name);
  };
  return (
    <div
      ref={box}
      class="paragraph"
      dir={directionOf(props.side.text)}
      onClick={(event) => {
        const i = unitOf(event);
        if (i !== null) act.current.onPick?.(i);
      }}
      onMouseOver={(event) => act.current.onShow?.(unitOf(event))}
      onMouseLeave={() => act.current.onShow?.(null)}
    >
      {words}
      {props.units.length > kMost && (
        <p class="muted">Only the first {kMost.toLocaleString("en")} words are drawn here; the map holds them all.</p>
      )}
    </div>
  );
}

function laidOut(side: Side, units: Unit[], active: boolean): preact.JSX.Element[] {
  const texts = [side.text, side.pair ?? ""].map((t) => utf8.encode(t));
  const ends = [0, 0];
  const parts: preact.JSX.Element[] = [];
  units.forEach((unit, i) => {
    const bytes = unit.sequence >= 0 ? texts[unit.sequence] : undefined;
    if (bytes) {
      const gap = fromUtf8.decode(bytes.subarray(ends[unit.sequence], unit.start));
      if (gap !== "") parts.push(<span key={`gap ${i}`}>{gap}</span>);
      ends[unit.sequence] = Math.max(ends[unit.sequence]!, unit.end);
    }
    const text = bytes ? fromUtf8.decode(bytes.subarray(unit.start, unit.end)) || unit.text : unit.text;
    const name = unit.special ? "run special" : "run";
    parts.push(
      active ? (
        <button key={i} type="button" class={name} data-unit={i}>
          {text}
        </button>
      ) : (
        <span key={i} class={name} data-unit={i}>
          {text}
        </span>
      ),
    );
    if (unit.special) parts.push(<span key={`after ${i}`}> </span>);
  });
  return parts;
}
