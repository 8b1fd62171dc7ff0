// SPDX-License-Identifier: Apache-2.0
// The quiz: choose one, choose a cell, predict and see, put in order. Answers about the sentence are
// computed from its trace. What was answered stays in this browser.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { headName } from "../data/types";
import { paint } from "../lib/colour";
import { percent, shade } from "../lib/grid";
import { measures } from "../state";
import { save } from "../ui/export";
import { useSize } from "../ui/layout";
import { CellPlane, kNoCell, type Cell } from "../ui/plane";
import { kept, keepThis, useFound, type Found } from "./focus";
import { fill, lesson, Rich, type Lesson, type Values } from "./text";

type Question = Lesson["quiz"]["questions"][number];

function answered(id: string, right: boolean): void {
  const before = kept.value.quiz[id];
  keepThis({
    quiz: { ...kept.value.quiz, [id]: { right: right || (before?.right ?? false), tries: (before?.tries ?? 0) + 1 } },
  });
}

export function Quiz() {
  const q = lesson().quiz;
  const loaded = useFound();
  const found = loaded === "long" ? null : loaded;
  const [round, setRound] = useState(0);
  // Those about the sentence need its maps.
  const questions = q.questions.filter((one) => loaded !== "long" || one.kind === "choose" || one.kind === "order");
  const done = questions.filter((one) => kept.value.quiz[one.id]);
  const right = done.filter((one) => kept.value.quiz[one.id]!.right).length;
  return (
    <div class="quiz" key={round}>
      <p class="reading">{fill(q.lead, { n: questions.length })}</p>
      <p role="status" class="quiz-score">
        <progress value={right} max={questions.length} aria-label={q.progress} /> {fill(q.score, { right, of: questions.length })},{" "}
        {fill(q.answered, { n: done.length })}
      </p>
      <ol class="questions">
        {questions.map((one) => (
          <li key={one.id}>
            <QuestionCard question={one} found={found} />
          </li>
        ))}
      </ol>
      <button
        type="button"
        onClick={() => {
          keepThis({ quiz: {} });
          setRound(round + 1);
        }}
      >
        {q.retake}
      </button>
      <Clear />
    </div>
  );
}

function valuesOf(found: Found | null): Values {
  if (!found) return { word: "…", top: "…", head: "…" };
  const words = found.info.sides[0]!.words;
  const largest = strongestOf(found);
  return {
    word: words[found.word]!.text,
    top: words[found.here[0]?.key ?? largest]!.text,
    head: headName(found.head),
    largest: words[largest]!.text,
    weight: percent(found.row[largest]!),
  };
}

const strongestOf = (found: Found) => found.row.indexOf(Math.max(...found.row));

function QuestionCard({ question, found }: { question: Question; found: Found | null }) {
  const q = lesson().quiz;
  const [hint, setHint] = useState(false);
  const [said, setSaid] = useState<{ right: boolean; why: string } | null>(null);
  const [attempt, setAttempt] = useState(0);
  const values = valuesOf(found);
  const settle = (right: boolean, why: string) => {
    answered(question.id, right);
    setSaid({ right, why });
  };
  // The button that was pressed is gone: keyboards go on from the answer.
  const verdict = useRef<HTMLParagraphElement>(null);
  useLayoutEffect(() => verdict.current?.focus(), [said]);
  const props = { question, found, values, settle, key: attempt, done: said !== null };
  return (
    <div class={said ? (said.right ? "question right" : "question wrong") : "question"} data-question={question.id}>
      <h4 id={`ask-${question.id}`}>
        <Rich text={question.ask} values={values} />
      </h4>
      {question.kind === "choose" ? (
        <ChooseOne {...props} />
      ) : question.kind === "cell" ? (
        <ChooseCell {...props} />
      ) : question.kind === "predict" ? (
        <Predict {...props} />
      ) : (
        <Order {...props} />
      )}
      <div role="status">
        {said && (
          <p class="verdict" ref={verdict} tabIndex={-1}>
            <b>{said.right ? q.right : q.wrong}</b> <Rich text={said.why} values={values} />
          </p>
        )}
        {hint && !said && <p class="muted"><Rich text={question.hint} values={values} /></p>}
      </div>
      {said ? (
        !said.right && (
          <button
            type="button"
            onClick={() => {
              setSaid(null);
              setAttempt(attempt + 1);
            }}
          >
            {q.again}
          </button>
        )
      ) : (
        <button type="button" onClick={() => setHint(true)} disabled={hint}>
          {q.hint}
        </button>
      )}
    </div>
  );
}

interface Part {
  question: Question;
  found: Found | null;
  values: Values;
  settle: (right: boolean, why: string) => void;
  done: boolean;
}

// The same order for a question on every visit, but not the one in the file (the right one is first
// there).
function shuffled<T>(items: readonly T[], seed: string): T[] {
  let state = [...seed].reduce((a, c) => (Math.imul(a, 31) + c.codePointAt(0)!) >>> 0, 7);
  const out = [...items];
  for (let i = out.length - 1; i > 0; --i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

function ChooseOne({ question, settle, done }: Part) {
  const [at, setAt] = useState<number | null>(null);
  const options = useMemo(() => shuffled(question.options ?? [], question.id), [question]);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const chosen = at === null ? undefined : options[at];
        if (chosen) settle("right" in chosen && chosen.right === true, chosen.why);
      }}
    >
      <fieldset disabled={done} aria-labelledby={`ask-${question.id}`}>
        {options.map((option, i) => (
          <label key={i} class="option">
            <input type="radio" name={question.id} checked={at === i} onChange={() => setAt(i)} /> <span>{option.text}</span>
          </label>
        ))}
      </fieldset>
      {!done && (
        <button type="submit" class="primary" disabled={at === null}>
          {lesson().quiz.check}
        </button>
      )}
    </form>
  );
}

function ChooseCell({ question, found, settle, done }: Part) {
  const q = lesson().quiz;
  const [row, setRow] = useState("");
  const [column, setColumn] = useState("");
  const [pointed, setPointed] = useState<Cell | null>(null);
  const [box, { width, rem }] = useSize<HTMLDivElement>();
  const image = useMemo(() => {
    const weights = found?.map.weights ?? new Float32Array(1);
    const top = weights.reduce((most, x) => Math.max(most, x), 0);
    const side = Math.sqrt(weights.length);
    return paint(weights.map((x) => (question.strongest ? shade(x, top, "linear") : 0.06)), side, side);
  }, [found?.map, question]);
  if (!found) return null;
  const words = found.info.sides[0]!.words;
  const strongest = strongestOf(found);
  const wanted = question.strongest ? strongest : (found.here[0]?.key ?? strongest);
  // Words that read the same cannot be told apart by the question: any of them will do.
  const isRight = (i: number, j: number) => {
    if (words[i]!.text !== words[found.word]!.text) return false;
    if (!question.strongest) return words[j]!.text === words[wanted]!.text;
    const own = found.map.weights.subarray(i * words.length, (i + 1) * words.length);
    return own[j] === Math.max(...own);
  };
  const names = words.map((word, i) => ({ text: `${i}: ${word.text}`, value: String(i) }));
  const select = (label: string, value: string, set: (x: string) => void) => (
    <label class="control">
      <span>{label}</span>
      <select value={value} disabled={done} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">…</option>
        {names.map((one) => (
          <option key={one.value} value={one.value}>
            {one.text}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <>
      <p class="muted">{q.click}</p>
      <div ref={box} class="scroll">
        <CellPlane
          name={q.click}
          rows={words}
          columns={words}
          image={image}
          room={width}
          most={1.6}
          rem={rem}
          shown={pointed ?? kNoCell}
          locked={row === "" || column === "" ? kNoCell : { row: Number(row), column: Number(column) }}
          onPoint={setPointed}
          onLock={(at) => {
            if (done || !at) return;
            setRow(String(at.row));
            setColumn(String(at.column));
          }}
        />
      </div>
      <div class="options">
        {select(q.row, row, setRow)}
        {select(q.column, column, setColumn)}
        {!done && (
          <button
            type="button"
            class="primary"
            disabled={row === "" || column === ""}
            onClick={() => settle(isRight(Number(row), Number(column)), question.why ?? "")}
          >
            {q.check}
          </button>
        )}
      </div>
    </>
  );
}

function measured(question: Question, found: Found): number {
  if (question.measure === "previous") return Math.max(0, ...measures.value.map((m) => m.previous));
  return [...found.row]
    .sort((a, b) => b - a)
    .slice(0, 3)
    .reduce((a, b) => a + b, 0);
}

function Predict({ question, found, settle, done }: Part) {
  const q = lesson().quiz;
  const [guess, setGuess] = useState(0.5);
  const [seen, setSeen] = useState<number | null>(null);
  if (!found || measures.value.length === 0) return null;
  return (
    <>
      <p class="muted">{q.tolerance}</p>
      <label class="control">
        <span>{fill(q.yours, { x: guess.toFixed(2) })}</span>
        <input type="range" min={0} max={1} step={0.05} value={guess} disabled={done} onInput={(event) => setGuess(Number(event.currentTarget.value))} />
      </label>
      {seen !== null && <p>{fill(q.found, { x: seen.toFixed(3) })}</p>}
      {!done && (
        <button
          type="button"
          class="primary"
          onClick={() => {
            const x = measured(question, found);
            setSeen(x);
            settle(Math.abs(x - guess) <= 0.15, question.why ?? "");
          }}
        >
          {q.see}
        </button>
      )}
    </>
  );
}

function Order({ question, settle, done }: Part) {
  const q = lesson().quiz;
  const right = question.items ?? [];
  const [items, setItems] = useState(() => shuffled(right, `${question.id}.`));
  const list = useRef<HTMLOListElement>(null);
  const moved = useRef<{ to: number; by: number } | null>(null);
  const move = (i: number, by: number) => {
    const next = [...items];
    [next[i], next[i + by]] = [next[i + by]!, next[i]!];
    moved.current = { to: i + by, by };
    setItems(next);
  };
  // The focus goes with the item, to its other arrow where it can go no further.
  useLayoutEffect(() => {
    if (!moved.current) return;
    const { to, by } = moved.current;
    const [up, down] = list.current!.children[to]!.querySelectorAll("button");
    const wanted = by < 0 ? up! : down!;
    (wanted.disabled ? (by < 0 ? down! : up!) : wanted).focus();
    moved.current = null;
  }, [items]);
  return (
    <>
      <ol class="order" ref={list}>
        {items.map((item, i) => (
          <li key={item}>
            <span>{item}</span>
            <button type="button" disabled={done || i === 0} aria-label={`${q.up}: ${item}`} onClick={() => move(i, -1)}>
              ↑
            </button>
            <button type="button" disabled={done || i === items.length - 1} aria-label={`${q.down}: ${item}`} onClick={() => move(i, 1)}>
              ↓
            </button>
          </li>
        ))}
      </ol>
      {!done && (
        <button type="button" class="primary" onClick={() => settle(items.every((item, i) => item === right[i]), question.why ?? "")}>
          {q.check}
        </button>
      )}
    </>
  );
}

function Clear() {
  const q = lesson().quiz;
  const [gone, setGone] = useState(false);
  const { notes, clear } = kept.value;
  const keep = (change: { notes?: string; clear?: "yes" | "no" | "" }) => {
    setGone(false);
    keepThis(change);
  };
  const empty = notes === "" && clear === "";
  return (
    <section class="clear" aria-labelledby="clear-title">
      <h4 id="clear-title">{q.clear}</h4>
      <div class="options" role="group" aria-labelledby="clear-title">
        {(["yes", "no"] as const).map((answer) => (
          <button key={answer} type="button" aria-pressed={clear === answer} onClick={() => keep({ clear: answer })}>
            {q[answer]}
          </button>
        ))}
      </div>
      <label>
        <span>{q.what}</span>
        <textarea rows={3} value={notes} onInput={(event) => keep({ notes: event.currentTarget.value })} />
      </label>
      <p class="muted">{q.kept}</p>
      <div class="options">
        <button
          type="button"
          disabled={empty}
          onClick={() => {
            const said = clear === "" ? "–" : q[clear];
            save("regard-notes.txt", new Blob([`${q.clear} ${said}\n\n${notes}\n`], { type: "text/plain" }));
          }}
        >
          {q.export}
        </button>
        <button
          type="button"
          disabled={empty}
          onClick={() => {
            keepThis({ notes: "", clear: "" });
            setGone(true);
          }}
        >
          {q.delete}
        </button>
        <span role="status">{gone && q.deleted}</span>
      </div>
    </section>
  );
}
