// SPDX-License-Identifier: Apache-2.0
// The whole map of a text of any length: overview at once, tiles refined as one zooms, both axes
// labelled with words at every zoom, a small map of where one is, and a jump to a word.
import { select } from "d3-selection";
import { zoom, zoomIdentity, type ZoomBehavior, type ZoomTransform } from "d3-zoom";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import type { Place } from "../../choice";
import type { Pool, Side } from "../../data/types";
import { percent } from "../../lib/grid";
import { axes, choice, choose, dark, report, theSource, trace } from "../../state";
import { Choose, Waiting } from "../../ui/controls";
import { useSize } from "../../ui/layout";
import { DataTable } from "../../ui/table";
import { draw, kMargin, smallMapAt, type InSight, type Scene } from "./draw";
import { cellOfWhole, Tiles } from "./tiles";

interface MapCell {
  row: number;
  column: number;
}

const kHeight = 42; // rem

const same = (a: Place | null, b: Place | null) =>
  a === b || (a !== null && b !== null && a.row === b.row && a.column === b.column && a.zoom === b.zoom);

export function DeepMap() {
  const both = axes.value;
  const info = trace.value;
  const head = choice.value.head;
  const { pool } = choice.value;
  const [strongest, setStrongest] = useState<number | null>(null);
  const name = `${info?.id} ${head?.kind} ${head?.layer} ${head?.head} ${pool}`;
  useEffect(() => {
    if (!info || !head || !both) return;
    setStrongest(null);
    const abort = new AbortController();
    const region = { rowBegin: 0, rowEnd: both.query.tokens.length, columnBegin: 0, columnEnd: both.key.tokens.length };
    const cell = cellOfWhole(Math.max(region.rowEnd, region.columnEnd));
    theSource()
      .tile(info.id, head, region, { height: cell, width: cell }, pool, abort.signal, true)
      .then((tile) => setStrongest(tile.cells.reduce((a, b) => Math.max(a, b), 0)), report);
    return () => abort.abort();
  }, [name]);
  if (!info || !head || !both || strongest === null) return <Waiting>Drawing the overview…</Waiting>;
  return (
    <section class="deep-map" aria-label="Map">
      <div class="options" role="group" aria-label="Map">
        <Choose<Pool>
          label="A cell of several tokens is their"
          value={pool}
          options={[
            { value: "max", text: "largest weight" },
            { value: "mean", text: "mean weight" },
          ]}
          onChange={(pool) => choose({ pool })}
        />
      </div>
      <Plane key={name} pool={pool} strongest={strongest} query={both.query} keySide={both.key} />
    </section>
  );
}

function Plane(props: { pool: Pool; strongest: number; query: Side; keySide: Side }) {
  const rows = props.query.tokens.length;
  const columns = props.keySide.tokens.length;
  const most = Math.max(rows, columns);
  const [box, { width, rem }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const transform = useRef<ZoomTransform>(zoomIdentity);
  const behaviour = useRef<ZoomBehavior<HTMLCanvasElement, unknown> | null>(null);
  const frame = useRef(0);
  const [said, setSaid] = useState("");
  const [sight, setSight] = useState<InSight | null>(null);
  const settled = useRef(0);
  const side = Math.max(200, Math.min(width, kHeight * rem) - kMargin);
  const scale = choice.value.scale === "log" ? "log" : "linear";
  const tiles = useRef<Tiles | null>(null);

  const colours = useMemo(() => {
    const style = getComputedStyle(document.documentElement);
    return {
      page: style.getPropertyValue("--page"),
      ink: style.getPropertyValue("--ink"),
      accent: style.getPropertyValue("--accent"),
      font: style.fontFamily,
    };
  }, [dark.value]);
  const scene = (): Scene => ({
    canvas: canvas.current!,
    tiles: tiles.current!,
    transform: transform.current,
    side,
    rows,
    columns,
    query: props.query,
    key: props.keySide,
    colours: colours,
    row: choice.value.row,
    column: choice.value.column,
  });
  // The place goes into the address when the picture stands still; another one that comes from there
  // (a step back) is gone to.
  const placeNow = (): Place | null => {
    const t = transform.current;
    const middle = (offset: number) => Number(((((side / 2 - offset) / t.k) / side) * most - 0.5).toFixed(2));
    return t.k <= 1 ? null : { row: middle(t.y), column: middle(t.x), zoom: Number(t.k.toPrecision(4)) };
  };
  const kept = useRef<Place | null>(null);
  const keepPlace = () => {
    const place = placeNow();
    if (same(place, kept.current)) return;
    kept.current = place;
    choose({ place }, false);
  };
  const later = () => {
    if (frame.current !== 0) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      if (!canvas.current || !tiles.current) return;
      const seen = draw(scene());
      clearTimeout(settled.current); // said when the picture stands still
      settled.current = window.setTimeout(() => {
        setSight(seen);
        keepPlace();
      }, 120);
    });
  };

  useEffect(() => {
    tiles.current = new Tiles(
      theSource(), trace.value!.id, choice.value.head!, rows, columns, props.pool, scale,
      props.strongest, later, report,
    );
    later();
    return () => {
      tiles.current?.close();
      cancelAnimationFrame(frame.current);
      clearTimeout(settled.current);
      frame.current = 0;
    };
  }, [scale]);
  useEffect(later, [side, dark.value, choice.value.row, choice.value.column]);

  useEffect(() => {
    const target = canvas.current!;
    const z = zoom<HTMLCanvasElement, unknown>()
      .scaleExtent([1, Math.max(4, (most * 40) / side)])
      .extent([[0, 0], [side, side]])
      .translateExtent([[0, 0], [side, side]])
      .on("zoom", (event) => {
        transform.current = event.transform as ZoomTransform;
        later();
      });
    behaviour.current = z;
    const selection = select(target);
    selection.call(z).on("dblclick.zoom", null);
    const { place } = choice.value;
    kept.current = place;
    if (place) goTo(place);
    return () => void selection.on(".zoom", null);
  }, [side, most]);

  const placeOf = (event: MouseEvent): [number, number] => {
    const place = canvas.current!.getBoundingClientRect();
    return [event.clientX - place.left - kMargin, event.clientY - place.top - kMargin];
  };
  const cellAt = ([x, y]: [number, number]): MapCell | null => {
    const t = transform.current;
    const column = Math.floor((((x - t.x) / t.k) / side) * most);
    const row = Math.floor((((y - t.y) / t.k) / side) * most);
    return row >= 0 && row < rows && column >= 0 && column < columns ? { row, column } : null;
  };
  const asking = useRef<AbortController | null>(null);
  const tell = (cell: MapCell | null) => {
    asking.current?.abort();
    if (!cell) return setSaid("");
    const names = `${props.query.tokens[cell.row]!.text} → ${props.keySide.tokens[cell.column]!.text}`;
    const say = (weight: number) => setSaid(`${names}: ${percent(weight)} (tokens ${cell.row} and ${cell.column})`);
    const known = tiles.current?.weight(cell.row, cell.column) ?? null;
    if (known !== null) return say(known);
    const abort = new AbortController();
    asking.current = abort;
    setSaid(names);
    const region = { rowBegin: cell.row, rowEnd: cell.row + 1, columnBegin: cell.column, columnEnd: cell.column + 1 };
    theSource()
      .tile(trace.value!.id, choice.value.head!, region, 1, "max", abort.signal)
      .then((tile) => say(tile.cells[0]!), () => undefined);
  };
  useEffect(() => {
    const { place } = choice.value;
    if (same(place, kept.current)) return;
    kept.current = place;
    if (place) goTo(place);
    else select(canvas.current!).call(behaviour.current!.transform, zoomIdentity);
  }, [choice.value.place]);
  function goTo({ row, column, zoom: k }: Place): void {
    const at = zoomIdentity
      .translate(side / 2, side / 2)
      .scale(k)
      .translate((-(column + 0.5) / most) * side, (-(row + 0.5) / most) * side);
    select(canvas.current!).call(behaviour.current!.transform, at);
  }
  const go = (row: number, column: number, cells: number) => goTo({ row, column, zoom: Math.max(1, most / cells) });
  const onKey = (event: KeyboardEvent) => {
    const z = behaviour.current!;
    const selection = select(canvas.current!);
    const step = side / 5 / transform.current.k;
    const pan: Record<string, [number, number]> = {
      ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step],
    };
    if (event.key in pan) selection.call(z.translateBy, ...pan[event.key]!);
    else if (event.key === "+" || event.key === "=") selection.call(z.scaleBy, 1.5);
    else if (event.key === "-") selection.call(z.scaleBy, 1 / 1.5);
    else if (event.key === "0" || event.key === "Home") selection.call(z.transform, zoomIdentity);
    else if (event.key === "Enter" || event.key === " ") {
      const cell = cellAt([side / 2, side / 2]);
      if (cell) choose(cell);
      tell(cell);
    } else if (event.key === "Escape") {
      choose({ row: null, column: null });
      tell(null);
    } else return;
    event.preventDefault();
  };
  const range = sight ? inWords(sight) : "";

  return (
    <>
      <Jump query={props.query} keySide={props.keySide} go={go} />
      <p class="readout" role="status">
        {said || "Scroll or pinch to zoom, drag to move; arrow keys, + and − work too, Enter reads the middle."}
      </p>
      <div ref={box} class="map-box">
        <canvas
          ref={canvas}
          class="map-canvas"
          tabIndex={0}
          role="application"
          aria-label={`Map of ${rows} by ${columns} tokens. ${range}`}
          style={{ width: `${side + kMargin}px`, height: `${side + kMargin}px` }}
          onKeyDown={onKey}
          onMouseMove={(event) => tell(cellAt(placeOf(event)))}
          onMouseLeave={() => tell(null)}
          onDblClick={(event) => {
            const cell = cellAt(placeOf(event));
            if (cell) go(cell.row, cell.column, 64);
          }}
          onClick={(event) => {
            const at = smallMapAt(scene(), ...placeOf(event));
            if (at) return go(at.row, at.column, most / transform.current.k);
            const cell = cellAt(placeOf(event));
            if (cell) choose(cell);
          }}
        />
      </div>
      <p class="muted">
        {range} A cell of several tokens is their {props.pool === "max" ? "largest" : "mean"} weight; the darkest is{" "}
        {percent(props.strongest)} ({scale} scale).
      </p>
      <DataTable
        table={() => ({
          caption: `The strongest cells in sight. ${range}`,
          columns: ["query (attends from)", "key (attended to)", "first query", "first key", "tokens a side", "weight"],
          rows: (sight && tiles.current ? tiles.current.strongestInSight(sight, 500) : []).map((cell) => [
            props.query.tokens[cell.row]!.text,
            props.keySide.tokens[cell.column]!.text,
            String(cell.row),
            String(cell.column),
            String(cell.size),
            cell.weight,
          ]),
        })}
      />
    </>
  );
}

function inWords(s: InSight): string {
  const zoomed = s.pixels >= 1 ? `${s.pixels.toFixed(0)} pixels a token` : `${(1 / s.pixels).toFixed(0)} tokens a pixel`;
  return `Rows (queries) ${s.firstRow} to ${s.lastRow}, columns (keys) ${s.firstColumn} to ${s.lastColumn}; ${zoomed}${s.sharpening ? "; sharpening" : ""}.`;
}

function Jump(props: { query: Side; keySide: Side; go: (row: number, column: number, cells: number) => void }) {
  const [found, setFound] = useState<string>("");
  const field = useRef<HTMLInputElement>(null);
  const last = useRef(-1);
  const jump = () => {
    const wanted = (field.current?.value ?? "").trim().toLowerCase();
    if (wanted === "") return;
    const { words } = props.query;
    const at = (i: number) => words[(i + words.length) % words.length]!;
    for (let i = 1; i <= words.length; ++i) {
      const word = at(last.current + i);
      if (word.text.toLowerCase() !== wanted) continue;
      last.current = (last.current + i) % words.length;
      const token = word.tokens[0] ?? 0;
      const square = props.query === props.keySide ? token : Math.min(token, props.keySide.tokens.length - 1);
      props.go(token, square, 96);
      choose({ row: token });
      return setFound(`“${word.text}” at token ${token}`);
    }
    setFound(`“${wanted}” is not in this text.`);
  };
  return (
    <form
      class="jump"
      onSubmit={(event) => {
        event.preventDefault();
        jump();
      }}
    >
      <label>
        Jump to a word <input ref={field} type="search" onInput={() => (last.current = -1)} />
      </label>
      <button type="submit">Next</button>
      <button type="button" onClick={() => props.go(0, 0, 1e9)}>
        Whole map
      </button>
      <span class="muted" role="status">{found}</span>
    </form>
  );
}
