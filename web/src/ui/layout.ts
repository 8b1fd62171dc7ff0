// SPDX-License-Identifier: Apache-2.0
// Sizes and labels.
import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

// An element and its width in CSS pixels, kept up to date.
export function useSize<E extends HTMLElement>(): [RefObject<E>, number, number] {
  const element = useRef<E>(null);
  const [size, setSize] = useState<[number, number]>([800, 600]);
  useLayoutEffect(() => {
    const target = element.current;
    if (!target) return;
    const measure = () => setSize([target.clientWidth, target.clientHeight]);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(target);
    return () => observer.disconnect();
  }, []);
  return [element, size[0], size[1]];
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

// At most `most` graphemes, the last an ellipsis where something was cut.
export function elide(text: string, most: number): string {
  if (text.length <= most && !/\s/u.test(text)) return text;
  const parts = [...segmenter.segment(text.replace(/\s+/gu, " "))];
  if (parts.length <= most) return parts.map((p) => p.segment).join("");
  return `${parts
    .slice(0, most - 1)
    .map((p) => p.segment)
    .join("")}…`;
}

// The direction of a text by its first letter, as dir="auto" would find it without the tokens that
// a tokenizer added.
export function directionOf(text: string): "ltr" | "rtl" {
  const first = /\p{L}/u.exec(text)?.[0] ?? "";
  return /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u.test(first)
    ? "rtl"
    : "ltr";
}
