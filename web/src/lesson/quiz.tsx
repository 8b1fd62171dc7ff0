// SPDX-License-Identifier: Apache-2.0
// The quiz: choose one, choose a cell, predict and see, put in order. Answers about the sentence are
// computed from its trace. What was answered stays in this browser.
import { useMemo, useState } from "preact/hooks";

import { headName } from "../data/types";
import { percent } from "../lib/grid";
import { measures } from "../state";
import { kept, keepThis } from "./focus";
import { useLinks } from "./runs";
import { fill, lesson, Rich, type Lesson, type Values } from "./text";

type Question = Lesson["quiz"]["questions"][number];
type Found = NonNullable<ReturnType<typeof useLinks>>;

function answered(id: string, right: boolean): void {
  const before = kept.value.quiz[id];
  keepThis({
    quiz: { ...kept.value.quiz, [id]: { right: right || (before?.right ?? false), tries: (before?.tries ?? 0) + 1 } },
  });
}

export function Quiz() {
  const q = lesson().quiz;
  const found = useLinks();
  const [round, setRound] = useState(0);
  const done = q.questions.filter((one) => kept.value.quiz[one.id]);
  const right = done.filter((one) => kept.value.quiz[one.id]!.right).length;
  return (
    <div class="quiz" key={round}>
      <p class="reading">{q.lead}</p>
      <p role="status" class="quiz-score">
        <progress value={right} max={q.questions.length} aria-label={q.lead} /> {fill(q.score, { right, of: q.questions.length })},{" "}
        {fill(q.answered, { n: done.length })}
      </p>
      <ol class="questions">
        {q.questions.map((one) => (
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
  const row = rowOf(found);
  const largest = row.indexOf(Math.max(...row));
  return {
    word: words[found.word]!.text,
    top: words[found.here[0]?.key ?? largest]!.text,
    head: headName(found.head),
    largest: words[largest]!.text,
    weight: percent(row[largest]!),
  };
}

function rowOf(found: Found): number[] {
  const words = found.info.sides[0]!.words.length;
  const map = found.maps.find((one) => one.head.layer === found.head.layer && one.head.head === found.head.head)!;
  return [...map.weights.subarray(found.word * words, (found.word + 1) * words)];
}

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
          <p class="verdict">
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
  if (!found) return null;
  const words = found.info.sides[0]!.words;
  const shares = rowOf(found);
  const strongest = shares.indexOf(Math.max(...shares));
  const wanted = question.strongest ? strongest : (found.here[0]?.key ?? strongest);
  const map = found.maps.find((one) => one.head.layer === found.head.layer && one.head.head === found.head.head)!;
  const top = Math.max(...map.weights);
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
      <div class="scroll">
        <table class="mini-grid" aria-hidden="true">
          <tbody>
            {words.slice(0, 40).map((from, i) => (
              <tr key={i}>
                <th>{from.text}</th>
                {words.slice(0, 40).map((to, j) => (
                  <td
                    key={j}
                    title={`${from.text} → ${to.text}`}
                    class={row === String(i) && column === String(j) ? "on" : ""}
                    style={{ "--share": String(question.strongest ? map.weights[i * words.length + j]! / top : 0) }}
                    onClick={() => {
                      if (done) return;
                      setRow(String(i));
                      setColumn(String(j));
                    }}
                  />
                ))}
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <td />
              {words.slice(0, 40).map((to, j) => (
                <th key={j}>{to.text}</th>
              ))}
            </tr>
          </tfoot>
        </table>
      </div>
      <div class="options">
        {select(q.row, row, setRow)}
        {select(q.column, column, setColumn)}
        {!done && (
          <button
            type="button"
            class="primary"
            disabled={row === "" || column === ""}
            onClick={() => settle(Number(row) === found.word && Number(column) === wanted, question.why ?? "")}
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
  return rowOf(found)
    .sort((a, b) => b - a)
    .slice(0, 3)
    .reduce((a, b) => a + b, 0);
}

function Predict({ question, found, settle, done }: Part) {
  const q = lesson().quiz;
  const [guess, setGuess] = useState(0.5);
  const [seen, setSeen] = useState<number | null>(null);
  if (!found) return null;
  return (
    <>
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
  const move = (i: number, by: number) => {
    const next = [...items];
    [next[i], next[i + by]] = [next[i + by]!, next[i]!];
    setItems(next);
  };
  return (
    <>
      <ol class="order">
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
  const notes = kept.value.notes;
  return (
    <section class="clear" aria-labelledby="clear-title">
      <h4 id="clear-title">{q.clear}</h4>
      <label>
        <span>{q.what}</span>
        <textarea
          rows={3}
          value={notes}
          onInput={(event) => {
            setGone(false);
            keepThis({ notes: event.currentTarget.value });
          }}
        />
      </label>
      <p class="muted">{q.kept}</p>
      <div class="options">
        <button
          type="button"
          disabled={notes === ""}
          onClick={() => {
            const link = document.createElement("a");
            link.href = URL.createObjectURL(new Blob([notes], { type: "text/plain" }));
            link.download = "regard-notes.txt";
            link.click();
            URL.revokeObjectURL(link.href);
          }}
        >
          {q.export}
        </button>
        <button
          type="button"
          disabled={notes === ""}
          onClick={() => {
            keepThis({ notes: "" });
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
