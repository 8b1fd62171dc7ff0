// SPDX-License-Identifier: Apache-2.0
// The text to look at, the model, and what else a run may be given: the second text of a pair, the
// decoder's text, tokens to generate.
import { useEffect, useRef, useState } from "preact/hooks";

import type { RunRequest } from "../data/types";
import { asking, model, models, request, runText, running, theSource, trace } from "../state";
import { Choose } from "./controls";

const kMostGenerated = 512;

type Extra = "pair" | "target" | "generate";
const kExtras: { name: Extra; title: string; label: string }[] = [
  { name: "pair", title: "Pair", label: "Second text of the pair" },
  { name: "target", title: "Target", label: "Text of the decoder, where there is one" },
  { name: "generate", title: "Generate", label: `Tokens to generate, up to ${kMostGenerated}` },
];

export function TextForm() {
  const area = useRef<HTMLTextAreaElement>(null);
  const fields = useRef<Partial<Record<Extra, string>>>({});
  const [extras, setExtras] = useState<Extra[]>([]);
  const [truncate, setTruncate] = useState(false);
  // What somebody types while a run is on stays until it is run, or until they go back.
  const edited = useRef(false);
  useEffect(() => {
    const forget = () => (edited.current = false);
    addEventListener("hashchange", forget);
    return () => removeEventListener("hashchange", forget);
  }, []);
  const side = trace.value?.sides[0];
  const fill = (shown: Omit<RunRequest, "model">) => {
    if (edited.current) return;
    if (area.current) area.current.value = shown.text;
    setTruncate(shown.truncate ?? false);
    fields.current = {};
    for (const { name } of kExtras) {
      const value = shown[name];
      if (value !== undefined) fields.current[name] = String(value);
    }
    setExtras(kExtras.map((e) => e.name).filter((name) => fields.current[name] !== undefined));
  };
  // A run that ends without a trace leaves the fields as they are.
  useEffect(() => {
    if (asking.value) fill(asking.value);
  }, [asking.value]);
  useEffect(() => {
    if (asking.value) return;
    if (request.value) fill(request.value);
    else if (side) fill({ text: side.text, ...(side.pair === null ? {} : { pair: side.pair }) });
  }, [side, request.value]);
  if (!theSource().canRun) return null;
  const run = () => {
    edited.current = false;
    const given = (name: Extra) => (extras.includes(name) ? fields.current[name]?.trim() || undefined : undefined);
    const target = given("target");
    const generate = Math.min(Math.round(Number(given("generate") ?? 0)), kMostGenerated);
    void runText(area.current?.value ?? "", given("pair") ?? null, undefined, {
      ...(target === undefined ? {} : { target }),
      ...(generate > 0 ? { generate } : {}),
      ...(truncate ? { truncate } : {}),
    });
  };
  return (
    <form
      class="text-form"
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
    >
      <label class="grow">
        <span>Text</span>
        <textarea
          ref={area}
          rows={2}
          spellcheck={false}
          dir="auto"
          onInput={() => (edited.current = true)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
              event.preventDefault();
              run();
            }
          }}
        />
      </label>
      {kExtras.map(
        ({ name, label }) =>
          extras.includes(name) && (
            <label key={name} class="grow">
              <span>{label}</span>
              <input
                type="text"
                inputMode={name === "generate" ? "numeric" : "text"}
                spellcheck={false}
                dir="auto"
                value={fields.current[name] ?? (name === "generate" ? "20" : "")}
                ref={(field) => {
                  if (field) fields.current[name] ??= field.value;
                }}
                onInput={(event) => {
                  edited.current = true;
                  fields.current[name] = event.currentTarget.value;
                }}
              />
            </label>
          ),
      )}
      <div class="text-tools">
        <Choose
          label="Model"
          value={model.value}
          options={models.value.map((m) => ({ value: m.name, text: m.opens ? m.name : `${m.name} (${m.note})` }))}
          onChange={(value) => {
            model.value = value;
            run();
          }}
        />
        {kExtras.map(({ name, title, label }) => (
          <button
            key={name}
            type="button"
            title={label}
            aria-pressed={extras.includes(name)}
            onClick={() => {
              edited.current = true;
              setExtras(extras.includes(name) ? extras.filter((e) => e !== name) : [...extras, name]);
            }}
          >
            {title}
          </button>
        ))}
        <button
          type="button"
          title="Keep no more of a text than the model has positions for"
          aria-pressed={truncate}
          onClick={() => {
            edited.current = true;
            setTruncate(!truncate);
          }}
        >
          Truncate
        </button>
        <button type="submit" class="primary" disabled={running.value !== null}>
          Show
        </button>
      </div>
    </form>
  );
}
