// SPDX-License-Identifier: Apache-2.0
// Figures that need other runs: the untrained twin, words further and further apart.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { headName, sameHead, type HeadId, type TraceInfo } from "../data/types";
import { paint } from "../lib/colour";
import { percent, shade } from "../lib/grid";
import { kMostMapped, wordMaps, type Share, type WordMap } from "../lib/links";
import { checkpoints, choice, theSource, trace } from "../state";
import { Slider, Waiting } from "../ui/controls";
import { useSize } from "../ui/layout";
import { kNoCell, Plate, type Cell } from "../ui/plane";
import { Chart } from "../views/training/chart";
import { Training } from "../views/training/training";
import { focus, runBeside, useFound, type Found } from "./focus";
import { fill, lesson, Rich } from "./text";

const kLessonModel = "lesson"; // the program's own
const kFar = 20; // words, of the chart at least

// A grid beside another one, on the same scale of colours; both show the cell that is pointed at.
function Beside(props: { info: TraceInfo; map: WordMap; title: string; top: number; width: number; rem: number; at: Cell | null; onPoint: (cell: Cell | null) => void }) {
  const { info, map, title, top, rem } = props;
  const rows = info.sides[map.layer.query]!.words;
  const columns = info.sides[map.layer.key]!.words;
  const across = props.width >= 40 * rem ? 2 : 1;
  const image = useMemo(
    () => paint(map.weights.map((weight) => shade(weight, top, "linear")), columns.length, rows.length),
    [map, rows, columns, top],
  );
  const at = props.at ?? { row: focus.value, column: -1 };
  const from = rows[at.row];
  const to = columns[at.column];
  return (
    <Plate
      name={title}
      rows={rows}
      columns={columns}
      image={image}
      room={(props.width - 12 * (across - 1)) / across}
      most={1.9}
      rem={rem}
      shown={at}
      locked={kNoCell}
      onPoint={props.onPoint}
      onLock={() => undefined}
    >
      <p class="readout">
        {from && to && (
          <>
            <bdi>{from.text}</bdi> → <bdi>{to.text}</bdi> <b>{percent(map.weights[at.row * columns.length + at.column]!)}</b>
          </>
        )}
      </p>
    </Plate>
  );
}

// Another run and its maps; a string says why there is none.
function useRun(text: string | undefined, untrained: boolean): { info: TraceInfo; maps: WordMap[] } | string | null {
  const kind = choice.value.head?.kind ?? "self";
  const [found, setFound] = useState<{ info: TraceInfo; maps: WordMap[] } | string | null>(null);
  useEffect(() => {
    setFound(null);
    if (text === undefined) return;
    const stop = new AbortController();
    runBeside(text, stop.signal, untrained)
      .then(async (info) => {
        const maps = await wordMaps(info, kind);
        return maps ? { info, maps } : tooLong(info);
      })
      .then(
        (run) => !stop.signal.aborted && setFound(run),
        (error: unknown) => !stop.signal.aborted && setFound(error instanceof Error ? error.message : String(error)),
      );
    return () => stop.abort();
  }, [text, untrained, kind]);
  return found;
}

const tooLong = (info: TraceInfo) =>
  fill(lesson().figures.too_long, { most: kMostMapped, n: Math.max(...info.sides.map((side) => side.tokens.length)) });

// A figure of the word in question: waits, and says so where the text is too long for it.
export function WithFound({ draw }: { draw: (found: Found) => ComponentChildren }) {
  const found = useFound();
  if (found === "long") return <p>{tooLong(trace.value!)}</p>;
  return <>{found ? draw(found) : <Waiting>{lesson().ui.waiting}</Waiting>}</>;
}

const of = (maps: WordMap[], head: HeadId) => maps.find((map) => sameHead(map.head, head));

// At the checkpoints of its training where there are some, else beside its untrained twin.
export function LearnedFigure() {
  return checkpoints.value.length > 0 ? <Training /> : <WithFound draw={(found) => <Twins found={found} />} />;
}

function Twins({ found: { info, head, map: trained } }: { found: Found }) {
  const f = lesson().figures;
  const twin = useRun(info.sides[0]!.text, true);
  const [box, { width, rem }] = useSize<HTMLDivElement>();
  const [at, setAt] = useState<Cell | null>(null);
  const random = twin && typeof twin !== "string" ? of(twin.maps, head) : undefined;
  // One scale of colours for both.
  const top = Math.max(...trained.weights, ...(random?.weights ?? []), 1e-9);
  const shared = { top, width, rem, at, onPoint: setAt };
  return (
    <div class="figure">
      <div class="plates" ref={box}>
        {typeof twin === "string" ? (
          <p class="muted">{twin}</p>
        ) : twin && random ? (
          <Beside info={twin.info} map={random} title={`${headName(head)}, ${f.untrained}`} {...shared} />
        ) : (
          <Waiting>{lesson().ui.waiting}</Waiting>
        )}
        <Beside info={info} map={trained} title={`${headName(head)}, ${f.trained}`} {...shared} />
      </div>
      <p class="muted">{f.random_note}</p>
    </div>
  );
}

// The sentence with `n` pieces put in between the two words, a comma clause before the word that
// stands before the later one (so that "because it" stays together).
export function pullApart(info: TraceInfo, query: number, key: number, n: number): string {
  const { open, pieces, close } = lesson().gap;
  const side = info.sides[0]!;
  if (n === 0) return side.text;
  const middle = open + pieces.slice(0, n - 1).join("") + close;
  const known = lesson().sentences.find((one) => one.text === side.text);
  if (known) return known.apart.replace("{gap}", () => middle);
  const [first, last] = [Math.min(query, key), Math.max(query, key)];
  const at = Math.max(first + 1, last - 1);
  const bytes = new TextEncoder().encode(side.text);
  const start = side.words[at]!.start;
  const decode = (part: Uint8Array) => new TextDecoder().decode(part);
  return `${decode(bytes.subarray(0, start)).trimEnd()}${middle} ${decode(bytes.subarray(start))}`;
}

export function DistanceFigure() {
  return <WithFound draw={(found) => <Distance found={found} />} />;
}

// The link that is pulled apart: the word's largest share in the head that is shown, not to a
// neighbour where there is another.
function linkOf(found: Found): Share | undefined {
  return found.here.find((share) => Math.abs(share.key - found.word) > 1) ?? found.here[0];
}

interface Point {
  apart: number; // words
  here: number; // the link's share in the head that is shown
  best: number; // and its largest over all heads
  bestHead: string;
}
// The link's share in a run in which its words are further apart; null where one of them is gone.
function pointOf(found: Found, link: Share, run: { info: TraceInfo; maps: WordMap[] }): Point | null {
  const words = run.info.sides[0]!.words;
  const own = found.info.sides[0]!.words;
  const later = found.word > link.key;
  const named = (wanted: string, last: boolean) => {
    const all = words.map((one, i) => ({ one, i })).filter(({ one }) => one.text === wanted);
    return (last ? all.at(-1) : all[0])?.i ?? -1;
  };
  const same = run.info === found.info;
  const query = same ? found.word : named(own[found.word]!.text, later);
  const key = same ? link.key : named(own[link.key]!.text, !later);
  const here = of(run.maps, link.head);
  if (query < 0 || key < 0 || !here) return null;
  const cell = (map: WordMap) => map.weights[query * words.length + key]!;
  const best = run.maps.reduce((a, b) => (cell(b) > cell(a) ? b : a));
  return { apart: Math.abs(query - key), here: cell(here), best: cell(best), bestHead: headName(best.head) };
}

function Distance({ found }: { found: Found }) {
  const { info, word } = found;
  const f = lesson().figures;
  // On disk there are runs of some distances only.
  const steps = theSource().canRun ? [...lesson().gap.pieces.keys(), lesson().gap.pieces.length] : [0, ...lesson().gap.ondisk];
  const [at, setAt] = useState(0);
  const n = steps[at] ?? 0;
  const [points, setPoints] = useState<ReadonlyMap<number, Point>>(new Map());
  const [failed, setFailed] = useState<string | null>(null);
  const link = linkOf(found);
  const text = link ? pullApart(info, word, link.key, n) : undefined;
  const run = useRun(n === 0 ? undefined : text, false);
  const place = `${info.id} ${word} ${headName(found.head)}`;
  useEffect(() => {
    const own = link && pointOf(found, link, found);
    setPoints(new Map(own ? [[0, own]] : []));
    setAt(0);
  }, [place]);
  useEffect(() => {
    setFailed(typeof run === "string" ? run : null);
    if (!run || typeof run === "string" || !link) return;
    const point = pointOf(found, link, run);
    if (point) setPoints((old) => new Map(old).set(n, point));
    else setFailed(f.link_gone);
  }, [run]);
  const words = info.sides[0]!.words;
  if (!link) return <p><Rich text={f.none} values={{ word: words[word]!.text }} /></p>;
  const all = [...points.values()].sort((a, b) => a.apart - b.apart);
  const now = points.get(n);
  const name = fill(f.link_in, { query: words[word]!.text, key: words[link.key]!.text, head: headName(link.head) });
  const curve = (of: (p: (typeof all)[number]) => number) => all.map((p): [number, number] => [p.apart, of(p)]);
  return (
    <div class="figure">
      <p class="said" dir="auto">
        {text}
      </p>
      <Slider label={f.words_between} value={at} min={0} max={steps.length - 1} step={1} text={now ? fill(f.apart, { n: now.apart }) : "…"} onInput={setAt} />
      {failed !== null && <p class="muted">{failed}</p>}
      <Chart
        title={name}
        curves={[
          { name: now ? `${name}: ${now.here.toFixed(2)}` : name, points: curve((p) => p.here) },
          { name: now ? `${f.link_best}: ${now.best.toFixed(2)} ${now.bestHead}` : f.link_best, points: curve((p) => p.best) },
        ]}
        at={now?.apart ?? -1}
        top={1}
        last={kFar}
        unit={(n) => fill(f.apart, { n })}
      />
      {info.model === kLessonModel && <p class="muted">{f.lesson_model}</p>}
    </div>
  );
}
