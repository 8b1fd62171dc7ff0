// SPDX-License-Identifier: Apache-2.0
// Step through the generated tokens: what did each look at when it was about to be written?
import { useEffect, useState } from "preact/hooks";

import { textOn, weightColour } from "../../lib/colour";
import { percent, shade } from "../../lib/grid";
import { axes, choice, choose, report, theSource, trace } from "../../state";
import { Slider, Waiting } from "../../ui/controls";
import { directionOf } from "../../ui/layout";
import { DataTable } from "../../ui/table";

const kMostDrawn = 4096; // tokens

export function Generated() {
  const info = trace.value;
  const head = choice.value.head;
  const both = axes.value;
  const [found, setFound] = useState<{ name: string; weights: Float32Array } | null>(null);
  const side = both?.query;
  const first = side?.generated ?? 0;
  const count = (side?.tokens.length ?? 0) - first;
  // A token was chosen from the row of the token before it.
  const row = Math.min(Math.max(choice.value.row ?? first - 1, first - 1), first + count - 2);
  const name = `${info?.id} ${head?.kind} ${head?.layer} ${head?.head} ${row}`;
  const weights = found?.name === name ? found.weights : null;
  useEffect(() => {
    if (!info || !head || !both || count < 1) return;
    const abort = new AbortController();
    const columns = both.key.tokens.length;
    const region = { rowBegin: row, rowEnd: row + 1, columnBegin: 0, columnEnd: columns };
    theSource()
      .tile(info.id, head, region, columns, "sum", abort.signal)
      .then((tile) => setFound({ name, weights: tile.cells }), report);
    return () => abort.abort();
  }, [name, count]);
  if (!info || !both || !side) return <Waiting>Reading the trace…</Waiting>;
  if (count < 1) return <p class="empty">Nothing was generated in this run.</p>;
  const written = side.tokens[row + 1]!;
  const most = weights ? weights.reduce((a, b) => Math.max(a, b), 0) : 0;
  const step = row + 2 - first;
  // Of a long text the end is drawn.
  const drawn = Math.max(0, Math.min(both.key.tokens.length - kMostDrawn, row + 1));
  return (
    <section class="generated" aria-label="Generated">
      <Slider
        label="Generated token"
        value={step}
        min={1}
        max={count}
        step={1}
        text={`${step} of ${count}: ${written.text}`}
        onInput={(value) => choose({ row: first + value - 2 }, false)}
      />
      <p class="readout" role="status">
        About to write <b>{written.text}</b>, the model looked from <b>{side.tokens[row]!.text}</b> at the tokens below
        {weights && <>; the darkest has {percent(most)}</>}.
      </p>
      {drawn > 0 && <p class="muted">The first {drawn.toLocaleString("en")} tokens are not drawn; the table has them.</p>}
      <div class="paragraph" dir={directionOf(both.key.text)}>
        {both.key.tokens.slice(drawn, drawn + kMostDrawn).map((token, at) => {
          const i = drawn + at;
          const t = weights ? shade(weights[i] ?? 0, most, choice.value.scale === "log" ? "log" : "linear") : 0;
          const own = side === both.key;
          const props = {
            class: `run${i === row && own ? " chosen" : ""}${own && i >= first ? " made" : ""}${own && i > row ? " later" : ""}`,
            style: t > 0 ? { background: weightColour(t), color: textOn(t) } : {},
            children: token.text.replace(/[▁Ġ]/gu, " "),
          };
          // A generated token opens the step that wrote it.
          return own && i >= first ? (
            <button key={i} type="button" aria-label={`step of ${token.text.replace(/[▁Ġ]/gu, "").trim() || "white space"}`} onClick={() => choose({ row: i - 1 })} {...props} />
          ) : (
            <span key={i} {...props} />
          );
        })}
      </div>
      {weights && (
        <DataTable
          table={() => ({
            caption: `What ${side.tokens[row]!.text} attended to`,
            columns: ["key (attended to)", "weight"],
            rows: [...weights.keys()]
              .sort((a, b) => weights[b]! - weights[a]!)
              .map((i) => [both.key.tokens[i]!.text, weights[i]!]),
          })}
        />
      )}
    </section>
  );
}
