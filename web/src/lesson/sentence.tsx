// SPDX-License-Identifier: Apache-2.0
// The sentence of the lesson: to read, to change, to click words of.
import { useEffect, useRef } from "preact/hooks";

import { choose, runText, running, theSource, trace } from "../state";
import { focus } from "./focus";
import { lesson } from "./text";

export function Sentence() {
  const ui = lesson().ui;
  const field = useRef<HTMLTextAreaElement>(null);
  const text = trace.value?.sides[0]?.text ?? "";
  useEffect(() => {
    if (field.current) field.current.value = text;
  }, [text]);
  const run = (wanted: string) => {
    choose({ row: null, column: null }, false);
    void runText(wanted, null);
  };
  const words = trace.value?.sides[0]?.words ?? [];
  return (
    <form
      class="lesson-sentence"
      onSubmit={(event) => {
        event.preventDefault();
        run(field.current?.value ?? "");
      }}
    >
      {theSource().canRun ? (
        <label class="grow">
          <span>{ui.sentence}</span>
          <textarea
            ref={field}
            rows={1}
            dir="auto"
            spellcheck={false}
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
      {theSource().canRun && (
        <button type="submit" class="primary" disabled={running.value !== null}>
          {ui.try}
        </button>
      )}
      <label>
        <span>{ui.examples}</span>
        <select
          value={lesson().sentences.some((s) => s.text === text) ? text : ""}
          onChange={(event) => event.currentTarget.value !== "" && run(event.currentTarget.value)}
        >
          <option value="">…</option>
          {lesson().sentences.map((s) => (
            <option key={s.text} value={s.text}>
              {s.text}
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
    </form>
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
