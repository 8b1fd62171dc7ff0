// SPDX-License-Identifier: Apache-2.0
// The lesson: steps to read and try, a quiz, questions and a glossary, all on the current trace.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { headName } from "../data/types";
import { percent } from "../lib/grid";
import { axes, choice, choose, measures, running, trace, type ViewName } from "../state";
import { Toggle, Waiting } from "../ui/controls";
import { saveSvg } from "../ui/export";
import { Heads } from "../views/heads/heads";
import { Heatmap } from "../views/heatmap/heatmap";
import { Ask } from "./ask";
import { example, focus, kept, keepThis } from "./focus";
import { Quiz } from "./quiz";
import { DistanceFigure, LearnedFigure, useLinks } from "./runs";
import { Bars, Sentence, Words } from "./sentence";
import { chooseLanguage, fill, language, languages, lesson, Rich, type Values } from "./text";
import { verdict } from "./verdict";
import { FlowFigure, QueryFigure, ScoresFigure } from "./vectors";

const kFigures: Record<string, { draw: () => ComponentChildren; view: ViewName }> = {
  read: { draw: () => <GuessFigure />, view: "text" },
  who: { draw: () => <WhoFigure />, view: "links" },
  qkv: { draw: () => <QueryFigure />, view: "steps" },
  scores: { draw: () => <ScoresFigure />, view: "steps" },
  grid: { draw: () => <Heatmap />, view: "heatmap" },
  heads: { draw: () => <Heads />, view: "heads" },
  flow: { draw: () => <FlowFigure />, view: "steps" },
  learned: { draw: () => <LearnedFigure />, view: "compare" },
  distance: { draw: () => <DistanceFigure />, view: "map" },
  limits: { draw: () => <LimitsFigure />, view: "heatmap" },
};

// Names of the places of the lesson, in order; what is in the address after lesson=.
export const places = (): { id: string; title: string }[] => [
  ...lesson().steps.map((step) => ({ id: step.id, title: step.title })),
  { id: "quiz", title: lesson().ui.quiz },
  { id: "ask", title: lesson().ui.ask },
];

function values(): Values {
  const info = trace.value;
  const head = choice.value.head;
  const word = axes.value?.query.words[focus.value]?.text ?? "…";
  const layer = info?.layers.find((l) => l.kind === head?.kind && l.layer === head.layer);
  const own = info?.layers.filter((l) => l.kind === head?.kind) ?? [];
  return {
    word,
    head: head ? headName(head) : "…",
    scale: layer?.score ? +layer.score.scale.toPrecision(4) : "…",
    heads: own.reduce((sum, l) => sum + l.heads.length, 0),
    layers: own.length,
  };
}

export function LessonPage() {
  const all = places();
  const at = Math.max(all.findIndex((place) => place.id === choice.value.lesson), 0);
  const here = all[at]!;
  const title = useRef<HTMLHeadingElement>(null);
  const first = useRef(true);
  useEffect(() => {
    if (!kept.value.steps.includes(here.id)) keepThis({ steps: [...kept.value.steps, here.id] });
    if (!first.current) title.current?.focus();
    first.current = false;
  }, [here.id]);
  const l = lesson();
  const step = l.steps.find((one) => one.id === here.id);
  return (
    <main class="lesson" lang={l.language}>
      <div class="lesson-top">
        <div>
          <h2 class="lesson-title">{l.title}</h2>
          <p class="muted">{l.lead}</p>
        </div>
        <label class="control">
          <span>{l.ui.language}</span>
          <select value={language.value} onChange={(event) => chooseLanguage(event.currentTarget.value)}>
            {languages.map((one) => (
              <option key={one.language} value={one.language} lang={one.language}>
                {one.name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <nav aria-label={l.ui.contents} class="lesson-steps">
        <ol>
          {all.map((place, i) => (
            <li key={place.id}>
              <button
                type="button"
                aria-current={i === at ? "step" : undefined}
                class={kept.value.steps.includes(place.id) ? "seen" : ""}
                onClick={() => choose({ lesson: place.id })}
              >
                <Rich text={place.title} values={values()} />
              </button>
            </li>
          ))}
        </ol>
      </nav>
      <Sentence />
      <article aria-labelledby="lesson-step">
        <p class="muted">{fill(l.ui.step, { n: at + 1, of: all.length })}</p>
        <h3 id="lesson-step" class="lesson-step" ref={title} tabIndex={-1}>
          <Rich text={here.title} values={values()} />
        </h3>
        {step ? (
          <>
            {step.text.map((paragraph, i) => (
              <p key={i} class="reading">
                <Rich text={paragraph} values={values()} />
              </p>
            ))}
            <p class="todo">
              <Rich text={step.do} values={values()} />
            </p>
            {trace.value ? <Figure id={step.id} /> : <Waiting>{running.value?.what ?? l.ui.waiting}</Waiting>}
          </>
        ) : here.id === "quiz" ? (
          <Quiz />
        ) : (
          <Ask />
        )}
      </article>
      <div class="lesson-move">
        <button type="button" disabled={at === 0} onClick={() => choose({ lesson: all[at - 1]!.id })}>
          {l.ui.previous}
        </button>
        <CopyLink />
        <button
          type="button"
          class="primary"
          disabled={at === all.length - 1}
          onClick={() => choose({ lesson: all[at + 1]!.id })}
        >
          {l.ui.next}
        </button>
      </div>
      <Glossary />
    </main>
  );
}

function Figure({ id }: { id: string }) {
  const l = lesson();
  const figure = kFigures[id]!;
  const box = useRef<HTMLDivElement>(null);
  return (
    <>
      <div ref={box} class="lesson-figure">
        {figure.draw()}
      </div>
      <div class="options">
        <button type="button" onClick={() => choose({ lesson: null, view: figure.view })}>
          {l.ui.open}
        </button>
        <button type="button" onClick={() => box.current && saveSvg(`regard-${id}`, box.current)}>
          {l.ui.figure}
        </button>
      </div>
    </>
  );
}

function CopyLink() {
  const [done, setDone] = useState(false);
  return (
    <button
      type="button"
      onClick={() => {
        void navigator.clipboard?.writeText(location.href).then(() => setDone(true), () => undefined);
        setTimeout(() => setDone(false), 2000);
      }}
    >
      {done ? lesson().ui.copied : lesson().ui.link}
    </button>
  );
}

function GuessFigure() {
  const f = lesson().figures;
  const found = useLinks();
  const info = trace.value!;
  const text = info.sides[0]!.text;
  const words = info.sides[0]!.words;
  const word = focus.value;
  const guess = kept.value.guesses[`${text} ${word}`];
  const at = words.findIndex((one, i) => one.text === guess && i !== word);
  return (
    <div class="figure">
      <Words
        chosen={word}
        pressed={at}
        onClick={(i) => keepThis({ guesses: { ...kept.value.guesses, [`${text} ${word}`]: words[i]!.text } })}
      />
      <div role="status">
        {at >= 0 && found && <Compared found={found} guess={at} />}
        {at >= 0 && !found && <p>{fill(f.guess, { guess: guess! })}</p>}
      </div>
    </div>
  );
}

function Compared({ found, guess }: { found: NonNullable<ReturnType<typeof useLinks>>; guess: number }) {
  const f = lesson().figures;
  const words = found.info.sides[0]!.words;
  const top = found.here[0];
  const map = found.maps.find((one) => one.head.layer === found.head.layer && one.head.head === found.head.head);
  if (!top || !map) return <p><Rich text={f.none} values={{ word: words[found.word]!.text }} /></p>;
  const v = {
    guess: words[guess]!.text,
    head: headName(found.head),
    word: words[found.word]!.text,
    top: words[top.key]!.text,
    weight: percent(top.weight),
    guessed: percent(map.weights[found.word * words.length + guess]!),
  };
  return (
    <p class="verdict">
      {fill(f.guess, v)} <Rich text={top.key === guess ? f.agree : f.disagree} values={v} />
    </p>
  );
}

function WhoFigure() {
  const found = useLinks();
  if (!found) return <Waiting>{lesson().ui.waiting}</Waiting>;
  const words = found.info.sides[0]!.words;
  const map = found.maps.find((one) => one.head.layer === found.head.layer && one.head.head === found.head.head);
  if (!map) return null;
  const row = map.weights.subarray(found.word * words.length, (found.word + 1) * words.length);
  const most = Math.max(...row);
  const said = verdict(words, found.all, found.word, example.value?.word === words[found.word]!.text ? example.value : undefined);
  return (
    <div class="figure">
      <Bars
        label={`${words[found.word]!.text}, ${headName(found.head)}`}
        top={1}
        bars={words.map((one, i) => ({ name: one.text, share: row[i]!, strong: row[i] === most }))}
      />
      <p class="verdict" role="status">
        <Rich text={said.text} values={said.values} />
      </p>
      <p class="muted">{fill(lesson().figures.why, { why: found.info.choice.why })}</p>
    </div>
  );
}

function LimitsFigure() {
  const f = lesson().figures;
  const list = measures.value;
  const layers = [...new Set(list.map((m) => m.head.layer))];
  return (
    <div class="figure">
      <h4>{f.sinks}</h4>
      <Bars
        label={f.sinks}
        top={1}
        bars={layers.map((number) => {
          const own = list.filter((m) => m.head.layer === number);
          return {
            name: fill(f.layer, { n: number }),
            share: own.reduce((sum, m) => sum + Math.max(m.special, m.first), 0) / own.length,
          };
        })}
      />
      <Toggle label={f.with_sinks} checked={choice.value.sinks} onChange={(sinks) => choose({ sinks })} />
      <Heatmap />
    </div>
  );
}

function Glossary() {
  const l = lesson();
  return (
    <details class="glossary">
      <summary>{l.ui.glossary}</summary>
      <dl>
        {l.terms.map(([term, meaning], i) => (
          <div key={term} id={`term-${i}`} tabIndex={-1}>
            <dt>{term}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
