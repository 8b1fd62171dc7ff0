// SPDX-License-Identifier: Apache-2.0
// Every head as a small picture, sorted and filtered by measures that come from the record; a click
// opens a head.
import { useEffect, useRef, useState } from "preact/hooks";

import { headName, sameHead, type HeadId, type HeadMeasure } from "../../data/types";
import { paint } from "../../lib/colour";
import { percent, shades } from "../../lib/grid";
import { choice, choose, chooseHead, measures, report, theSource, trace } from "../../state";
import { Choose, DataTable, Waiting } from "../../ui/controls";

const kThumbnail = 48; // cells a side at most

const kMeasures = [
  { key: "layer", title: "layer and head", what: "the model's order" },
  { key: "link", title: "strongest content link", what: "largest weight between two words that are neither neighbours nor special" },
  { key: "entropy", title: "entropy", what: "mean over rows, in bits: low is sharp" },
  { key: "distance", title: "distance", what: "mean distance looked, in tokens" },
  { key: "previous", title: "previous token", what: "mean weight on the token before" },
  { key: "next", title: "next token", what: "mean weight on the token after" },
  { key: "same", title: "same token", what: "mean weight on itself" },
  { key: "first", title: "first token", what: "mean weight on the first token (a sink)" },
  { key: "special", title: "special tokens", what: "mean weight on special tokens" },
] as const;
type MeasureKey = (typeof kMeasures)[number]["key"];

function valueOf(m: HeadMeasure, key: MeasureKey): number {
  if (key === "layer") return -(m.head.layer * 4096 + m.head.head);
  if (key === "link") return m.link?.weight ?? 0;
  return m[key];
}

function said(m: HeadMeasure, key: MeasureKey): string {
  if (key === "layer" || key === "link") {
    if (!m.link) return "no content link";
    const words = trace.value!.sides;
    const layer = trace.value!.layers.find((l) => l.kind === m.head.kind && l.layer === m.head.layer)!;
    const from = words[layer.query]!.words[m.link.query]?.text ?? "?";
    const to = words[layer.key]!.words[m.link.key]?.text ?? "?";
    return `${from} → ${to} ${m.link.weight.toFixed(2)}`;
  }
  if (key === "entropy") return `${m.entropy.toFixed(2)} bits`;
  if (key === "distance") return `${m.distance.toFixed(1)} tokens`;
  return percent(m[key]);
}

export function Heads() {
  const [by, setBy] = useState<MeasureKey>("layer");
  const [ascending, setAscending] = useState(false);
  const [only, setOnly] = useState("all");
  const info = trace.value;
  const list = measures.value;
  if (!info) return null;
  if (list.length === 0) return <Waiting>Measuring the heads…</Waiting>;
  const layers = [...new Set(list.map((m) => `${m.head.kind} ${m.head.layer}`))];
  const direction = ascending ? 1 : -1;
  const shown = list
    .filter((m) => only === "all" || `${m.head.kind} ${m.head.layer}` === only)
    .sort((a, b) => direction * (valueOf(a, by) - valueOf(b, by)));
  const measure = kMeasures.find((m) => m.key === by)!;
  return (
    <section class="heads" aria-label="All heads">
      <div class="options" role="group" aria-label="Sort and filter">
        <Choose<MeasureKey>
          label="Sort by"
          value={by}
          options={kMeasures.map((m) => ({ value: m.key, text: m.title }))}
          onChange={setBy}
        />
        <Choose
          label="Order"
          value={ascending ? "up" : "down"}
          options={[
            { value: "down", text: by === "layer" ? "first to last" : "largest first" },
            { value: "up", text: by === "layer" ? "last to first" : "smallest first" },
          ]}
          onChange={(value) => setAscending(value === "up")}
        />
        <Choose
          label="Layers"
          value={only}
          options={[
            { value: "all", text: "all" },
            ...layers.map((l) => ({ value: l, text: l.replace(/^self /, "layer ") })),
          ]}
          onChange={setOnly}
        />
        <span class="muted">{measure.what}</span>
      </div>
      <ul class="thumbnails">
        {shown.map((m) => (
          <li key={headName(m.head)}>
            <button
              type="button"
              class={choice.value.head && sameHead(choice.value.head, m.head) ? "thumbnail on" : "thumbnail"}
              onClick={() => {
                chooseHead(m.head);
                choose({ view: "heatmap" });
              }}
            >
              <Thumbnail trace={info.id} head={m.head} />
              <b>{headName(m.head)}</b>
              <span>{said(m, by)}</span>
            </button>
          </li>
        ))}
      </ul>
      <DataTable
        caption="Measures of every head"
        columns={kMeasures.slice(1).map((m) => m.title)}
        rows={shown.map((m) => ({
          name: headName(m.head),
          cells: kMeasures.slice(1).map((k) => said(m, k.key)),
        }))}
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
      const grid = {
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
    });
    observer.observe(target);
    return () => {
      observer.disconnect();
      abort.abort();
    };
  }, [props.trace, kind, layer, head, scale]);
  return <canvas ref={canvas} aria-hidden="true" />;
}
