// SPDX-License-Identifier: Apache-2.0
// The lesson's words: one file a language, and how they are shown. In a text, *word* is a term of the
// glossary, `word` is something of the sentence or a command, and {name} is filled in.
import { signal } from "@preact/signals";
import type { JSX } from "preact";

import de from "./de.json";
import en from "./en.json";

export type Lesson = typeof en;

// Another language lies beside English and has the same keys: tests/lesson.test.ts.
export const languages: readonly Lesson[] = [en, de as unknown as Lesson];

export const language = signal(preferred());
export const lesson = (): Lesson => languages.find((one) => one.language === language.value) ?? en;

function preferred(): string {
  try {
    const stored = localStorage.getItem("regard.language");
    if (stored !== null && languages.some((one) => one.language === stored)) return stored;
  } catch {
    // Storage is forbidden: English.
  }
  return "en";
}

export function chooseLanguage(name: string): void {
  language.value = name;
  try {
    localStorage.setItem("regard.language", name);
  } catch {
    // Not remembered.
  }
}

export type Values = Record<string, string | number>;

export const fill = (text: string, values: Values = {}) =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));

// A term's place in the glossary; the text may use a plural or another case of it.
export function termOf(text: string): number {
  const wanted = text.toLowerCase();
  return lesson().terms.findIndex(([term]) => {
    const known = term!.toLowerCase();
    return wanted === known || wanted === `${known}s` || (wanted.length > 5 && wanted.startsWith(known));
  });
}

export function Rich({ text, values }: { text: string; values?: Values }): JSX.Element {
  // Values are put in after the markup is read, so that nothing in a sentence can be markup.
  const parts = text.split(/(\*[^*]+\*|`[^`]+`)/g);
  return (
    <>
      {parts.map((part, i) => {
        if (/^\*[^*]+\*$/.test(part)) return <Term key={i} name={fill(part.slice(1, -1), values)} />;
        if (/^`[^`]+`$/.test(part))
          return (
            <b key={i} class="said">
              {fill(part.slice(1, -1), values)}
            </b>
          );
        return fill(part, values);
      })}
    </>
  );
}

function Term({ name }: { name: string }) {
  const at = termOf(name);
  if (at < 0) return <em>{name}</em>;
  const [, meaning] = lesson().terms[at]!;
  return (
    <a class="term" href={`#term-${at}`} title={meaning} onClick={(event) => {
      event.preventDefault();
      const entry = document.getElementById(`term-${at}`);
      const list = entry?.closest("details");
      if (list) list.open = true;
      entry?.scrollIntoView({ block: "center" });
      entry?.focus();
    }}>
      {name}
    </a>
  );
}
