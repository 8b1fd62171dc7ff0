// SPDX-License-Identifier: Apache-2.0
// What the lesson talks about: the word in question, what it is linked to, and runs of other
// sentences.
import { computed, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import type { HeadId, TraceInfo } from "../data/types";
import { bestLinks, wordMaps, type ScoredLink, type WordMap } from "../lib/links";
import { axes, choice, model, report, theSource, trace } from "../state";
import { lesson } from "./text";

// The example that the sentence is, with its answer; undefined for a text of the reader's own.
export const example = computed(() => {
  const text = trace.value?.sides[0]?.text;
  return lesson().sentences.find((one) => one.text === text);
});

// Index of the word in question: the locked row, else an example's word, else where the strongest
// content link begins, else the first ordinary word.
export const focus = computed(() => {
  const info = trace.value;
  const both = axes.value;
  if (!info || !both) return 0;
  const words = both.query.words;
  if (choice.value.row !== null) {
    const at = words.findIndex((word) => word.tokens.includes(choice.value.row!));
    if (at >= 0) return at;
  }
  const known = example.value ? words.findIndex((word) => word.text === example.value!.word) : -1;
  if (known >= 0) return known;
  const link = info.links.find((one) => one.head.kind === choice.value.head?.kind);
  return link?.query ?? Math.max(words.findIndex((word) => word.wordlike && !word.special), 0);
});

// The maps of every head of the current trace, null while they load.
export function useMaps(info: TraceInfo | null): WordMap[] | null {
  const kind = choice.value.head?.kind ?? "self";
  const [found, setFound] = useState<{ id: string; kind: string; maps: WordMap[] } | null>(null);
  useEffect(() => {
    if (!info) return;
    let current = true;
    wordMaps(info, kind).then((maps) => current && setFound({ id: info.id, kind, maps }), report);
    return () => void (current = false);
  }, [info, kind]);
  return found && found.id === info?.id && found.kind === kind ? found.maps : null;
}

// The word's links over all heads and in one head, best first.
export function linksAt(info: TraceInfo, maps: WordMap[], word: number, head: HeadId): { all: ScoredLink[]; here: ScoredLink[] } {
  return { all: bestLinks(info, maps, word), here: bestLinks(info, maps, word, head) };
}

// Runs a text beside the one on the page (or finds its run), without showing it.
export async function runBeside(text: string, signal: AbortSignal, untrained = false): Promise<TraceInfo> {
  const id = await theSource().run(
    { model: model.value || trace.value!.model, text, ...(untrained ? { untrained } : {}) },
    () => undefined,
    signal,
  );
  return theSource().info(id);
}

// The word's place in another run of nearly the same sentence: the n-th of its copies.
export function sameWord(info: TraceInfo, word: number, other: TraceInfo): number {
  const words = info.sides[0]!.words;
  const text = words[word]!.text;
  const nth = words.slice(0, word).filter((one) => one.text === text).length;
  return other.sides[0]!.words.map((one, i) => ({ one, i })).filter(({ one }) => one.text === text)[nth]?.i ?? -1;
}

// Answers and guesses of the reader, in this browser.
interface Kept {
  guesses: Record<string, string>; // sentence: word
  quiz: Record<string, { right: boolean; tries: number }>;
  notes: string;
  steps: string[]; // seen
}
const kEmpty: Kept = { guesses: {}, quiz: {}, notes: "", steps: [] };
const kPlace = "regard.lesson";

function read(): Kept {
  try {
    const text = localStorage.getItem(kPlace);
    return text === null ? kEmpty : { ...kEmpty, ...(JSON.parse(text) as Partial<Kept>) };
  } catch {
    return kEmpty;
  }
}
export const kept = signal<Kept>(read());
export function keepThis(change: Partial<Kept>): void {
  kept.value = { ...kept.value, ...change };
  try {
    localStorage.setItem(kPlace, JSON.stringify(kept.value));
  } catch {
    // Kept until the page is closed.
  }
}
