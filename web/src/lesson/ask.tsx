// SPDX-License-Identifier: Apache-2.0
// Questions about the current run. The suggested ones are answered by arithmetic on the trace; free
// ones go, with the facts, to a language model that the reader has set up behind the server.
import { useEffect, useRef, useState } from "preact/hooks";

import { headName, sameHead, type HeadMeasure } from "../data/types";
import { percent } from "../lib/grid";
import { sharesOf, wordMaps } from "../lib/links";
import { type ViewName } from "../choice";
import { askedOf, choose, chooseHead, measures, theSource, trace } from "../state";
import { Waiting } from "../ui/controls";
import { example, runBeside, sameWord, type Found } from "./focus";
import { WithFound } from "./runs";
import { fill, lesson, Rich, type Values } from "./text";

interface Answer {
  text: string;
  values: Values;
  view?: ViewName;
  act?: () => void;
}

const names = (list: HeadMeasure[], of: (m: HeadMeasure) => string) => list.map((m) => `${headName(m.head)} ${of(m)}`).join(", ");
const largest = (by: (m: HeadMeasure) => number) => [...measures.value].sort((a, b) => by(b) - by(a)).slice(0, 5);

function answerTop(found: Found): Answer {
  const a = lesson().ask.answers;
  const words = found.info.sides[0]!.words;
  const top = found.all[0];
  const word = words[found.word]!.text;
  if (!top) return { text: a.top_none, values: { word } };
  const others = found.all
    .slice(1, 4)
    .map((l) => `${words[l.key]!.text} ${percent(l.weight)} (${headName(l.head)})`)
    .join(", ");
  return {
    text: a.top,
    values: {
      word,
      top: words[top.key]!.text,
      weight: percent(top.weight),
      head: headName(top.head),
      others: others || "–",
      chosen: headName(found.head),
      here: words[found.here[0]!.key]!.text,
      here_weight: percent(found.here[0]!.weight),
    },
    view: "heatmap",
    act: () => {
      chooseHead(top.head);
      choose({ row: words[found.word]!.tokens[0]!, column: words[top.key]!.tokens[0]! });
    },
  };
}

function answerMutual(found: Found): Answer {
  const a = lesson().ask.answers;
  const words = found.info.sides[0]!.words;
  const top = found.here[0];
  if (!top) return { text: a.top_none, values: { word: words[found.word]!.text } };
  return {
    text: a.mutual,
    values: {
      head: headName(top.head),
      word: words[found.word]!.text,
      top: words[top.key]!.text,
      there: percent(top.weight),
      back: percent(found.map.weights[top.key * words.length + found.word]!),
    },
    view: "links",
    act: () => chooseHead(top.head),
  };
}

async function answerReplace(found: Found, at: number, by: string, signal: AbortSignal): Promise<Answer> {
  const a = lesson().ask.answers;
  const side = found.info.sides[0]!;
  const bytes = new TextEncoder().encode(side.text);
  const old = side.words[at]!;
  const decode = (part: Uint8Array) => new TextDecoder().decode(part);
  const text = decode(bytes.subarray(0, old.start)) + by + decode(bytes.subarray(old.end));
  const other = await runBeside(text, signal);
  const word = sameWord(found.info, found.word, other);
  const top = found.here[0];
  if (word < 0 || !top) return { text: a.replace_none, values: { word: side.words[found.word]!.text } };
  const map = (await wordMaps(other, found.head.kind))?.find((one) => sameHead(one.head, found.head));
  if (!map) return { text: a.replace_none, values: { word: side.words[found.word]!.text } };
  const then = sharesOf(other, map, word)[0];
  const words = other.sides[0]!.words;
  const before = found.row;
  const after = map.weights.subarray(word * words.length, (word + 1) * words.length);
  const changes = side.words.map((one, i) => {
    const there = i === at ? at : sameWord(found.info, i, other);
    return { name: i === at ? `${one.text} / ${by}` : one.text, from: before[i]!, to: there >= 0 ? (after[there] ?? 0) : 0 };
  });
  const most = changes.reduce((x, y) => (Math.abs(y.to - y.from) > Math.abs(x.to - x.from) ? y : x));
  return {
    text: a.replace,
    values: {
      old: old.text,
      new: by,
      word: side.words[found.word]!.text,
      top: side.words[top.key]!.text,
      weight: percent(top.weight),
      new_top: then ? words[then.key]!.text : "–",
      new_weight: then ? percent(then.weight) : "–",
      chosen: headName(found.head),
      changed: most.name,
      from: percent(most.from),
      to: percent(most.to),
    },
    view: "compare",
    act: () => choose({ other: { trace: other.id, head: found.head, asked: askedOf(other) } }),
  };
}

// What a language model is told: numbers of this run and nothing else.
function facts(found: Found): string {
  const words = found.info.sides[0]!.words;
  const lines = [
    `Model: ${found.info.model}. Text: ${found.info.sides[0]!.text}`,
    `Word in question: ${words[found.word]!.text}. Chosen head: ${headName(found.head)}: ${found.info.choice.why}`,
    `In that head, ${words[found.word]!.text} attends to: ${found.here.slice(0, 8).map((s) => `${words[s.key]!.text} ${percent(s.weight)}`).join(", ")}`,
    ...found.all.slice(0, 8).map((l) => `${words[found.word]!.text} attends to ${words[l.key]!.text}: ${percent(l.weight)} in ${headName(l.head)}`),
    `Heads that look at the previous token: ${names(largest((m) => m.previous), (m) => percent(m.previous))}`,
    `Heads with the largest share on special tokens: ${names(largest((m) => m.special), (m) => percent(m.special))}`,
  ];
  return lines.join("\n");
}

export function Ask() {
  return <WithFound draw={(found) => <Questions found={found} />} />;
}

function Questions({ found }: { found: Found }) {
  const l = lesson().ask;
  const counterpart = lesson().sentences.find((one) => one.text !== example.value?.text)?.because ?? "";
  const [replacement, setReplacement] = useState(example.value ? counterpart : "");
  const asks = useRef(0);
  const [shown, setShown] = useState<{ question: string; answer: Answer | string | null } | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => {
    ++asks.current;
    setShown(null);
    setReplacement(example.value ? counterpart : "");
  }, [trace.value]);
  const words = found.info.sides[0]!.words;
  const link = found.here[0];
  const old = words.map((w, i) => ({ w, i })).filter(({ w, i }) => w.wordlike && !w.special && i !== found.word).at(-1)?.i ?? 0;
  const v: Values = {
    word: words[found.word]!.text,
    top: link ? words[link.key]!.text : "–",
    old: words[old]!.text,
    new: replacement.trim() || "…",
  };
  const settle = (asked: string, answer: Answer | Promise<Answer>) => {
    const question = asked.replaceAll("`", "");
    const mine = ++asks.current; // what was asked before may still be on its way
    const show = (said: Answer | string | null) => mine === asks.current && setShown({ question, answer: said });
    if (!(answer instanceof Promise)) return show(answer);
    show(null);
    answer.then(show, (error: unknown) => show(error instanceof Error ? error.message : String(error)));
  };
  const replace = () => {
    stop.current?.abort();
    stop.current = new AbortController();
    settle(fill(l.questions.replace, v), answerReplace(found, old, replacement.trim(), stop.current.signal));
  };
  const simple: [keyof typeof l.questions, () => Answer][] = [
    ["top", () => answerTop(found)],
    ["mutual", () => answerMutual(found)],
    ["previous", () => ({ text: l.answers.previous, values: { list: names(largest((m) => m.previous), (m) => percent(m.previous)) }, view: "heads" })],
    ["far", () => ({ text: l.answers.far, values: { list: names(largest((m) => m.distance), (m) => m.distance.toFixed(1)) }, view: "heads" })],
    [
      "sinks",
      () => {
        const sink = (m: HeadMeasure) => Math.max(m.special, m.first);
        const mean = measures.value.reduce((sum, m) => sum + sink(m), 0) / Math.max(measures.value.length, 1);
        return { text: l.answers.sinks, values: { share: percent(mean), list: names(largest(sink), (m) => percent(sink(m))) }, view: "heads" };
      },
    ],
  ];
  return (
    <div class="ask">
      <p class="reading">{l.lead}</p>
      <ul class="ask-questions">
        {simple.map(([name, answer]) => (
          <li key={name}>
            <button type="button" onClick={() => settle(fill(l.questions[name], v), answer())}>
              <Rich text={l.questions[name]} values={v} />
            </button>
          </li>
        ))}
        <li>
          <form
            class="options"
            onSubmit={(event) => {
              event.preventDefault();
              replace();
            }}
          >
            <button type="submit" disabled={replacement.trim() === ""}>
              <Rich text={l.questions.replace} values={v} />
            </button>
            <label class="control">
              <span>{fill(l.new_word, v)}</span>
              <input type="text" value={replacement} onInput={(event) => setReplacement(event.currentTarget.value)} />
            </label>
          </form>
        </li>
      </ul>
      <div role="status" class="ask-answer">
        {shown && (
          <>
            <p class="muted">{shown.question}</p>
            {shown.answer === null ? (
              <Waiting>{lesson().ui.waiting}</Waiting>
            ) : typeof shown.answer === "string" ? (
              <p>{shown.answer}</p>
            ) : (
              <Answered answer={shown.answer} />
            )}
          </>
        )}
      </div>
      <Free found={found} />
    </div>
  );
}

function Answered({ answer }: { answer: Answer }) {
  return (
    <>
      <p class="verdict">
        <Rich text={answer.text} values={answer.values} />
      </p>
      {answer.view && (
        <button
          type="button"
          onClick={() => {
            answer.act?.();
            choose({ lesson: null, view: answer.view! });
          }}
        >
          {lesson().ask.show}
        </button>
      )}
    </>
  );
}

function Free({ found }: { found: Found }) {
  const l = lesson().ask;
  const field = useRef<HTMLTextAreaElement>(null);
  const [model, setModel] = useState<string | null>(null);
  const [talk, setTalk] = useState<{ question: string; answer: string | null; failed: boolean } | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => {
    theSource().assistant().then(setModel, () => setModel(null));
    return () => stop.current?.abort();
  }, []);
  if (!theSource().canRun) return <p class="muted"><Rich text={l.not_here} /></p>;
  if (model === null) return <p class="muted"><Rich text={l.not_set} /></p>;
  const send = async () => {
    const question = field.current?.value.trim() ?? "";
    if (question === "") return;
    stop.current?.abort();
    const mine = new AbortController();
    stop.current = mine;
    setTalk({ question, answer: null, failed: false });
    try {
      const answer = await theSource().ask({ question, facts: facts(found), language: lesson().language }, mine.signal);
      setTalk({ question, answer, failed: false });
    } catch (error) {
      if (mine.signal.aborted) setTalk(null);
      else setTalk({ question, answer: error instanceof Error ? error.message : String(error), failed: true });
    }
  };
  return (
    <section class="free" aria-label={l.free}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <label>
          <span>{l.free}</span>
          <textarea ref={field} rows={2} maxLength={2000} />
        </label>
        <button type="submit" class="primary">
          {l.send}
        </button>
        {talk && talk.answer === null && (
          <button type="button" onClick={() => stop.current?.abort()}>
            {l.stop}
          </button>
        )}
      </form>
      <div role="status">
        {talk && (
          <>
            <p class="muted">
              {l.asked}: {talk.question}
            </p>
            {talk.answer === null ? (
              <Waiting>…</Waiting>
            ) : talk.failed ? (
              <p>{talk.answer}</p>
            ) : (
              <figure class="of-model">
                <figcaption class="muted">{fill(l.model_says, { model })}</figcaption>
                <p>{talk.answer}</p>
              </figure>
            )}
          </>
        )}
      </div>
    </section>
  );
}

