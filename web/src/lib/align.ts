// SPDX-License-Identifier: Apache-2.0
// Aligns two lists of words by their longest common subsequence, case ignored; the twin of
// regard/analysis/compare.cc. Between two aligned words as many of the others are paired as both
// sides have, in order, so that "tired" stands against "wide".
import type { Unit } from "../data/types";

export interface Pairing {
  a: number; // -1: only in b
  b: number; // -1: only in a
  same: boolean;
}

export function align(a: readonly Unit[], b: readonly Unit[]): Pairing[] {
  const name = (unit: Unit) => unit.text.toLowerCase();
  const equal = (i: number, j: number) =>
    name(a[i]!) === name(b[j]!) && a[i]!.special === b[j]!.special;
  const wide = b.length + 1;
  const length = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; --i)
    for (let j = b.length - 1; j >= 0; --j)
      length[i * wide + j] = equal(i, j)
        ? length[(i + 1) * wide + j + 1]! + 1
        : Math.max(length[(i + 1) * wide + j]!, length[i * wide + j + 1]!);
  const out: Pairing[] = [];
  let onlyA: number[] = [];
  let onlyB: number[] = [];
  const flush = () => {
    for (let k = 0; k < Math.max(onlyA.length, onlyB.length); ++k)
      out.push({ a: onlyA[k] ?? -1, b: onlyB[k] ?? -1, same: false });
    onlyA = [];
    onlyB = [];
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && equal(i, j)) {
      flush();
      out.push({ a: i++, b: j++, same: true });
    } else if (j >= b.length || (i < a.length && length[(i + 1) * wide + j]! >= length[i * wide + j + 1]!)) {
      onlyA.push(i++);
    } else {
      onlyB.push(j++);
    }
  }
  flush();
  return out;
}
