// SPDX-License-Identifier: Apache-2.0
// Two heads, models or texts side by side and their difference, aligned by words.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { SourceError, type TraceSummary } from "../../data/source";
import { headName, type HeadId, type Kind, type TraceInfo, type Unit } from "../../data/types";
import { align, type Pairing } from "../../lib/align";
import { differenceColour, paint, paintDifference } from "../../lib/colour";
import { percent, shade, unitOfToken, type Grid } from "../../lib/grid";
import { gridFor, kLongestWhole } from "../../lib/maps";
import { askedOf, choice, choose, model, models, problem, report, request, theSource, trace } from "../../state";
import { Choose, Notes, Waiting } from "../../ui/controls";
import { elide, useSize } from "../../ui/layout";
import { kNoCell, Plate, type Cell } from "../../ui/plane";
import { DataTable } from "../../ui/table";

// The trace that is compared with; the page's own while none is chosen.
function useOther(): TraceInfo | null {
  const own = trace.value;
  const wanted = choice.value.other;
  const [found, setFound] = useState<TraceInfo | null>(null);
  useEffect(() => {
    if (!wanted || wanted.trace === own?.id) return;
    let current = true;
    let stop = () => undefined as void;
    theSource()
      .info(wanted.trace)
      .then((info) => {
        if (!current) return;
        setFound(info);
        if (!wanted.asked) choose({ other: { ...wanted, asked: askedOf(info) } }, false);
      })
      .catch(async (error) => {
        if (!current) return;
        // One that the program no longer has, as after a restart, is run again where that can be.
        if (!(error instanceof SourceError) || error.status !== 404) return report(error);
        if (wanted.asked && theSource().canRun) {
          const again = new AbortController();
          stop = () => again.abort();
          const id = await theSource().run(wanted.asked, () => undefined, again.signal);
          if (current) choose({ other: { ...wanted, trace: id } }, false);
          return;
        }
        choose({ other: null }, false);
        problem.value = "The run that this was compared with is not there any more: choose or run another.";
      })
      .catch((error) => {
        if (!current) return;
        choose({ other: null }, false);
        report(error);
      });
    return () => {
      current = false;
      stop();
    };
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
  const second = useRef<HTMLInputElement>(null);
  const paired = props.own.sides[0]!.pair;
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
    choose({ other: { trace: other.id, head, asked: choice.value.other?.asked ?? null } });
  };
  const run = async () => {
    const text = field.current?.value.trim() || props.own.sides[0]!.text;
    const pair = second.current?.value.trim() || paired;
    setBusy(true);
    try {
      const { target, generate } = request.value ?? {};
      const asked = {
        model: withModel,
        text,
        ...(pair === null ? {} : { pair }),
        ...(target === undefined ? {} : { target }),
        ...(generate === undefined ? {} : { generate }),
      };
      const id = await theSource().run(asked, () => undefined, new AbortController().signal);
      choose({ other: { trace: id, head: props.head, asked } });
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
        onChange={(id) => choose({ other: { trace: id, head: props.head, asked: null } })}
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
          {paired !== null && (
            <div class="control grow">
              <label for="compare-pair">and second text</label>
              <input id="compare-pair" ref={second} type="text" spellcheck={false} dir="auto" />
            </div>
          )}
          <button type="submit" disabled={busy}>
            {busy ? "Running…" : "Run"}
          </button>
        </>
      )}
    </form>
  );
}

function Compared(props: { a: TraceInfo; b: TraceInfo; headA: HeadId; headB: HeadId }) {
  const longest = Math.max(...[...props.a.sides, ...props.b.sides].map((s) => s.tokens.length));
  if (longest > kLongestWhole)
    return <p class="empty">Comparing draws every word; these texts have up to {longest.toLocaleString("en")} tokens, more than {kLongestWhole.toLocaleString("en")}.</p>;
  const a = gridFor(props.a, props.headA);
  const b = gridFor(props.b, props.headB);
  if (!a || !b) return <Waiting>Reading the weights…</Waiting>;
  return <Plates a={a} b={b} nameA={named(props.a, props.headA)} nameB={named(props.b, props.headB)} />;
}

const named = (info: TraceInfo, head: HeadId) => `${info.model} ${headName(head)}: ${elide(info.sides[0]!.text, 60)}`;

// Both grids on the axes of their aligned words, NaN where one of them has no such cell.
function aligned(a: Grid, b: Grid) {
  const rows = align(a.rowUnits, b.rowUnits);
  const columns = align(a.columnUnits, b.columnUnits);
  const cell = (grid: Grid, i: number, j: number) =>
    i < 0 || j < 0 ? NaN : grid.weights[i * grid.columnUnits.length + j]!;
  const n = rows.length * columns.length;
  const first = new Float32Array(n);
  const second = new Float32Array(n);
  const difference = new Float32Array(n);
  rows.forEach((r, i) =>
    columns.forEach((c, j) => {
      const k = i * columns.length + j;
      first[k] = cell(a, r.a, c.a);
      second[k] = cell(b, r.b, c.b);
      difference[k] = second[k]! - first[k]!;
    }),
  );
  const name = (side: "rowUnits" | "columnUnits") => (p: Pairing) => {
    const one = p.a >= 0 ? a[side][p.a]! : null;
    const two = p.b >= 0 ? b[side][p.b]! : null;
    return {
      text: p.same ? one!.text : `${one?.text ?? "–"}/${two?.text ?? "–"}`,
      special: (one ?? two)!.special,
    };
  };
  // Where a token of the first text stands, and which token of it stands at a place; -1, null: none.
  const own = (pairs: Pairing[], units: Unit[]) => ({
    at: (token: number | null) => {
      const unit = unitOfToken(units, token);
      return unit < 0 ? -1 : pairs.findIndex((p) => p.a === unit);
    },
    token: (place: number) => units[pairs[place]?.a ?? -1]?.tokens[0] ?? null,
  });
  return {
    rows: rows.map(name("rowUnits")),
    columns: columns.map(name("columnUnits")),
    first,
    second,
    difference,
    ownRows: own(rows, a.rowUnits),
    ownColumns: own(columns, a.columnUnits),
  };
}

const most = (list: Float32Array) => list.reduce((m, x) => (Math.abs(x) > m ? Math.abs(x) : m), 0);
const signed = (x: number) => (Number.isNaN(x) ? "–" : `${x > 0 ? "+" : ""}${percent(x).replace("-", "−")}`);

function Plates(props: { a: Grid; b: Grid; nameA: string; nameB: string }) {
  const [at, setAt] = useState<Cell | null>(null);
  const [foreign, setForeign] = useState<Cell | null>(null); // locked, of a word that only the second has
  const [box, { width, rem }] = useSize<HTMLDivElement>();
  const { a, b } = props;
  const values = useMemo(() => aligned(a, b), [a, b]);
  const { rows, columns, first, second, difference, ownRows, ownColumns } = values;
  // The words that are locked in every view.
  const common = { row: ownRows.at(choice.value.row), column: ownColumns.at(choice.value.column) };
  const locked = common.row >= 0 || common.column >= 0 ? common : (foreign ?? kNoCell);
  const scale = choice.value.scale === "log" ? "log" : "linear";
  const apart = useMemo(() => most(difference), [difference]);
  const images = useMemo(() => {
    const top = Math.max(most(first), most(second));
    const tinted = (list: Float32Array) =>
      paint(Float32Array.from(list, (x) => shade(x, top, scale)), columns.length, rows.length);
    const shares = Float32Array.from(difference, (x) => (apart > 0 ? x / apart : x));
    return [tinted(first), tinted(second), paintDifference(shares, columns.length, rows.length)];
  }, [values, scale]);
  const shown = at ?? locked;
  const k = shown.row < 0 || shown.column < 0 ? -1 : shown.row * columns.length + shown.column;
  const across = width >= 62 * rem ? 3 : width >= 40 * rem ? 2 : 1;
  const lock = (c: Cell | null) => {
    const wanted = c && c.row === locked.row && c.column === locked.column ? null : c;
    const [row, column] = wanted ? [ownRows.token(wanted.row), ownColumns.token(wanted.column)] : [null, null];
    const whole = row !== null && column !== null;
    setForeign(whole ? null : wanted);
    choose({ row: whole ? row : null, column: whole ? column : null });
  };
  return (
    <>
      <p class="readout" role="status">
        {k >= 0 ? (
          <>
            <bdi>{rows[shown.row]!.text}</bdi> → <bdi>{columns[shown.column]!.text}</bdi>: {percent(first[k]!)} and{" "}
            {percent(second[k]!)}, <b>{signed(difference[k]!)}</b>
          </>
        ) : (
          "Point at a cell of any of the three, or move with the arrow keys."
        )}
      </p>
      <div class="plates" ref={box}>
        {[props.nameA, props.nameB, "second − first"].map((title, i) => (
          <Plate
            key={i}
            name={title}
            rows={rows}
            columns={columns}
            image={images[i]!}
            room={(width - (across - 1) * 12) / across}
            most={1.9}
            rem={rem}
            shown={shown}
            locked={locked}
            onPoint={setAt}
            onLock={lock}
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
        table={() => ({
          caption: "Both weights of every link, the largest difference first",
          columns: ["query (attends from)", "key (attended to)", "first", "second", "difference"],
          rows: [...difference.keys()]
            .sort((x, y) => (Math.abs(difference[y]!) || 0) - (Math.abs(difference[x]!) || 0))
            .map((i) => [
              rows[Math.floor(i / columns.length)]!.text,
              columns[i % columns.length]!.text,
              first[i]!,
              second[i]!,
              difference[i]!,
            ]),
        })}
      />
    </>
  );
}
