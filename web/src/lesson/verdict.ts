// SPDX-License-Identifier: Apache-2.0
// Whether the model found what a word stands for, said honestly.
import { headName } from "../data/types";
import { percent } from "../lib/grid";
import type { ScoredLink } from "../lib/links";
import { lesson, type Values } from "./text";

// What the model makes of the word in question, honestly: where the answer is known it is compared.
export function verdict(words: { text: string }[], all: ScoredLink[], word: number, known: { means: string; because: string } | undefined): { text: string; values: Values } {
  const f = lesson().figures;
  const name = words[word]!.text;
  const top = all[0];
  if (!top) return { text: f.none, values: { word: name } };
  const v: Values = { word: name, top: words[top.key]!.text, weight: percent(top.weight), head: headName(top.head) };
  if (!known) return { text: f.unknown, values: v };
  const meant = all.find((link) => words[link.key]!.text === known.means);
  const things = all.filter((link) => link !== meant && words[link.key]!.text !== known.because);
  const rival = things[0];
  v["means"] = known.means;
  v["because"] = known.because;
  v["means_weight"] = meant ? percent(meant.weight) : "0";
  v["means_head"] = meant ? headName(meant.head) : "–";
  v["rival"] = rival ? words[rival.key]!.text : lesson().ui.elsewhere;
  if (meant && top === meant) return { text: f.right, values: v };
  if (meant && words[top.key]!.text === known.because && (!rival || meant.score > rival.score))
    return { text: f.partly, values: v };
  if (rival) {
    v["weight"] = percent(rival.weight);
    v["head"] = headName(rival.head);
  }
  return { text: rival ? f.wrong : f.partly, values: v };
}
