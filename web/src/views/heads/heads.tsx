// SPDX-License-Identifier: Apache-2.0
// Every head as a small picture, sorted and filtered by measures that come from the record; a click
// opens a head.
import { useEffect, useRef } from "preact/hooks";

import type { HeadsOrder, SortKey } from "../../choice";
import { headName, sameHead, type HeadId, type HeadMeasure } from "../../data/types";
import { paint } from "../../lib/colour";
import { percent, shades, type Grid } from "../../lib/grid";
import { choice, choose, chooseHead, measures, report, theSource, trace } from "../../state";
import { Choose, Slider } from "../../ui/controls";
import { useSize } from "../../ui/layout";
import { DataTable } from "../../ui/table";

const kThumbnail = 48; // cells a side at most

const kMeasures: readonly { key: SortKey; title: string; what: string }[] = [
  { key: "layer", title: "layer and head", what: "the model's order" },
  { key: "link", title: "strongest content link", what: "largest weight between two words that are neither neighbours nor special" },
  { key: "entropy", title: "entropy", what: "mean over rows, in bits: low is sharp" },
  { key: "distance", title: "distance", what: "mean distance looked, in tokens" },
  { key: "previous", title: "previous token", what: "mean weight on the token before" },
  { key: "next", title: "next token", what: "mean weight on the token after" },
  { key: "same", title: "same token", what: "mean weight on itself" },
  { key: "first", title: "first token", what: "mean weight on the first token (a sink)" },
  { key: "special", title: "special tokens", what: "mean weight on special tokens" },
];

function valueOf(m: HeadMeasure, key: SortKey): number {
  if (key === "layer") return m.head.layer;
  if (key === "link") return m.link?.weight ?? 0;
  return m[key];
}

function said(m: HeadMeasure, key: SortKey): string {
  if (key === "layer" || key === "link") {
    if (!m.link) return "no content link";
    const words = trace.value!.sides;
    const layer = trace.value!.layers.find((l) => l.kind === m.head.kind && l.layer === m.head.layer)!;
    const from = words[layer.query]!.words[m.link.query]?.text ?? "?";
    const to = words[layer.key]!.words[m.link.key]?.text ?? "?";
    return `${from} → ${to} ${m.link.weight.toFixed(2)}`;
  }
  const value = m[key];
  if (Number.isNaN(value)) return "–";
  if (key === "entropy") return `${value.toFixed(2)} bits`;
  if (key === "distance") return `${value.toFixed(1)} tokens`;
  return percent(value);
}

export function Heads() {
  const { by, ascending, layers, only: filter, most, share } = choice.value.order;
  const order = (change: Partial<HeadsOrder>, step = true) =>
    choose({ order: { ...choice.value.order, ...change } }, step);
  const [box, { width, rem }] = useSize<HTMLUListElement>();
  const info = trace.value;
  if (!info) return null;
  const measured = new Map(measures.value.map((m) => [headName(m.head), m]));
  const all = info.layers.flatMap((l) => l.heads.map((head): HeadId => ({ kind: l.kind, layer: l.layer, head })));
  const layerOf = (h: HeadId) => (h.kind === "self" ? `layer ${h.layer}` : `${h.kind} ${h.layer}`);
  const value = (h: HeadId, key: SortKey) => {
    const m = measured.get(headName(h));
    return m ? valueOf(m, key) : 0;
  };
  const known = filter === "none" ? [] : all.map((h) => value(h, filter)).filter((x) => !Number.isNaN(x));
  const range = known.length === 0 ? [0, 0] : [Math.min(...known), Math.max(...known)];
  const bound = range[0]! + share * (range[1]! - range[0]!);
  const passes = (h: HeadId) =>
    filter === "none" || (most ? value(h, filter) <= bound : value(h, filter) >= bound);
  const direction = ascending ? 1 : -1;
  const place = (h: HeadId) => {
    const x = value(h, by);
    return Number.isNaN(x) ? -direction * Infinity : x; // last, whichever way
  };
  const shown = all
    .filter((h) => (layers === "all" || layerOf(h) === layers) && passes(h))
    .sort((a, b) => (by === "layer" ? -direction * (all.indexOf(a) - all.indexOf(b)) : place(a) === place(b) ? 0 : direction * (place(a) - place(b))));
  // In the model's order a row is a layer, where there is room.
  const wide = Math.max(...info.layers.map((l) => l.heads.length));
  const inRows = by === "layer" && filter === "none" && !ascending && width >= 5.1 * rem * wide;
  const measure = kMeasures.find((m) => m.key === by)!;
  return (
    <section class="heads" aria-label="All heads">
      <div class="options" role="group" aria-label="Sort and filter">
        <Choose<SortKey>
          label="Sort by"
          value={by}
          options={kMeasures.map((m) => ({ value: m.key, text: m.title }))}
          onChange={(by) => order({ by })}
        />
        <Choose
          label="Order"
          value={ascending ? "up" : "down"}
          options={[
            { value: "down", text: by === "layer" ? "first to last" : "largest first" },
            { value: "up", text: by === "layer" ? "last to first" : "smallest first" },
          ]}
          onChange={(chosen) => order({ ascending: chosen === "up" })}
        />
        <Choose
          label="Layers"
          value={layers}
          options={[{ value: "all", text: "all" }, ...[...new Set(all.map(layerOf))].map((l) => ({ value: l, text: l }))]}
          onChange={(layers) => order({ layers })}
        />
        <Choose<HeadsOrder["only"]>
          label="Only heads by"
          value={filter}
          options={[
            { value: "none", text: "no measure" },
            ...kMeasures.flatMap(({ key, title }) => (key === "layer" ? [] : [{ value: key, text: title }])),
          ]}
          onChange={(only) => order({ only })}
        />
        {filter !== "none" && (
          <>
            <Choose
              label="that is"
              value={most ? "most" : "least"}
              options={[
                { value: "least", text: "at least" },
                { value: "most", text: "at most" },
              ]}
              onChange={(chosen) => order({ most: chosen === "most" })}
            />
            <Slider label="Bound" value={share} min={0} max={1} step={0.02} text={bound.toFixed(2)} onInput={(share) => order({ share }, false)} />
          </>
        )}
      </div>
      <p class="muted" role="status">
        {shown.length} of {all.length} heads{by === "layer" ? "" : `; ${measure.title}: ${measure.what}`}
        {measured.size === 0 && "; measuring…"}
      </p>
      <ul ref={box} class="thumbnails" style={inRows ? { gridTemplateColumns: `repeat(${wide}, 1fr)`, gap: "8px" } : {}}>
        {shown.map((head) => {
          const m = measured.get(headName(head));
          return (
            <li key={headName(head)}>
              <button
                type="button"
                class={choice.value.head && sameHead(choice.value.head, head) ? "thumbnail on" : "thumbnail"}
                onClick={() => {
                  chooseHead(head);
                  choose({ view: "heatmap" }, false);
                }}
              >
                <Thumbnail trace={info.id} head={head} />
                <b>{headName(head)}</b>
                <span>{m ? said(m, by) : "…"}</span>
              </button>
            </li>
          );
        })}
      </ul>
      <DataTable
        table={() => ({
          caption: "Measures of the heads shown",
          columns: ["head", ...kMeasures.slice(1).map((m) => m.title), "link"],
          rows: shown.map((head) => {
            const m = measured.get(headName(head));
            return [headName(head), ...kMeasures.slice(1).map((k) => value(head, k.key)), m?.link ? said(m, "link") : ""];
          }),
        })}
      />
    </section>
  );
}

// Loaded when it comes into sight.
function Thumbnail(props: { trace: string; head: HeadId }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { kind, layer, head } = props.head;
  const scale = choice.value.scale;
  useEffect(() => {
    const target = canvas.current;
    const info = trace.value;
    if (!target || !info) return;
    const at = info.layers.find((l) => l.kind === kind && l.layer === layer)!;
    const region = {
      rowBegin: 0,
      rowEnd: info.sides[at.query]!.tokens.length,
      columnBegin: 0,
      columnEnd: info.sides[at.key]!.tokens.length,
    };
    const abort = new AbortController();
    const draw = async () => {
      const tile = await theSource().tile(
        props.trace,
        { kind, layer, head },
        region,
        kThumbnail,
        "max",
        abort.signal,
      );
      const grid: Grid = {
        rowUnits: new Array(tile.rows),
        columnUnits: new Array(tile.columns),
        weights: tile.cells,
        notes: [],
      };
      target.width = tile.columns;
      target.height = tile.rows;
      const tints = shades(grid, scale, "map");
      target.getContext("2d")?.putImageData(paint(tints, tile.columns, tile.rows), 0, 0);
    };
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((e) => e.isIntersecting)) return;
      observer.disconnect();
      draw().catch(report);
    }, { rootMargin: "3000px 0px" });
    observer.observe(target);
    return () => {
      observer.disconnect();
      abort.abort();
    };
  }, [props.trace, kind, layer, head, scale]);
  return <canvas ref={canvas} aria-hidden="true" />;
}
