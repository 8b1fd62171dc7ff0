// SPDX-License-Identifier: Apache-2.0
// The row of controls above a view: head, level, scale, what is hidden.
import { headsName, type Kind } from "../data/types";
import type { Level, Part, Scale, Top } from "../lib/grid";
import { kMeanViews, type ViewName } from "../choice";
import { choice, choose, chooseHead, chooseMean, trace } from "../state";
import { Choose, Slider, Toggle } from "./controls";

const kGridViews: readonly ViewName[] = ["heatmap", "links", "compare"];

export function Options({ view }: { view: ViewName }) {
  const info = trace.value;
  const c = choice.value;
  if (!info || !c.head) return null;
  const head = c.head;
  const kinds = [...new Set(info.layers.map((l) => l.kind))];
  const layers = info.layers.filter((l) => l.kind === head.kind);
  const layer = layers.find((l) => l.layer === head.layer) ?? layers[0]!;
  const number = (n: number) => ({ value: String(n), text: String(n) });
  const grid = kGridViews.includes(view);
  const mean = info.choice.mean;
  const averaged = kMeanViews.includes(view);
  const paired = info.sides.some((side) => side.pair !== null);
  return (
    <div class="options" role="group" aria-label="What is shown">
      {kinds.length > 1 && (
        <Choose<Kind>
          label="Attention"
          value={head.kind}
          options={kinds.map((kind) => ({ value: kind, text: kind }))}
          onChange={(kind) => {
            const first = info.layers.find((l) => l.kind === kind)!;
            chooseHead({ kind, layer: first.layer, head: first.heads[0]! });
          }}
        />
      )}
      {mean && averaged && (
        <Choose
          label="Shown"
          value={c.mean.length > 0 ? "mean" : "head"}
          options={[
            { value: "mean", text: headsName(mean) },
            { value: "head", text: "one head" },
          ]}
          onChange={(value) => (value === "mean" ? chooseMean(mean) : chooseHead(head))}
        />
      )}
      {view !== "heads" && !(averaged && c.mean.length > 0) && (
        <>
          <Choose
            label="Layer"
            value={String(head.layer)}
            options={layers.map((l) => number(l.layer))}
            onChange={(value) => {
              const next = layers.find((l) => l.layer === Number(value))!;
              const same = next.heads.includes(head.head) ? head.head : next.heads[0]!;
              chooseHead({ kind: head.kind, layer: next.layer, head: same });
            }}
          />
          <Choose
            label="Head"
            value={String(head.head)}
            options={layer.heads.map(number)}
            onChange={(value) => chooseHead({ ...head, head: Number(value) })}
          />
        </>
      )}
      {(grid || view === "text") && (
        <Choose<Level>
          label="Level"
          value={c.level}
          options={[
            { value: "word", text: "words" },
            { value: "token", text: "tokens" },
            { value: "sentence", text: "sentences" },
          ]}
          onChange={(level) => choose({ level })}
        />
      )}
      {view !== "steps" && view !== "links" && (
        <Choose<Scale>
          label="Scale"
          value={c.scale}
          options={[
            { value: "linear", text: "linear" },
            { value: "log", text: "log" },
            { value: "rank", text: "rank" },
          ]}
          onChange={(scale) => choose({ scale })}
        />
      )}
      {grid && (
        <>
          {view !== "links" && (
            <Choose<Top>
              label="Darkest is"
              value={c.top}
              options={[
                { value: "map", text: "the map's largest" },
                { value: "row", text: "each row's largest" },
              ]}
              onChange={(top) => choose({ top })}
            />
          )}
          <Toggle
            label="Special tokens"
            checked={c.specials}
            onChange={(specials) => choose({ specials })}
          />
          <Toggle label="Sinks" checked={c.sinks} onChange={(sinks) => choose({ sinks })} />
          <Slider
            label="Keep mass"
            value={c.mass}
            min={0.05}
            max={1}
            step={0.05}
            text={`${Math.round(c.mass * 100)} %`}
            onInput={(mass) => choose({ mass }, false)}
          />
          {paired && (
            <Choose<Part>
              label="Pair"
              value={c.part}
              options={[
                { value: "all", text: "everything" },
                { value: "within", text: "within a text" },
                { value: "across", text: "across the texts" },
              ]}
              onChange={(part) => choose({ part })}
            />
          )}
        </>
      )}
    </div>
  );
}
