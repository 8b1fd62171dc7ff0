// SPDX-License-Identifier: Apache-2.0
// The frame around the views: the text, the model, the head, what is drawn and how.
import { useEffect, useRef, useState } from "preact/hooks";

import { headsName, sameHead } from "../data/types";
import { LessonPage } from "../lesson/lesson";
import { lesson } from "../lesson/text";
import { kMeanViews, type ViewName } from "../choice";
import { cancelRun, checkpoints, choice, choose, dark, lost, problem, running, shownHeads, trace } from "../state";
import { Compare } from "../views/compare/compare";
import { Generated } from "../views/generated/generated";
import { Heads } from "../views/heads/heads";
import { Heatmap } from "../views/heatmap/heatmap";
import { Links } from "../views/links/links";
import { DeepMap } from "../views/map/map";
import { Steps } from "../views/steps/steps";
import { TextView } from "../views/text/text";
import { Training } from "../views/training/training";
import { ExportMenu } from "./export";
import { Options } from "./options";
import { kShortcuts, useShortcuts } from "./shortcuts";
import { TextForm } from "./text_form";

const kTabs: { name: ViewName; title: string; what: string; draw: () => preact.JSX.Element | null }[] = [
  { name: "heatmap", title: "Heatmap", what: "Every word by every word", draw: () => <Heatmap /> },
  { name: "links", title: "Links", what: "Lines between words, several heads at once", draw: () => <Links /> },
  { name: "heads", title: "All heads", what: "Every head as a small picture, with its measures", draw: () => <Heads /> },
  { name: "steps", title: "Step by step", what: "One word's weights worked through", draw: () => <Steps /> },
  { name: "text", title: "Text", what: "The text, coloured by attention", draw: () => <TextView /> },
  { name: "map", title: "Map", what: "Deep zoom over any length", draw: () => <DeepMap /> },
  { name: "compare", title: "Compare", what: "Two heads, models or texts and their difference", draw: () => <Compare /> },
  { name: "generated", title: "Generated", what: "What each generated token looked at", draw: () => <Generated /> },
  { name: "training", title: "Training", what: "The same text at every checkpoint of the model's training", draw: () => <Training /> },
];

// Tabs that have something to show for this trace.
export function tabs() {
  const info = trace.value;
  const generated = info?.sides.some((side) => side.generated < side.tokens.length) ?? false;
  const trained = checkpoints.value.length > 0;
  return kTabs.filter((tab) => (tab.name !== "generated" || generated) && (tab.name !== "training" || trained));
}

export function App() {
  const [help, setHelp] = useState(false);
  useShortcuts(() => setHelp(true));
  const shown = tabs();
  const tab = shown.find((t) => t.name === choice.value.view) ?? shown[0]!;
  return (
    <>
      <a class="skip" href="#view" onClick={(event) => {
        event.preventDefault();
        document.getElementById("view")?.focus();
      }}>
        Skip to the view
      </a>
      <header>
        <h1>
          Regard <small>the attention microscope</small>
        </h1>
        <div class="header-tools">
          <button
            type="button"
            aria-pressed={choice.value.lesson !== null}
            onClick={() => choose({ lesson: choice.value.lesson === null ? "read" : null })}
          >
            {lesson().ui.lesson}
          </button>
          <button type="button" onClick={() => setHelp(true)} aria-keyshortcuts="?">
            Shortcuts
          </button>
          <button
            type="button"
            aria-pressed={dark.value}
            onClick={() => {
              dark.value = !dark.value;
              try {
                localStorage.setItem("regard.theme", dark.value ? "dark" : "light");
              } catch {
                // Not remembered where storage is forbidden.
              }
            }}
          >
            Dark
          </button>
        </div>
        {choice.value.lesson === null && <TextForm />}
      </header>
      {problem.value !== null && (
        <div class="problem" role="alert">
          <p>{problem.value}</p>
          <button type="button" onClick={() => (problem.value = null)}>
            Dismiss
          </button>
        </div>
      )}
      {lost.value && (
        <p class="problem" role="status">
          The server does not answer. The page goes on asking, and comes back when it does.
        </p>
      )}
      {running.value && <Running />}
      {choice.value.lesson !== null ? <LessonPage /> : <main>
        <Caption />
        <div role="tablist" aria-label="Views" class="tabs">
          {shown.map((t) => (
            <button
              key={t.name}
              id={`tab-${t.name}`}
              type="button"
              role="tab"
              aria-selected={t === tab}
              aria-controls="view"
              tabIndex={t === tab ? 0 : -1}
              title={t.what}
              onClick={() => choose({ view: t.name })}
              onKeyDown={(event) => {
                const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
                if (step === 0) return;
                const next = shown[(shown.indexOf(t) + step + shown.length) % shown.length]!;
                choose({ view: next.name });
                document.getElementById(`tab-${next.name}`)?.focus();
                event.preventDefault();
              }}
            >
              {t.title}
            </button>
          ))}
        </div>
        <Options view={tab.name} />
        <div id="view" role="tabpanel" aria-labelledby={`tab-${tab.name}`} tabIndex={-1}>
          {trace.value ? tab.draw() : !running.value && <Empty />}
        </div>
        {trace.value && <ExportMenu view={tab.name} />}
      </main>}
      <Help open={help} onClose={() => setHelp(false)} />
    </>
  );
}

function Empty() {
  return <p class="empty">Type a sentence above to see what each word attends to.</p>;
}

function Running() {
  const p = running.value!;
  return (
    <div class="running" role="status">
      <progress value={p.done} max={Math.max(p.total, 1)} aria-label="Progress" />
      <span>{p.what}</span>
      <button type="button" onClick={cancelRun}>
        Cancel
      </button>
    </div>
  );
}

// Says what is shown: model, head and why that head.
function Caption() {
  const info = trace.value;
  const head = choice.value.head;
  if (!info || !head) return null;
  const shown = kMeanViews.includes(choice.value.view) ? shownHeads.value : [head];
  const automatic = sameHead(info.choice.head, head);
  return (
    <div class="caption">
      <h2>
        {info.model} <span class="head-name">{headsName(shown)}</span>
      </h2>
      <p class="muted">
        {automatic ? <Why text={info.choice.why} /> : "asked for"}
        {info.notes.map((note) => (
          <span key={note}> · {note}</span>
        ))}
      </p>
    </div>
  );
}

// Why a head was chosen; its words may be of any script.
function Why({ text }: { text: string }) {
  const found = /^(chosen for )(.+?)( -> )(.+?)(: .*)$/u.exec(text);
  if (!found) return <bdi>{text}</bdi>;
  const [, before, from, , to, after] = found;
  return (
    <>
      {before}
      <bdi>{from}</bdi> → <bdi>{to}</bdi>
      {after}
    </>
  );
}

function Help(props: { open: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (props.open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [props.open]);
  return (
    <dialog ref={dialog} onClose={props.onClose} aria-labelledby="shortcuts-title">
      <h2 id="shortcuts-title">Shortcuts</h2>
      <dl class="shortcuts">
        {kShortcuts.map((s) => (
          <div key={s.keys}>
            <dt>
              <kbd>{s.keys}</kbd>
            </dt>
            <dd>{s.what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={props.onClose}>
        Close
      </button>
    </dialog>
  );
}
