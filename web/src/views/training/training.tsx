// SPDX-License-Identifier: Apache-2.0
// One text at every checkpoint of its model's training: a slider moves through them, with the loss
// and each head's measures beside the grid.
import { useEffect, useMemo, useState } from "preact/hooks";

import { headName, sameHead, type Checkpoint, type HeadId, type HeadMeasure, type TraceInfo } from "../../data/types";
import { useCheckpoints, type RunAt } from "../../lib/checkpoints";
import { paint } from "../../lib/colour";
import { percent, shade, type Grid } from "../../lib/grid";
import { gridFor } from "../../lib/maps";
import { choice, chooseHead, trace } from "../../state";
import { focus } from "../../lesson/focus";
import { fill, lesson } from "../../lesson/text";
import { Notes, Slider, Waiting } from "../../ui/controls";
import { useSize } from "../../ui/layout";
import { kNoCell, Plate, type Cell } from "../../ui/plane";
import { DataTable } from "../../ui/table";
import { Chart } from "./chart";

const kPace = 700; // ms a checkpoint
const kCalmPace = 1600; // where motion is to be reduced

export function Training() {
  const t = lesson().training;
  const { list, of, runs } = useCheckpoints();
  const [chosen, setChosen] = useState<number | null>(null); // step; null: the last one
  const [playing, setPlaying] = useState(false);
  const last = list.length - 1;
  const found = chosen === null ? last : list.findIndex((one) => one.step === chosen);
  const at = found < 0 ? last : found;
  const go = (i: number) => setChosen(i >= last ? null : list[i]!.step);
  useEffect(() => {
    if (!playing) return;
    if (at >= last) return setPlaying(false);
    const pace = matchMedia("(prefers-reduced-motion: reduce)").matches ? kCalmPace : kPace;
    const timer = setTimeout(() => runs.has(list[at + 1]!.step) && go(at + 1), pace);
    return () => clearTimeout(timer);
  }, [playing, at, runs, list]);
  const info = trace.value;
  const head = choice.value.head;
  const here = list[at];
  if (!info || !head || !here) return <Waiting>{lesson().ui.waiting}</Waiting>;
  const run = runs.get(here.step);
  const parts = [
    fill(t.at, { step: here.step, last: list[last]!.step }),
    ...(here.loss === null ? [] : [fill(t.loss, { loss: here.loss.toFixed(3) })]),
    ...(here.heldOut === null ? [] : [fill(t.held, { loss: here.heldOut.toFixed(3) })]),
  ];
  return (
    <section class="training" aria-label={lesson().training.label}>
      <div class="options">
        <button
          type="button"
          aria-pressed={playing}
          onClick={() => {
            if (!playing && at >= last) go(0);
            setPlaying(!playing);
          }}
        >
          {playing ? t.pause : t.play}
        </button>
        <Slider
          label={t.label}
          value={at}
          min={0}
          max={last}
          step={1}
          text={parts.join(", ")}
          onInput={(i) => {
            setPlaying(false);
            go(i);
          }}
        />
      </div>
      {runs.size < list.length && (
        <p class="muted" role="status">
          {fill(t.loading, { n: runs.size, of: list.length })}
        </p>
      )}
      {here.note !== "" && <p class="muted">{fill(t.note, { note: here.note })}</p>}
      {of > list.length && <p class="muted">{fill(t.some, { n: list.length, of })}</p>}
      {run ? (
        <Shown list={list} runs={runs} here={here} run={run} head={head} playing={playing} />
      ) : (
        <Waiting>{lesson().ui.waiting}</Waiting>
      )}
    </section>
  );
}

interface Props {
  list: Checkpoint[];
  runs: ReadonlyMap<number, RunAt>;
  here: Checkpoint;
  run: RunAt;
  head: HeadId;
  playing: boolean;
}

function Shown({ list, runs, here, run, head, playing }: Props) {
  const t = lesson().training;
  const [box, { width, rem }] = useSize<HTMLDivElement>();
  const [hovered, setHovered] = useState<Cell | null>(null);
  const [locked, setLocked] = useState<Cell | null>(null);
  const grids = new Map<number, Grid>();
  for (const [step, one] of runs) {
    const grid = gridFor(one.info, head);
    if (grid) grids.set(step, grid);
  }
  const grid = grids.get(here.step);
  const lastGrid = grids.get(list.at(-1)!.step);
  const top = Math.max(1e-9, ...[...grids.values()].map((one) => largest(one.weights)));
  const image = useMemo(
    () =>
      grid
        ? paint(Float32Array.from(grid.weights, (x) => shade(x, top, choice.value.scale === "log" ? "log" : "linear")), grid.columnUnits.length, grid.rowUnits.length)
        : null,
    [grid, top, choice.value.scale],
  );
  const usual = useMemo(() => (lastGrid ? strongest(run.info, lastGrid) : kNoCell), [lastGrid, focus.value]);
  if (!grid || !image) return <Waiting>{lesson().ui.waiting}</Waiting>;
  const columns = grid.columnUnits.length;
  const chosen = locked ?? usual;
  const marked = chosen.row < grid.rowUnits.length && chosen.column < columns ? chosen : kNoCell;
  const pointed = hovered ?? marked;
  const names = (cell: Cell) => ({
    query: grid.rowUnits[cell.row]?.text ?? "–",
    key: grid.columnUnits[cell.column]?.text ?? "–",
    head: headName(head),
  });
  const weightAt = (one: Grid | undefined, cell: Cell) => one?.weights[cell.row * columns + cell.column] ?? NaN;
  const beside = width >= 46 * rem;
  const curve = (of: (one: Checkpoint) => number | null) =>
    list.flatMap((one): [number, number][] => {
      const y = of(one);
      return y === null || Number.isNaN(y) ? [] : [[one.step, y]];
    });
  return (
    <div ref={box}>
      <p class="readout" role="status" aria-live={playing ? "off" : "polite"}>
        {fill(t.now, { ...names(pointed), weight: percent(weightAt(grid, pointed)) })}
      </p>
      <div class={beside ? "training-parts beside" : "training-parts"}>
        <Plate
          name={fill(t.grid, { head: headName(head), step: here.step })}
          rows={grid.rowUnits}
          columns={grid.columnUnits}
          image={image}
          room={beside ? width - 18 * rem : width}
          most={2}
          rem={rem}
          shown={hovered ?? kNoCell}
          locked={marked}
          onPoint={setHovered}
          onLock={setLocked}
        />
        <div class="training-charts">
          <Chart
            title={fill(t.link_title, names(marked))}
            curves={[{ name: "", points: curve((one) => weightAt(grids.get(one.step), marked)) }]}
            at={here.step}
            top={1}
          />
          <Chart
            title={t.loss_title}
            curves={[
              { name: t.loss_training, points: curve((one) => one.loss) },
              { name: t.loss_held, points: curve((one) => one.heldOut) },
            ]}
            at={here.step}
          />
        </div>
      </div>
      <p class="muted">{t.scale}</p>
      <Measures run={run} head={head} step={here.step} />
      <Notes notes={grid.notes} />
      <DataTable
        table={() => ({
          caption: fill(t.link_title, names(marked)),
          columns: [t.label, t.loss_training, t.loss_held, names(marked).head],
          rows: list.map((one) => [String(one.step), one.loss ?? NaN, one.heldOut ?? NaN, weightAt(grids.get(one.step), marked)]),
        })}
      />
    </div>
  );
}

const largest = (list: Float32Array) => list.reduce((most, x) => (x > most ? x : most), 0);

// The cell that is followed unless the reader chooses another: of the word in question, the ordinary
// word that it attends to most when training is over.
function strongest(info: TraceInfo, grid: Grid): Cell {
  const token = info.sides[0]!.words[focus.value]?.tokens[0] ?? -1;
  const row = grid.rowUnits.findIndex((unit) => unit.tokens.includes(token));
  if (row < 0) return kNoCell;
  const width = grid.columnUnits.length;
  const shares = grid.columnUnits.map((unit, j) => (unit.wordlike && !unit.special ? grid.weights[row * width + j]! : -1));
  return { row, column: shares.indexOf(Math.max(...shares)) };
}

function Measures({ run, head, step }: { run: RunAt; head: HeadId; step: number }) {
  const t = lesson().training;
  const words = (m: HeadMeasure) => {
    const at = run.info.layers.find((l) => l.kind === m.head.kind && l.layer === m.head.layer);
    if (!m.link || !at) return t.no_link;
    const text = (side: number, word: number) => run.info.sides[side]!.words[word]?.text ?? "?";
    return `${text(at.query, m.link.query)} → ${text(at.key, m.link.key)} ${m.link.weight.toFixed(2)}`;
  };
  const caption = fill(t.table, { step });
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table class="head-measures">
        <caption>{caption}</caption>
        <thead>
          <tr>
            {[t.head, t.entropy, t.previous, t.next, t.first, t.link].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {run.measures.map((m) => (
            <tr key={headName(m.head)} class={sameHead(m.head, head) ? "on" : ""}>
              <th scope="row">
                <button type="button" aria-pressed={sameHead(m.head, head)} onClick={() => chooseHead(m.head)}>
                  {headName(m.head)}
                </button>
              </th>
              <td>{m.entropy.toFixed(2)}</td>
              <td>{percent(m.previous)}</td>
              <td>{percent(m.next)}</td>
              <td>{percent(Math.max(m.first, m.special))}</td>
              <td>{words(m)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
