// SPDX-License-Identifier: Apache-2.0
// The sentence of the lesson: to read, to change, to click words of.
import { useEffect, useRef, useState } from "preact/hooks";

import { asking, choose, model, models, report, request, runText, running, theSource, trace } from "../state";
import { Notes } from "../ui/controls";
import { focus } from "./focus";
import { lesson, Rich } from "./text";

export function Sentence() {
  const ui = lesson().ui;
  const field = useRef<HTMLTextAreaElement>(null);
  const text = trace.value?.sides[0]?.text ?? "";
  // What somebody types while a run is on stays until it is run, or until they go back.
  const edited = useRef(false);
  useEffect(() => {
    const forget = () => (edited.current = false);
    addEventListener("hashchange", forget);
    return () => removeEventListener("hashchange", forget);
  }, []);
  const show = (shown: string | undefined) => {
    if (field.current && !edited.current && shown !== undefined) field.current.value = shown;
  };
  // A run that ends without a trace leaves the field as it is.
  useEffect(() => show(asking.value?.text), [asking.value]);
  useEffect(() => {
    if (!asking.value) show(text);
  }, [text, request.value]);
  const run = (wanted: string) => {
    edited.current = false;
    choose({ row: null, column: null }, false);
    void runText(wanted, null);
  };
  const words = trace.value?.sides[0]?.words ?? [];
  const usable = models.value.filter((one) => one.opens);
  const { canRun } = theSource();
  const texts = lesson().sentences.map((one) => one.text);
  // A page on disk may have been written for a sentence of its own.
  const [own, setOwn] = useState<string | null>(null);
  useEffect(() => {
    if (!canRun) theSource().traces().then((runs) => setOwn(runs[0]?.text ?? null), report);
  }, []);
  if (own !== null && !texts.includes(own)) texts.unshift(own);
  return (
    <>
    <form
      class="lesson-sentence"
      onSubmit={(event) => {
        event.preventDefault();
        run(field.current?.value ?? "");
      }}
    >
      {canRun ? (
        <label class="grow">
          <span>{ui.sentence}</span>
          <textarea
            ref={field}
            rows={1}
            dir="auto"
            spellcheck={false}
            onInput={() => (edited.current = true)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
              event.preventDefault();
              run(event.currentTarget.value);
            }}
          />
        </label>
      ) : (
        <p class="grow said" dir="auto">
          {text}
        </p>
      )}
      {canRun && (
        <button type="submit" class="primary" disabled={running.value !== null}>
          {ui.try}
        </button>
      )}
      <div class="lesson-choices">
      <label>
        <span>{canRun ? ui.examples : ui.choose}</span>
        <select
          value={texts.includes(text) ? text : ""}
          onChange={(event) => event.currentTarget.value !== "" && run(event.currentTarget.value)}
        >
          {!texts.includes(text) && <option value="">…</option>}
          {texts.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{ui.word}</span>
        <select
          value={String(focus.value)}
          onChange={(event) => choose({ row: words[Number(event.currentTarget.value)]?.tokens[0] ?? null, column: null })}
        >
          {words.map((word, i) => (
            <option key={i} value={String(i)}>
              {word.text}
            </option>
          ))}
        </select>
      </label>
      {canRun && usable.length > 1 && (
        <label>
          <span>{ui.model}</span>
          <select
            value={model.value}
            onChange={(event) => {
              model.value = event.currentTarget.value;
              run(text);
            }}
          >
            {usable.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
          </select>
        </label>
      )}
      </div>
    </form>
    {!canRun && <p class="muted"><Rich text={ui.fixed} /></p>}
    <Notes notes={trace.value?.notes ?? []} />
    </>
  );
}

// The words as buttons.
export function Words(props: { chosen: number; pressed: number; onClick: (word: number) => void }) {
  const words = trace.value?.sides[0]?.words ?? [];
  return (
    <p class="lesson-words" dir="auto">
      {words.map((word, i) =>
        word.special ? null : word.wordlike ? (
          <button
            key={i}
            type="button"
            class={i === props.chosen ? "in-question" : ""}
            disabled={i === props.chosen}
            aria-pressed={i === props.pressed}
            onClick={() => props.onClick(i)}
          >
            {word.text}
          </button>
        ) : (
          <span key={i}>{word.text}</span>
        ),
      )}
    </p>
  );
}

export interface Bar {
  name: string;
  share: number;
  before?: number; // a thin mark
  strong?: boolean;
}

// Shares as bars of one scale.
export function Bars(props: { label: string; bars: Bar[]; top?: number }) {
  const top = props.top ?? Math.max(...props.bars.map((bar) => Math.max(bar.share, bar.before ?? 0)), 1e-9);
  return (
    <div class="lesson-bars" role="list" aria-label={props.label}>
      {props.bars.map((bar, i) => (
        <div key={i} role="listitem" class={bar.strong ? "lesson-bar on" : "lesson-bar"}>
          <span class="bar-name" dir="auto">
            {bar.name}
          </span>
          <span class="bar-track">
            <span class="bar-fill" style={{ width: `${(100 * bar.share) / top}%` }} />
            {bar.before !== undefined && <span class="bar-before" style={{ left: `${(100 * bar.before) / top}%` }} />}
          </span>
          <span class="bar-number">{bar.share.toFixed(3)}</span>
        </div>
      ))}
    </div>
  );
}
