// SPDX-License-Identifier: Apache-2.0
// Two heads, models or texts side by side and their difference, aligned by words.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import type { TraceSummary } from "../../data/source";
import { headName, type HeadId, type Kind, type TraceInfo } from "../../data/types";
import { align, type Pairing } from "../../lib/align";
import { differenceColour, paint, paintDifference } from "../../lib/colour";
import { percent, shade } from "../../lib/grid";
import { gridFor, kLongestWhole } from "../../lib/maps";
import { choice, choose, model, models, report, theSource, trace } from "../../state";
import { Choose, DataTable, Notes, Waiting } from "../../ui/controls";
import { elide } from "../../ui/layout";

// The trace that is compared with; the page's own while none is chosen.
function useOther(): TraceInfo | null {
  const own = trace.value;
  const wanted = choice.value.other;
  const [found, setFound] = useState<TraceInfo | null>(null);
  useEffect(() => {
    if (!wanted || wanted.trace === own?.id) return;
    let current = true;
    theSource()
      .info(wanted.trace)
      .then((info) => current && setFound(info), report);
    return () => void (current = false);
  }, [wanted?.trace, own?.id]);
  if (!own) return null;
  if (!wanted || wanted.trace === own.id) return own;
  return found?.id === wanted.trace ? found : null;
}

const exists = (info: TraceInfo, h: HeadId) =>
  info.layers.some((l) => l.kind === h.kind && l.layer === h.layer && l.heads.includes(h.head));

export function Compare() {
  const own = trace.value;
  const other = useOther();
  const head = choice.value.head;
  if (!own || !head) return <Waiting>Reading the trace…</Waiting>;
  const wanted = choice.value.other?.head ?? head;
  const second = other && (exists(other, wanted) ? wanted : other.choice.head);
  return (
    <section class="compare" aria-label="Compare">
      <Second own={own} other={other} head={second ?? head} />
      {other && second ? (
        <Compared a={own} b={other} headA={head} headB={second} />
      ) : (
        <Waiting>Reading the second run…</Waiting>
      )}
    </section>
  );
}

// Chooses what to compare with: a run there is, another head, another model, another text.
function Second(props: { own: TraceInfo; other: TraceInfo | null; head: HeadId }) {
  const [runs, setRuns] = useState<TraceSummary[]>([]);
  const [busy, setBusy] = useState(false);
  const [withModel, setWithModel] = useState(model.value);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    theSource().traces().then(setRuns, report);
  }, [props.own.id, props.other?.id]);
  const other = props.other ?? props.own;
  const layers = other.layers.filter((l) => l.kind === props.head.kind);
  const layer = layers.find((l) => l.layer === props.head.layer) ?? layers[0];
  const set = (change: Partial<HeadId>) => {
    const head = { ...props.head, ...change };
    const at = other.layers.find((l) => l.kind === head.kind && l.layer === head.layer)!;
    if (!at.heads.includes(head.head)) head.head = at.heads[0]!;
    choose({ other: { trace: other.id, head } });
  };
  const run = async () => {
    const text = field.current?.value.trim() || props.own.sides[0]!.text;
    setBusy(true);
    try {
      const id = await theSource().run({ model: withModel, text }, () => undefined, new AbortController().signal);
      choose({ other: { trace: id, head: props.head } });
    } catch (error) {
      report(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      class="options"
      aria-label="Compare with"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <Choose
        label="Compare with"
        value={other.id}
        options={[
          { value: props.own.id, text: "this text, another head" },
          ...runs
            .filter((r) => r.id !== props.own.id)
            .map((r) => ({ value: r.id, text: `${r.model}: ${elide(r.text, 40)}` })),
        ]}
        onChange={(id) => choose({ other: { trace: id, head: props.head } })}
      />
      {new Set(other.layers.map((l) => l.kind)).size > 1 && (
        <Choose<Kind>
          label="Attention"
          value={props.head.kind}
          options={[...new Set(other.layers.map((l) => l.kind))].map((k) => ({ value: k, text: k }))}
          onChange={(kind) => set({ kind, layer: other.layers.find((l) => l.kind === kind)!.layer })}
        />
      )}
      <Choose
        label="Its layer"
        value={String(props.head.layer)}
        options={layers.map((l) => ({ value: String(l.layer), text: String(l.layer) }))}
        onChange={(value) => set({ layer: Number(value) })}
      />
      <Choose
        label="Its head"
        value={String(props.head.head)}
        options={(layer?.heads ?? []).map((h) => ({ value: String(h), text: String(h) }))}
        onChange={(value) => set({ head: Number(value) })}
      />
      {theSource().canRun && (
        <>
          <Choose
            label="Or run"
            value={withModel}
            options={models.value.filter((m) => m.opens).map((m) => ({ value: m.name, text: m.name }))}
            onChange={setWithModel}
          />
          <div class="control grow">
            <label for="compare-text">on another text (empty: the same)</label>
            <input id="compare-text" ref={field} type="text" spellcheck={false} dir="auto" />
          </div>
          <button type="submit" disabled={busy}>
            {busy ? "Running…" : "Run"}
          </button>
        </>
      )}
    </form>
  );
}

interface Values {
  a: Float32Array;
  b: Float32Array;
  difference: Float32Array;
}

function Compared(props: { a: TraceInfo; b: TraceInfo; headA: HeadId; headB: HeadId }) {
  const [at, setAt] = useState<{ row: number; column: number } | null>(null);
  const longest = Math.max(...[...props.a.sides, ...props.b.sides].map((s) => s.tokens.length));
  if (longest > kLongestWhole)
    return <p class="empty">Comparing draws every word; these texts have up to {longest.toLocaleString("en")} tokens, more than {kLongestWhole.toLocaleString("en")}.</p>;
  const a = gridFor(props.a, props.headA);
  const b = gridFor(props.b, props.headB);
  if (!a || !b) return <Waiting>Reading the weights…</Waiting>;
  const rows = align(a.rowUnits, b.rowUnits);
  const columns = align(a.columnUnits, b.columnUnits);
  const cell = (grid: typeof a, i: number, j: number) =>
    i < 0 || j < 0 ? NaN : grid.weights[i * grid.columnUnits.length + j]!;
  const n = rows.length * columns.length;
  const values: Values = { a: new Float32Array(n), b: new Float32Array(n), difference: new Float32Array(n) };
  rows.forEach((r, i) =>
    columns.forEach((c, j) => {
      const k = i * columns.length + j;
      values.a[k] = cell(a, r.a, c.a);
      values.b[k] = cell(b, r.b, c.b);
      values.difference[k] = values.b[k]! - values.a[k]!;
    }),
  );
  const name = (p: Pairing, side: "rowUnits" | "columnUnits") => {
    const first = p.a >= 0 ? a[side][p.a]!.text : "–";
    const second = p.b >= 0 ? b[side][p.b]!.text : "–";
    return p.same ? first : `${first} / ${second}`;
  };
  const rowNames = rows.map((p) => name(p, "rowUnits"));
  const columnNames = columns.map((p) => name(p, "columnUnits"));
  const most = (list: Float32Array) => list.reduce((m, x) => (Math.abs(x) > m ? Math.abs(x) : m), 0);
  const top = Math.max(most(values.a), most(values.b));
  const apart = most(values.difference);
  const scale = choice.value.scale === "log" ? "log" : "linear";
  const plates = [
    { title: `${props.a.model} ${headName(props.headA)}`, list: values.a, diverging: false },
    { title: `${props.b.model} ${headName(props.headB)}`, list: values.b, diverging: false },
    { title: "second − first", list: values.difference, diverging: true },
  ];
  const k = at ? at.row * columns.length + at.column : -1;
  const ranked = [...values.difference.keys()]
    .filter((i) => !Number.isNaN(values.difference[i]!))
    .sort((x, y) => Math.abs(values.difference[y]!) - Math.abs(values.difference[x]!));
  const signed = (x: number) => (Number.isNaN(x) ? "–" : `${x > 0 ? "+" : ""}${percent(x)}`);
  return (
    <>
      <p class="readout" role="status">
        {at
          ? `${rowNames[at.row]} → ${columnNames[at.column]}: ${percent(values.a[k]!)} and ${percent(values.b[k]!)}, ${signed(values.difference[k]!)}`
          : "Point at a cell of any of the three."}
      </p>
      <div class="plates">
        {plates.map((plate) => (
          <Plate
            key={plate.title}
            title={plate.title}
            rowNames={rowNames}
            columnNames={columnNames}
            image={
              plate.diverging
                ? paintDifference(Float32Array.from(plate.list, (x) => (apart > 0 ? x / apart : x)), columns.length, rows.length)
                : paint(Float32Array.from(plate.list, (x) => shade(x, top, scale)), columns.length, rows.length)
            }
            at={at}
            onPoint={setAt}
          />
        ))}
      </div>
      <div class="legend">
        <span>{signed(-apart)}</span>
        <span
          class="ramp"
          style={{
            background: `linear-gradient(to right, ${[-1, -0.5, 0, 0.5, 1].map(differenceColour).join(", ")})`,
          }}
        />
        <span>{signed(apart)}</span>
        <span class="muted">orange: less in the second, blue: more. Both grids share one scale.</span>
      </div>
      <Notes notes={a.notes} />
      <DataTable
        caption="The largest differences"
        columns={["attends to", "first", "second", "difference"]}
        rows={ranked.slice(0, 60).map((i) => ({
          name: rowNames[Math.floor(i / columns.length)]!,
          cells: [columnNames[i % columns.length]!, percent(values.a[i]!), percent(values.b[i]!), signed(values.difference[i]!)],
        }))}
      />
    </>
  );
}

function Plate(props: {
  title: string;
  rowNames: string[];
  columnNames: string[];
  image: ImageData;
  at: { row: number; column: number } | null;
  onPoint: (at: { row: number; column: number } | null) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const rows = props.rowNames.length;
  const columns = props.columnNames.length;
  useLayoutEffect(() => {
    const target = canvas.current!;
    target.width = Math.max(columns, 1);
    target.height = Math.max(rows, 1);
    target.getContext("2d")?.putImageData(props.image, 0, 0);
  });
  const size = Math.max(2, Math.min(26, Math.floor(400 / Math.max(columns, 1))));
  const label = 78;
  const font = Math.min(13, Math.max(9, size - 2));
  const every = Math.max(1, Math.ceil(9 / size));
  const point = (event: MouseEvent) => {
    const place = canvas.current!.getBoundingClientRect();
    const row = Math.floor((event.clientY - place.top) / size);
    const column = Math.floor((event.clientX - place.left) / size);
    props.onPoint(row >= 0 && row < rows && column >= 0 && column < columns ? { row, column } : null);
  };
  return (
    <figure class="plate">
      <figcaption>{props.title}</figcaption>
      <div class="heatmap-frame" style={{ gridTemplateColumns: `${label}px ${size * columns}px`, gridTemplateRows: `0 ${label}px ${size * rows}px` }}>
        <svg class="labels compare-columns" width={size * columns} height={label} aria-hidden="true">
          {props.columnNames.map((text, j) =>
            j % every === 0 || j === props.at?.column ? (
              <text key={j} class={j === props.at?.column ? "on" : ""} font-size={font} transform={`translate(${(j + 0.5) * size + font / 3} ${label - 4}) rotate(-60)`}>
                {elide(text, 12)}
              </text>
            ) : null,
          )}
        </svg>
        <svg class="labels compare-rows" width={label} height={size * rows} aria-hidden="true">
          {props.rowNames.map((text, i) =>
            i % every === 0 || i === props.at?.row ? (
              <text key={i} class={i === props.at?.row ? "on" : ""} font-size={font} text-anchor="end" x={label - 6} y={(i + 0.5) * size + font / 3}>
                {elide(text, 12)}
              </text>
            ) : null,
          )}
        </svg>
        <div class="plane" onMouseMove={point} onMouseLeave={() => props.onPoint(null)}>
          <canvas ref={canvas} role="img" aria-label={props.title} style={{ width: `${size * columns}px`, height: `${size * rows}px` }} />
          {props.at && (
            <div class="locked" style={{ left: props.at.column * size, top: props.at.row * size, width: size, height: size }} />
          )}
        </div>
      </div>
    </figure>
  );
}
