// SPDX-License-Identifier: Apache-2.0
// One token's row of one head worked through with its real numbers: q, each k, q*k, the product,
// scale, mask, softmax, weighted values, output.
import { useEffect, useState } from "preact/hooks";

import { headName, type Explanation, type ScoreSpec } from "../../data/types";
import { percent } from "../../lib/grid";
import { axes, choice, choose, dark, layer, report, theSource, trace } from "../../state";
import { Choose, DataTable, Waiting } from "../../ui/controls";
import { elide } from "../../ui/layout";
import { Vector } from "./vector";

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

const number = (x: number) => (Number.isFinite(x) ? x.toFixed(3) : x > 0 ? "∞" : "−∞");

function formula(score: ScoreSpec): string {
  const parts = [`× ${+score.scale.toPrecision(4)}`];
  if (score.cap > 0) parts.push(`soft cap ${score.cap}`);
  if (score.alibi !== "none") parts.push("ALiBi");
  return parts.join(", ");
}

function Worked({ e, names, from }: { e: Explanation; names: string[]; from: string }) {
  const order = e.steps.map((_, i) => i);
  const [sorted, setSorted] = useState(false);
  const seen = sorted ? [...order].sort((a, b) => e.steps[b]!.weight - e.steps[a]!.weight) : order;
  const chosen = choice.value.column ?? order.reduce((best, i) => (e.steps[i]!.weight > e.steps[best]!.weight ? i : best), 0);
  const most = Math.max(...e.steps.map((s) => s.weight), 1e-9);
  const largest = Math.max(...e.steps.map((s) => (s.masked ? -Infinity : s.logit)));
  const picked = e.steps[Math.min(chosen, e.steps.length - 1)]!;
  const product = picked.key.map((k, i) => k * e.query[i]!);
  const theme = dark.value;
  return (
    <>
      <ol class="working">
        <li>
          <h3>
            The query of <b>{from}</b>
          </h3>
          <Vector numbers={e.query} label={`query of ${from}`} dark={theme} />
        </li>
        <li>
          <h3>
            Times the key of <b>{names[picked.token]}</b>, element by element
          </h3>
          <Vector numbers={picked.key} label={`key of ${names[picked.token]}`} dark={theme} />
          <Vector numbers={product} label="query × key" dark={theme} />
          <p>
            Their sum is q·k = <b>{number(picked.dot)}</b>; {formula(e.score)} gives the logit{" "}
            <b>{picked.masked ? "masked" : number(picked.logit)}</b>.
          </p>
        </li>
        <li>
          <h3>Softmax over all keys</h3>
          <p>
            weight = exp(logit − lse), with lse = ln Σ exp(logit) = <b>{number(e.lse)}</b>. For{" "}
            {names[picked.token]}: exp({picked.masked ? "−∞" : number(picked.logit)} − {number(e.lse)}) ={" "}
            <b>{percent(picked.weight)}</b>
          </p>
          <label class="toggle">
            <input type="checkbox" checked={sorted} onChange={(event) => setSorted(event.currentTarget.checked)} /> largest first
          </label>
          <div class="bars" role="list" aria-label={`Weights of ${from}`}>
            {seen.slice(0, 400).map((i) => {
              const s = e.steps[i]!;
              return (
                <button
                  key={i}
                  type="button"
                  role="listitem"
                  class={i === picked.token ? "bar on" : "bar"}
                  onClick={() => choose({ column: i })}
                  aria-label={`${names[i]}: weight ${percent(s.weight)}`}
                >
                  <span class="bar-name">{elide(names[i]!, 16)}</span>
                  <span class="bar-number">{number(s.dot)}</span>
                  <span class="bar-number">{s.masked ? "masked" : number(s.logit)}</span>
                  <span class="bar-track">
                    <span class="bar-fill" style={{ width: `${(100 * s.weight) / most}%` }} />
                  </span>
                  <span class="bar-number">{percent(s.weight)}</span>
                </button>
              );
            })}
          </div>
          <p class="muted">
            Columns: key, q·k, logit, weight. The largest logit is {number(largest)}; the program subtracts it before exp, which changes nothing.
          </p>
        </li>
        {e.output.length > 0 && (
          <li>
            <h3>What flows on: values, weighted and added</h3>
            <Vector numbers={picked.value} label={`value of ${names[picked.token]}`} dark={theme} />
            <Vector
              numbers={picked.value.map((v) => v * picked.weight)}
              label={`× ${percent(picked.weight)}`}
              dark={theme}
            />
            <Vector numbers={e.output} label={`output of ${headName(e.head)} for ${from}`} dark={theme} />
          </li>
        )}
      </ol>
      <DataTable
        caption={`Every key seen by ${from} in ${headName(e.head)}`}
        columns={["q·k", "logit", "weight"]}
        rows={e.steps.slice(0, 2000).map((s) => ({
          name: names[s.token] ?? "",
          cells: [number(s.dot), s.masked ? "masked" : number(s.logit), percent(s.weight)],
        }))}
      />
    </>
  );
}
