// SPDX-License-Identifier: Apache-2.0
// Sizes and labels.
import { useLayoutEffect, useState } from "preact/hooks";

export interface Size {
  width: number; // CSS pixels
  rem: number; // the page's font size: larger on very wide screens
}

// A ref for an element, which may come and go, and its size, kept up to date.
export function useSize<E extends HTMLElement>(): [(element: E | null) => void, Size] {
  const [target, setTarget] = useState<E | null>(null);
  const [size, setSize] = useState<Size>({ width: 800, rem: 16 });
  useLayoutEffect(() => {
    if (!target) return;
    const measure = () => {
      const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
      setSize({ width: target.clientWidth, rem });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(target);
    return () => observer.disconnect();
  }, [target]);
  return [setTarget, size];
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
