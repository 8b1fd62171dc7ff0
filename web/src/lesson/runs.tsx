// SPDX-License-Identifier: Apache-2.0
// Figures that need other runs: the untrained twin, words further and further apart.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { headName, type HeadId, type TraceInfo } from "../data/types";
import { paint } from "../lib/colour";
import { shade } from "../lib/grid";
import { bestLinks, wordMaps, type WordMap } from "../lib/links";
import { choice, theSource, trace } from "../state";
import { Slider, Waiting } from "../ui/controls";
import { focus, linksAt, runBeside, useMaps } from "./focus";
import { fill, lesson, Rich } from "./text";

// A small heatmap with the words on its rows.
function Plate({ info, map, title, top }: { info: TraceInfo; map: WordMap; title: string; top: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const rows = info.sides[map.layer.query]!.words;
  const columns = info.sides[map.layer.key]!.words;
  const cell = Math.max(4, Math.min(20, Math.floor(300 / columns.length)));
  useLayoutEffect(() => {
    const target = canvas.current;
    if (!target) return;
    target.width = columns.length;
    target.height = rows.length;
    const tints = map.weights.map((weight) => shade(weight, top, "linear"));
    target.getContext("2d")?.putImageData(paint(tints, columns.length, rows.length), 0, 0);
  }, [map, rows, columns, top]);
  const strongest = rows.map((row, i) => {
    const line = map.weights.subarray(i * columns.length, (i + 1) * columns.length);
    const at = line.indexOf(Math.max(...line));
    return `${row.text}: ${columns[at]!.text} ${line[at]!.toFixed(2)}`;
  });
  return (
    <figure class="plate">
      <figcaption>{title}</figcaption>
      <div class="plate-rows">
        <div class="plate-names" style={{ fontSize: `${Math.min(13, Math.max(8, cell - 3))}px` }} aria-hidden="true">
          {rows.map((row, i) => (
            <span key={i} style={{ height: `${cell}px`, lineHeight: `${cell}px` }} class={i === focus.value ? "on" : ""}>
              {row.text}
            </span>
          ))}
        </div>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${title}. ${strongest.slice(0, 60).join("; ")}`}
          style={{ width: `${cell * columns.length}px`, height: `${cell * rows.length}px` }}
        />
      </div>
    </figure>
  );
}

function useRun(text: string | undefined, untrained: boolean): { info: TraceInfo; maps: WordMap[] } | string | null {
  const kind = choice.value.head?.kind ?? "self";
  const [found, setFound] = useState<{ info: TraceInfo; maps: WordMap[] } | string | null>(null);
  useEffect(() => {
    setFound(null);
    if (text === undefined) return;
    const stop = new AbortController();
    runBeside(text, stop.signal, untrained)
      .then(async (info) => ({ info, maps: await wordMaps(info, kind) }))
      .then(
        (run) => !stop.signal.aborted && setFound(run),
        (error: unknown) => !stop.signal.aborted && setFound(error instanceof Error ? error.message : String(error)),
      );
    return () => stop.abort();
  }, [text, untrained, kind]);
  return found;
}

const of = (maps: WordMap[], head: HeadId) =>
  maps.find((map) => map.head.layer === head.layer && map.head.head === head.head);

export function LearnedFigure() {
  const info = trace.value;
  const head = choice.value.head;
  const f = lesson().figures;
  const maps = useMaps(info);
  const twin = useRun(info?.sides[0]?.text, true);
  if (!info || !head || !maps) return <Waiting>{lesson().ui.waiting}</Waiting>;
  const trained = of(maps, head);
  const random = twin && typeof twin !== "string" ? of(twin.maps, head) : undefined;
  // One scale of colours for both.
  const top = Math.max(...(trained?.weights ?? []), ...(random?.weights ?? []), 1e-9);
  return (
    <div class="figure">
      <div class="plates">
        {typeof twin === "string" ? (
          <p class="muted">{twin}</p>
        ) : twin && random ? (
          <Plate info={twin.info} map={random} top={top} title={`${headName(head)}, ${f.untrained}`} />
        ) : (
          <Waiting>{lesson().ui.waiting}</Waiting>
        )}
        {trained && <Plate info={info} map={trained} top={top} title={`${headName(head)}, ${f.trained}`} />}
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
  const info = trace.value;
  const f = lesson().figures;
  const maps = useMaps(info);
  // On disk there are runs of some distances only.
  const steps = theSource().canRun ? [...lesson().gap.pieces.keys(), lesson().gap.pieces.length] : [0, ...lesson().gap.ondisk];
  const [at, setAt] = useState(0);
  const n = steps[at] ?? 0;
  const [points, setPoints] = useState<Map<number, { apart: number; here: number; best: number; bestHead: string }>>(new Map());
  const [failed, setFailed] = useState<string | null>(null);
  const word = focus.value;
  const link = info && maps ? bestLinks(info, maps, word)[0] : undefined;
  const text = info && link ? pullApart(info, link.query, link.key, n) : undefined;
  const run = useRun(text, false);
  useEffect(() => {
    setPoints(new Map());
    setAt(0);
  }, [info, word]);
  useEffect(() => {
    setFailed(typeof run === "string" ? run : null);
    if (!run || typeof run === "string" || !info || !link) return;
    const words = run.info.sides[0]!.words;
    const named = (text: string, last: boolean) => {
      const all = words.map((one, i) => ({ one, i })).filter(({ one }) => one.text === text);
      return (last ? all.at(-1) : all[0])?.i ?? -1;
    };
    const own = info.sides[0]!.words;
    const later = link.query > link.key;
    const query = named(own[link.query]!.text, later);
    const key = named(own[link.key]!.text, !later);
    if (query < 0 || key < 0) return;
    const cell = (map: WordMap) => map.weights[query * words.length + key]!;
    const here = of(run.maps, link.head);
    const best = run.maps.reduce<WordMap | undefined>((a, b) => (!a || cell(b) > cell(a) ? b : a), undefined);
    if (!here || !best) return;
    const point = { apart: Math.abs(query - key), here: cell(here), best: cell(best), bestHead: headName(best.head) };
    setPoints((old) => new Map(old).set(n, point));
  }, [run]);
  if (!info || !maps) return <Waiting>{lesson().ui.waiting}</Waiting>;
  const words = info.sides[0]!.words;
  if (!link) return <p><Rich text={f.none} values={{ word: words[word]!.text }} /></p>;
  const all = [...points.values()].sort((a, b) => a.apart - b.apart);
  const now = points.get(n);
  const name = fill(f.link_in, { query: words[link.query]!.text, key: words[link.key]!.text, head: headName(link.head) });
  const far = Math.max(...all.map((p) => p.apart), 20);
  const x = (apart: number) => 40 + (560 * apart) / far;
  const y = (share: number) => 150 - 140 * share;
  return (
    <div class="figure">
      <p class="said" dir="auto">
        {text}
      </p>
      <Slider label={f.words_between} value={at} min={0} max={steps.length - 1} step={1} text={now ? fill(f.apart, { n: now.apart }) : "…"} onInput={setAt} />
      {failed !== null && <p class="muted">{failed}</p>}
      <svg class="curve" viewBox="0 0 620 190" role="img" aria-label={`${name}: ${all.map((p) => `${p.apart}: ${p.here.toFixed(2)}`).join(", ")}`}>
        {[0, 0.5, 1].map((share) => (
          <g key={share}>
            <line x1={40} x2={600} y1={y(share)} y2={y(share)} class="rule" />
            <text x={32} y={y(share) + 4} text-anchor="end">{share}</text>
          </g>
        ))}
        <text x={600} y={178} text-anchor="end">{fill(f.apart, { n: far })}</text>
        <polyline class="best" points={all.map((p) => `${x(p.apart)},${y(p.best)}`).join(" ")} />
        <polyline class="here" points={all.map((p) => `${x(p.apart)},${y(p.here)}`).join(" ")} />
        {all.map((p) => (
          <circle key={p.apart} class={p === now ? "here now" : "here"} cx={x(p.apart)} cy={y(p.here)} r={p === now ? 6 : 4} />
        ))}
      </svg>
      <p class="figure-key">
        <span class="here">{name}{now && `: ${now.here.toFixed(2)}`}</span>
        <span class="best">{f.link_best}{now && `: ${now.best.toFixed(2)} ${now.bestHead}`}</span>
      </p>
    </div>
  );
}

export function useLinks() {
  const info = trace.value;
  const head = choice.value.head;
  const maps = useMaps(info);
  if (!info || !head || !maps) return null;
  return { info, head, maps, word: focus.value, ...linksAt(info, maps, focus.value, head) };
}

