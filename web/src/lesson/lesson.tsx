// SPDX-License-Identifier: Apache-2.0
// The lesson: steps to read and try, a quiz, questions and a glossary, all on the current trace.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { headName, headsName, sameHead, type HeadMeasure } from "../data/types";
import { percent } from "../lib/grid";
import { sharesOf } from "../lib/links";
import { type ViewName } from "../choice";
import { axes, checkpoints, choice, choose, knowsLesson, measures, report, running, theSource, trace } from "../state";
import { Toggle, Waiting } from "../ui/controls";
import { savePng, saveSvg } from "../ui/export";
import { Heads } from "../views/heads/heads";
import { Heatmap } from "../views/heatmap/heatmap";
import { Ask } from "./ask";
import { example, focus, kept, keepThis, type Found } from "./focus";
import { Quiz } from "./quiz";
import { DistanceFigure, LearnedFigure, WithFound } from "./runs";
import { Bars, Sentence, Words } from "./sentence";
import { chooseLanguage, fill, language, languages, lesson, Rich, type Values } from "./text";
import { verdict } from "./verdict";
import { FlowFigure, QueryFigure, ScoresFigure } from "./vectors";

interface StepFigure {
  draw: () => ComponentChildren;
  view: ViewName | (() => ViewName);
  words?: boolean; // only words: no picture to save
}
const kFigures: Record<string, StepFigure> = {
  read: { draw: () => <GuessFigure />, view: "text", words: true },
  who: { draw: () => <WithFound draw={(found) => <Who found={found} />} />, view: "links" },
  qkv: { draw: () => <QueryFigure />, view: "steps" },
  scores: { draw: () => <ScoresFigure />, view: "steps" },
  grid: { draw: () => <Heatmap />, view: "heatmap" },
  heads: { draw: () => <HeadsFigure />, view: "heads" },
  flow: { draw: () => <FlowFigure />, view: "steps" },
  learned: { draw: () => <LearnedFigure />, view: () => (checkpoints.value.length > 0 ? "training" : "compare") },
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
  const word = axes.value?.query.words[focus.value]?.text ?? lesson().sentences[0]!.word;
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
    if (!lesson().steps.some((one) => one.id === here.id)) knowsLesson(); // they came to the end
  }, [here.id]);
  // As soon as the step is there, so that the next key is the new step's.
  useLayoutEffect(() => {
    if (!first.current) title.current?.focus();
    first.current = false;
  }, [here.id]);
  const l = lesson();
  const step = l.steps.find((one) => one.id === here.id);
  const trained = here.id === "learned" && checkpoints.value.length > 0;
  const fixed = !theSource().canRun;
  return (
    <main class="lesson" lang={l.language} id="view" tabIndex={-1}>
      <div class="lesson-top">
        <div>
          <h2 class="lesson-title">{l.title}</h2>
          <p class="muted">{fixed ? l.lead_fixed : l.lead}</p>
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
                data-number={i < l.steps.length ? i + 1 : undefined}
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
        {step && <p class="muted">{fill(l.ui.step, { n: at + 1, of: l.steps.length })}</p>}
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
              {trained ? (
                <>
                  {l.figures.with_training} <Rich text={l.figures.do_training} values={values()} />
                </>
              ) : (
                <Rich text={(fixed ? step.do_fixed : undefined) ?? step.do} values={values()} />
              )}
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
        <button type="button" onClick={() => choose({ lesson: null, view: typeof figure.view === "function" ? figure.view() : figure.view, head: choice.value.head })}>
          {l.ui.open}
        </button>
        {!figure.words && (
          <>
            <button type="button" onClick={() => box.current && saveSvg(`regard-${id}`, box.current)}>
              {l.ui.figure}
            </button>
            <button type="button" onClick={() => box.current && void savePng(`regard-${id}`, box.current).catch(report)}>
              {l.ui.png}
            </button>
          </>
        )}
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
      <div role="status">{at >= 0 && <WithFound draw={(found) => <Compared found={found} guess={at} />} />}</div>
    </div>
  );
}

function Compared({ found, guess }: { found: Found; guess: number }) {
  const f = lesson().figures;
  const words = found.info.sides[0]!.words;
  const top = found.here[0];
  if (!top) return <p><Rich text={f.none} values={{ word: words[found.word]!.text }} /></p>;
  const v = {
    guess: words[guess]!.text,
    head: headName(found.head),
    word: words[found.word]!.text,
    top: words[top.key]!.text,
    weight: percent(top.weight),
    guessed: percent(found.row[guess]!),
  };
  return (
    <p class="verdict">
      {fill(f.guess, v)} <Rich text={top.key === guess ? f.agree : f.disagree} values={v} />
    </p>
  );
}

function Who({ found }: { found: Found }) {
  const words = found.info.sides[0]!.words;
  const most = Math.max(...found.row);
  const known = example.value?.word === words[found.word]!.text ? example.value : undefined;
  return (
    <div class="figure">
      <Bars
        label={`${words[found.word]!.text}, ${headName(found.head)}`}
        top={1}
        bars={words.map((one, i) => ({ name: one.text, share: found.row[i]!, strong: found.row[i] === most }))}
      />
      <div role="status">
        {verdict(words, found.here, found.all, found.word, known).map((said) => (
          <p key={said.text} class="verdict">
            <Rich text={said.text} values={said.values} />
          </p>
        ))}
      </div>
      <MeanOf found={found} />
      {found.map.layer.score?.causal && (
        <p class="verdict">
          <Rich text={lesson().figures.causal} values={{ word: words[found.word]!.text }} />
        </p>
      )}
      <p class="muted">{fill(lesson().figures.why, { why: found.info.choice.why })}</p>
    </div>
  );
}

// What the mean that the model's makers show says of the word.
function MeanOf({ found }: { found: Found }) {
  const heads = found.info.choice.mean ?? [];
  const maps = found.maps.filter((map) => heads.some((head) => sameHead(head, map.head)));
  if (maps.length < 2) return null;
  const weights = found.map.weights.map((_, i) => maps.reduce((sum, map) => sum + map.weights[i]!, 0) / maps.length);
  const [first, second] = sharesOf(found.info, { ...found.map, weights }, found.word);
  if (!first || !second) return null;
  const words = found.info.sides[0]!.words;
  const v = {
    heads: headsName(heads),
    word: words[found.word]!.text,
    top: words[first.key]!.text,
    weight: percent(first.weight),
    second: words[second.key]!.text,
    second_weight: percent(second.weight),
  };
  return (
    <p class="verdict">
      <Rich text={lesson().figures.mean} values={v} />
    </p>
  );
}

// What the heads do in this sentence, by their measures.
function HeadsFigure() {
  const list = measures.value;
  const most = (of: (m: HeadMeasure) => number) =>
    list.reduce<HeadMeasure | undefined>((best, m) => (!best || of(m) > of(best) ? m : best), undefined);
  const previous = most((m) => m.previous);
  const next = most((m) => m.next);
  const same = most((m) => m.same);
  const linked = most((m) => m.link?.weight ?? 0);
  const words = trace.value!.sides[0]!.words;
  return (
    <>
      {previous && next && same && linked?.link && (
        <p class="verdict">
          {fill(lesson().figures.jobs, {
            previous_head: headName(previous.head),
            previous: percent(previous.previous),
            next_head: headName(next.head),
            next: percent(next.next),
            same_head: headName(same.head),
            same: percent(same.same),
            link_head: headName(linked.head),
            link: percent(linked.link.weight),
            link_words: `${words[linked.link.query]?.text} → ${words[linked.link.key]?.text}`,
          })}
        </p>
      )}
      <Heads />
      <h4>{fill(lesson().figures.chosen, { head: headName(choice.value.head!) })}</h4>
      <Heatmap />
    </>
  );
}

function LimitsFigure() {
  const f = lesson().figures;
  const list = measures.value;
  const layers = [...new Set(list.map((m) => m.head.layer))];
  const sink = (m: HeadMeasure) => Math.max(m.special, m.first);
  const strongest = list.reduce<HeadMeasure | undefined>((best, m) => (!best || sink(m) > sink(best) ? m : best), undefined);
  const tokens = trace.value!.sides[0]!.tokens.length;
  const v = strongest && {
    n: tokens,
    even: percent(1 / tokens),
    mean: percent(list.reduce((sum, m) => sum + sink(m), 0) / list.length),
    head: headName(strongest.head),
    most: percent(sink(strongest)),
  };
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
            share: own.reduce((sum, m) => sum + sink(m), 0) / own.length,
          };
        })}
      />
      {v && (
        <p class="verdict">
          {fill(f.sinks_even, v)} {fill(sink(strongest) > 0.5 ? f.sinks_strong : f.sinks_weak, v)}
        </p>
      )}
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
