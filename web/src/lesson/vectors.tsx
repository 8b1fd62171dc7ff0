// SPDX-License-Identifier: Apache-2.0
// Figures on one word's row in one head: queries, keys and values; scores and softmax; what flows on.
import { useEffect, useState } from "preact/hooks";

import type { Explanation, Unit } from "../data/types";
import { axes, choice, report, theSource, trace } from "../state";
import { Slider, Waiting } from "../ui/controls";
import { largest } from "../views/steps/strip";
import { Vector } from "../views/steps/vector";
import { focus } from "./focus";
import { Bars } from "./sentence";
import { reweighted } from "./softmax";
import { fill, lesson } from "./text";

// The first token of the word in question, worked through by the source.
function useExplanation(): Explanation | null {
  const info = trace.value;
  const head = choice.value.head;
  const token = axes.value?.query.words[focus.value]?.tokens[0] ?? 0;
  const [found, setFound] = useState<{ id: string; e: Explanation } | null>(null);
  useEffect(() => {
    if (!info || !head) return;
    let current = true;
    theSource()
      .explain(info.id, head, token)
      .then((e) => current && setFound({ id: info.id, e }), report);
    return () => void (current = false);
  }, [info, head, token]);
  const e = found?.e;
  return e && found.id === info?.id && e.queryIndex === token && e.head.layer === head?.layer && e.head.head === head.head
    ? e
    : null;
}

const byWord = (units: Unit[], numbers: number[]) =>
  units.map((unit) => unit.tokens.reduce((sum, t) => sum + (numbers[t] ?? 0), 0));

// Says so where the word in question is read in pieces.
function Pieces() {
  const n = axes.value?.query.words[focus.value]?.tokens.length ?? 1;
  return n > 1 ? <p class="muted">{fill(lesson().figures.pieces, { n })}</p> : null;
}

export function QueryFigure() {
  const f = lesson().figures;
  const e = useExplanation();
  const [at, setAt] = useState(0);
  const [query, setQuery] = useState<number[] | null>(null);
  useEffect(() => {
    setQuery(null);
    if (e) setAt(mostMoving(e));
  }, [e]);
  const both = axes.value;
  if (!e || !both) return <Waiting>{lesson().ui.waiting}</Waiting>;
  const now = query ?? e.query;
  const keys = both.key.words;
  const word = both.query.words[focus.value]!.text;
  const dots = e.steps.map((s) => s.dot + s.key.reduce((sum, k, i) => sum + k * (now[i]! - e.query[i]!), 0));
  const before = byWord(keys, e.steps.map((s) => s.weight));
  const after = query ? byWord(keys, reweighted(e, dots, e.score.scale)) : before;
  const best = after.indexOf(Math.max(...after));
  const shown = e.steps[keys[best]!.tokens[0]!]!;
  const most = Math.max(...e.query.map(Math.abs)) * 3;
  return (
    <div class="figure">
      <Pieces />
      <Vector numbers={now} label={fill(f.query, { word })} />
      <Slider
        label={fill(f.element, { i: at })}
        value={now[at]!}
        min={-most}
        max={most}
        step={most / 200}
        text={`${now[at]!.toFixed(2)} (${fill(f.was, { x: e.query[at]!.toFixed(2) })})`}
        onInput={(x) => setQuery(now.map((old, i) => (i === at ? x : old)))}
      />
      <div class="options">
        <label class="control">
          <span>{fill(f.element, { i: "" }).trim()}</span>
          <select value={String(at)} onChange={(event) => setAt(Number(event.currentTarget.value))}>
            {now.map((x, i) => (
              <option key={i} value={String(i)}>
                {i}: {x.toFixed(2)}
              </option>
            ))}
          </select>
        </label>
        <button type="button" disabled={query === null} onClick={() => setQuery(null)}>
          {f.back}
        </button>
      </div>
      <Vector numbers={shown.key} label={fill(f.key, { word: keys[best]!.text })} />
      {shown.value.length > 0 && (
        <Vector numbers={shown.value} label={fill(f.value, { word: keys[best]!.text })} />
      )}
      <Bars
        label={fill(f.share, {})}
        top={1}
        bars={keys.map((key, i) => ({
          name: key.text,
          share: after[i]!,
          ...(query ? { before: before[i]! } : {}),
          strong: i === best,
        }))}
      />
    </div>
  );
}

// The query's number whose change moves the shares most: the keys differ most there.
function mostMoving(e: Explanation): number {
  const spread = e.query.map((_, i) => {
    const mean = e.steps.reduce((sum, s) => sum + s.weight * s.key[i]!, 0);
    return e.steps.reduce((sum, s) => sum + s.weight * (s.key[i]! - mean) ** 2, 0);
  });
  return spread.indexOf(Math.max(...spread));
}

export function ScoresFigure() {
  const f = lesson().figures;
  const e = useExplanation();
  const [factor, setFactor] = useState(0); // log2
  useEffect(() => setFactor(0), [e]);
  const both = axes.value;
  if (!e || !both) return <Waiting>{lesson().ui.waiting}</Waiting>;
  const scale = e.score.scale * 2 ** factor;
  const weights = reweighted(e, e.steps.map((s) => s.dot), scale);
  const names = both.key.tokens.map((t) => t.text);
  const most = Math.max(...e.steps.map((s) => Math.abs(s.dot)), 1e-9);
  return (
    <div class="figure">
      <Pieces />
      <Slider
        label={f.scale}
        value={factor}
        min={-4}
        max={4}
        step={0.25}
        text={`${+scale.toPrecision(3)}${factor === 0 ? "" : ` (${fill(f.was, { x: +e.score.scale.toPrecision(3) })})`}`}
        onInput={setFactor}
      />
      <div class="scroll">
        <table class="scores">
          <thead>
            <tr>
              <th scope="col">{f.word}</th>
              <th scope="col">{f.dot}</th>
              <th scope="col" aria-hidden="true" />
              <th scope="col">{f.logit}</th>
              <th scope="col">{f.share}</th>
              <th scope="col" aria-hidden="true" />
            </tr>
          </thead>
          <tbody>
            {e.steps.slice(0, 200).map((s, i) => (
              <tr key={i}>
                <th scope="row" dir="auto">
                  {names[s.token]}
                </th>
                <td>{s.dot.toFixed(2)}</td>
                <td aria-hidden="true" class="track two">
                  <span
                    class={s.dot < 0 ? "minus" : "plus"}
                    style={{ width: `${(50 * Math.abs(s.dot)) / most}%`, [s.dot < 0 ? "right" : "left"]: "50%" }}
                  />
                </td>
                <td>{s.masked ? "−∞" : (s.dot * scale).toFixed(2)}</td>
                <td>{weights[i]!.toFixed(3)}</td>
                <td aria-hidden="true" class="track">
                  <span class="plus" style={{ width: `${100 * weights[i]!}%` }} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

export function FlowFigure() {
  const f = lesson().figures;
  const e = useExplanation();
  const both = axes.value;
  if (!e || !both) return <Waiting>{lesson().ui.waiting}</Waiting>;
  if (e.output.length === 0) return null;
  const names = both.key.tokens.map((t) => t.text);
  const order = [...e.steps].sort((a, b) => b.weight - a.weight);
  const top = order.slice(0, 4);
  const rest = e.output.map((x, i) => x - top.reduce((sum, s) => sum + s.weight * s.value[i]!, 0));
  const word = both.query.words[focus.value]!.text;
  const parts = top.map((s) => s.value.map((x) => x * s.weight));
  const most = largest([...parts, rest, e.output].flat()); // one scale of colours
  return (
    <div class="figure">
      <Pieces />
      {top.map((s, i) => (
        <Vector
          key={s.token}
          most={most}
          numbers={parts[i]!}
          label={`${s.weight.toFixed(3)} × ${fill(f.value, { word: names[s.token]! })}`}
        />
      ))}
      <Vector most={most} numbers={rest} label={`+ ${f.rest}`} />
      <Vector most={most} numbers={e.output} label={`= ${fill(f.output, { word })}`} />
    </div>
  );
}
