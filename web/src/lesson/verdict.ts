// SPDX-License-Identifier: Apache-2.0
// Whether the model found what a word stands for, said honestly: by the weights of the head that is
// shown, and by name where other heads say otherwise.
import { headName } from "../data/types";
import { percent } from "../lib/grid";
import type { Share } from "../lib/links";
import { lesson, type Values } from "./text";

export interface Known {
  means: string;
  because: string;
  rivals: readonly string[]; // what the word could mean instead
}

export interface Said {
  text: string;
  values: Values;
}

const kMuch = 0.3; // a share that is worth a word

// here: the word's shares in the head that is shown, all: the largest over all heads; both without
// the word itself, largest first. known: the answer, where there is one.
export function verdict(words: readonly { text: string }[], here: readonly Share[], all: readonly Share[], word: number, known: Known | undefined): Said[] {
  const f = lesson().figures;
  const named = (share: Share) => words[share.key]!.text;
  const [top, second] = here;
  const values: Values = { word: words[word]!.text };
  if (!top) return [{ text: f.none, values }];
  Object.assign(values, { top: named(top), weight: percent(top.weight), head: headName(top.head) });
  const unknown = () => {
    const most = all[0] ?? top;
    Object.assign(values, { most: named(most), most_weight: percent(most.weight), most_head: headName(most.head) });
    return [{ text: f.unknown, values }];
  };
  if (!known) return unknown();
  const meant = here.find((share) => named(share) === known.means);
  const rival = here.find((share) => known.rivals.includes(named(share)));
  if (!meant || !rival) return unknown();
  Object.assign(values, {
    means: known.means,
    because: known.because,
    because_weight: percent(here.find((share) => named(share) === known.because)?.weight ?? 0),
    means_weight: percent(meant.weight),
    rival: named(rival),
    rival_weight: percent(rival.weight),
  });
  const text =
    top === meant ? f.right
    : named(top) === known.because && second === meant ? f.both
    : meant.weight > rival.weight ? f.partly
    : f.wrong;
  const said = [{ text, values }];
  const elsewhere = all.find((share) => share.key === rival.key);
  if (text !== f.wrong && elsewhere && elsewhere.weight >= kMuch)
    said.push({ text: f.disputed, values: { rival: named(rival), rival_most: percent(elsewhere.weight), rival_head: headName(elsewhere.head) } });
  return said;
}
