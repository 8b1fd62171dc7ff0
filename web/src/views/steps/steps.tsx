// SPDX-License-Identifier: Apache-2.0
// One token's row of one head worked through with its real numbers: q, each k, q*k, the product,
// scale, mask, softmax, weighted values, output.
import { useEffect, useMemo, useState } from "preact/hooks";

import { headName, type Explanation, type ScoreSpec } from "../../data/types";
import { percent } from "../../lib/grid";
import { axes, choice, choose, layer, report, theSource, trace } from "../../state";
import { Choose, Waiting } from "../../ui/controls";
import { elide } from "../../ui/layout";
import { DataTable } from "../../ui/table";
import { largest, Strip } from "./strip";
import { Vector } from "./vector";

const kMostKeys = 160; // drawn


export function Steps() {
  const info = trace.value;
  const head = choice.value.head;
  const both = axes.value;
  const at = layer.value;
  const [found, setFound] = useState<Explanation | null>(null);
  const tokens = both?.query.tokens ?? [];
  const first = tokens.findIndex((token) => !token.special);
  const token = choice.value.row ?? info?.links.find((l) => head && l.head.layer === head.layer && l.head.head === head.head)?.query;
  const row =
    choice.value.row ??
    (token !== undefined ? (both?.query.words[token]?.tokens[0] ?? null) : null) ??
    Math.max(first, 0);
  useEffect(() => {
    if (!info || !head) return;
    let current = true;
    theSource()
      .explain(info.id, head, row)
      .then((e) => current && setFound(e), report);
    return () => void (current = false);
  }, [info, head, row]);
  if (!info || !head || !both || !at) return <Waiting>Reading the trace…</Waiting>;
  if (!at.score) return <p class="empty">These weights were given ready-made: there are no queries and keys to look at.</p>;
  const picker = (
    <Choose
      label="Word that attends"
      value={String(row)}
      options={tokens.slice(0, 4096).map((t, i) => ({ value: String(i), text: `${i} ${t.text}` }))}
      onChange={(value) => choose({ row: Number(value) })}
    />
  );
  if (!found || found.queryIndex !== row || found.head.layer !== head.layer || found.head.head !== head.head)
    return (
      <section class="steps" aria-label="Step by step">
        {picker}
        <Waiting>Working it out…</Waiting>
      </section>
    );
  return (
    <section class="steps" aria-label="Step by step">
      {picker}
      <Worked e={found} names={both.key.tokens.map((t) => t.text)} from={tokens[row]!.text} />
    </section>
  );
}

const number = (x: number) => (Number.isFinite(x) ? x.toFixed(3).replace("-", "−") : x > 0 ? "∞" : "−∞");

// What stands between q·k and the logit.
function formula(score: ScoreSpec, dot: number, logit: number): string {
  const scaled = score.scale * dot;
  const parts = [`× ${+score.scale.toPrecision(4)} = ${number(scaled)}`];
  if (score.cap > 0) parts.push(`soft cap ${score.cap} · tanh(x / ${score.cap})`);
  const rest = logit - (score.cap > 0 ? score.cap * Math.tanh(scaled / score.cap) : scaled);
  if (Math.abs(rest) > 1e-5) parts.push(`positions add ${number(rest)}`);
  return parts.join(", ");
}

function Worked({ e, names, from }: { e: Explanation; names: string[]; from: string }) {
  const [sorted, setSorted] = useState(false);
  const order = useMemo(() => {
    const list = e.steps.map((_, i) => i);
    return sorted ? list.sort((a, b) => e.steps[b]!.weight - e.steps[a]!.weight) : list;
  }, [e, sorted]);
  const strongest = order.reduce((best, i) => (e.steps[i]!.weight > e.steps[best]!.weight ? i : best), 0);
  // Of a long text the steps are those of the heaviest keys.
  const wanted = e.steps.findIndex((s) => s.token === choice.value.column);
  const chosen = wanted < 0 ? strongest : wanted;
  const picked = e.steps[chosen]!;
  const to = names[picked.token] ?? "";
  const product = picked.key.map((k, i) => k * e.query[i]!);
  const hidden = e.steps.some((s) => s.masked);
  return (
    <>
      <ol class="working">
        <li>
          <h3>
            The query of <bdi class="word-name">{from}</bdi>
          </h3>
          <Vector numbers={e.query} label={`query of ${from}`} />
        </li>
        <li>
          <h3>
            Times the key of <bdi class="word-name">{to}</bdi>, number by number
          </h3>
          <Vector numbers={picked.key} label={`key of ${to}`} />
          <Vector numbers={product} label="query × key" />
          <p>
            Added up, q·k = <b>{number(picked.dot)}</b>.{" "}
            {picked.masked ? (
              <>The mask hides this key: its logit is −∞ and its weight 0.</>
            ) : (
              <>
                {formula(e.score, picked.dot, picked.logit)}; so the logit is <b>{number(picked.logit)}</b>.
              </>
            )}
          </p>
        </li>
        <li>
          <h3>Softmax over every key</h3>
          <p>
            weight = exp(logit − lse), where lse = ln Σ exp(logit) = <b>{number(e.lse)}</b> over the keys that{" "}
            <bdi>{from}</bdi> may see. For <bdi>{to}</bdi>: exp({picked.masked ? "−∞" : number(picked.logit)} − {number(e.lse)}) ={" "}
            <b>{percent(picked.weight)}</b>.{hidden && " Masked keys are left out."}
          </p>
          <label class="toggle">
            <input type="checkbox" checked={sorted} onChange={(event) => setSorted(event.currentTarget.checked)} /> largest first
          </label>
          <Keys e={e} names={names} order={order} chosen={chosen} />
        </li>
        {e.output.length > 0 && (
          <li>
            <h3>What flows on: values, weighted and added</h3>
            <Vector numbers={picked.value} label={`value of ${to}`} />
            <Vector most={largest(e.output)} numbers={picked.value.map((v) => v * picked.weight)} label={`value of ${to} × ${percent(picked.weight)}`} />
            <Vector numbers={e.output} label={`output of ${headName(e.head)} for ${from}: the sum over all keys`} />
          </li>
        )}
      </ol>
      <DataTable
        table={() => ({
          caption: `Every key seen by ${from} in ${headName(e.head)}`,
          columns: ["key (attended to)", "q·k", "logit", "weight"],
          rows: e.steps.map((s) => [names[s.token] ?? "", s.dot, s.masked ? "masked" : s.logit, s.weight]),
        })}
      />
    </>
  );
}

// Each key with its picture, its product with the query, its numbers and its value.
function Keys(props: { e: Explanation; names: string[]; order: number[]; chosen: number }) {
  const { e, names } = props;
  const most = useMemo(() => {
    const of = (list: (s: Explanation["steps"][number]) => number[]) => largest(e.steps.flatMap(list));
    return {
      key: of((s) => s.key),
      product: of((s) => s.key.map((k, i) => k * e.query[i]!)),
      value: of((s) => s.value),
      weight: largest(e.steps.map((s) => s.weight)) || 1,
    };
  }, [e]);
  const valued = e.output.length > 0;
  return (
    <>
      <div class={valued ? "keys valued" : "keys"}>
        <div class="key-row titles" aria-hidden="true">
          <span>key</span>
          <span class="wide">its numbers</span>
          <span class="wide">query × key</span>
          <span class="figure">q·k</span>
          <span class="figure logit">logit</span>
          <span>weight</span>
          <span class="figure" />
          {valued && <span class="wide">value</span>}
        </div>
        <ol>
          {props.order.slice(0, kMostKeys).map((i) => {
            const s = e.steps[i]!;
            return (
              <li key={i}>
                <button
                  type="button"
                  class="key-row"
                  aria-pressed={i === props.chosen}
                  onClick={() => choose({ column: s.token })}
                >
                  <bdi class="key-name">{elide(names[s.token]!, 16)}</bdi>
                  <Strip numbers={s.key} most={most.key} />
                  <Strip numbers={s.key.map((k, d) => k * e.query[d]!)} most={most.product} />
                  <span class="figure">{number(s.dot)}</span>
                  <span class="figure logit">{s.masked ? "masked" : number(s.logit)}</span>
                  <span class="bar-track">
                    <span class="bar-fill" style={{ width: `${(100 * s.weight) / most.weight}%` }} />
                  </span>
                  <span class="figure">{percent(s.weight)}</span>
                  {valued && <Strip numbers={s.value} most={most.value} />}
                </button>
              </li>
            );
          })}
        </ol>
      </div>
      {props.order.length > kMostKeys && (
        <p class="muted">
          {kMostKeys} of {names.length.toLocaleString("en")} keys are drawn; the table has{" "}
          {props.order.length === names.length ? "them all" : `the ${props.order.length.toLocaleString("en")} with the largest weights`}.
        </p>
      )}
    </>
  );
}
