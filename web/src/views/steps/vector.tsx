// SPDX-License-Identifier: Apache-2.0
// A picture of a vector: one cell a number, orange below zero and blue above, stronger further from
// zero; the numbers on hover and to screen readers.
import { useState } from "preact/hooks";

export function Vector(props: { numbers: readonly number[]; label: string; dark: boolean }) {
  const [at, setAt] = useState<number | null>(null);
  const most = Math.max(...props.numbers.map(Math.abs), 1e-12);
  const n = props.numbers.length;
  const colour = (x: number) => {
    const hue = x < 0 ? 55 : 250;
    const share = Math.abs(x) / most;
    const lightness = props.dark ? 0.28 + 0.52 * share : 0.97 - 0.5 * share;
    return `oklch(${lightness} ${0.15 * share} ${hue})`;
  };
  const width = Math.max(4, Math.min(16, Math.floor(640 / Math.max(n, 1))));
  return (
    <figure class="vector">
      <figcaption>
        {props.label}{" "}
        <span class="muted">
          [{n}]{at !== null && ` · ${at}: ${props.numbers[at]!.toFixed(4)}`}
        </span>
      </figcaption>
      <svg
        width={n * width}
        height={22}
        role="img"
        aria-label={`${props.label}: ${props.numbers.slice(0, 64).map((x) => x.toFixed(3)).join(", ")}`}
        onMouseLeave={() => setAt(null)}
      >
        {props.numbers.map((x, i) => (
          <rect
            key={i}
            x={i * width}
            y={0}
            width={Math.max(width - 1, 2)}
            height={22}
            fill={colour(x)}
            onMouseEnter={() => setAt(i)}
          >
            <title>{x.toFixed(5)}</title>
          </rect>
        ))}
      </svg>
    </figure>
  );
}
