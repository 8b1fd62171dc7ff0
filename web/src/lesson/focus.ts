// SPDX-License-Identifier: Apache-2.0
// What the lesson talks about: the word in question, what it is linked to, and runs of other
// sentences.
import { computed, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { SourceError } from "../data/source";
import { sameHead, type HeadId, type TraceInfo } from "../data/types";
import { sharesOf, sharesOverHeads, wordMaps, type Share, type WordMap } from "../lib/links";
import { axes, choice, models, report, request, theSource, trace } from "../state";
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

// The word in question with all that its figures need; "long" for a text whose maps are too many.
export interface Found {
  info: TraceInfo;
  head: HeadId;
  maps: WordMap[];
  map: WordMap; // of the head that is shown
  word: number;
  row: Float32Array; // the word's shares there, of all words
  here: Share[]; // of the other words proper, largest first
  all: Share[]; // the same over all heads
}
export function useFound(): Found | "long" | null {
  const info = trace.value;
  const head = choice.value.head;
  const kind = head?.kind ?? "self";
  const [loaded, setLoaded] = useState<{ id: string; kind: string; maps: WordMap[] | null } | null>(null);
  useEffect(() => {
    if (!info) return;
    let current = true;
    wordMaps(info, kind).then((maps) => current && setLoaded({ id: info.id, kind, maps }), report);
    return () => void (current = false);
  }, [info, kind]);
  if (!info || !head || loaded?.id !== info.id || loaded.kind !== kind) return null;
  const { maps } = loaded;
  if (!maps) return "long";
  const map = maps.find((one) => sameHead(one.head, head));
  if (!map) return null;
  const word = focus.value;
  const width = info.sides[map.layer.key]!.words.length;
  return {
    info, head, maps, map, word,
    row: map.weights.subarray(word * width, (word + 1) * width),
    here: sharesOf(info, map, word),
    all: sharesOverHeads(info, maps, word),
  };
}

// Runs a text beside the one on the page, with its model (or finds that run), without showing it.
export async function runBeside(text: string, signal: AbortSignal, untrained = false): Promise<TraceInfo> {
  const name = request.value?.model || models.value.find((one) => one.name === trace.value?.model)?.name;
  if (name === undefined && theSource().canRun) throw new SourceError(lesson().figures.no_model);
  const id = await theSource().run(
    { model: name ?? "", text, ...(untrained ? { untrained } : {}) },
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
  clear: "yes" | "no" | ""; // "Was everything clear?"
  steps: string[]; // seen
}
const kEmpty: Kept = { guesses: {}, quiz: {}, notes: "", clear: "", steps: [] };
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
