// SPDX-License-Identifier: Apache-2.0
// One vector large: its picture, its numbers on hover and to screen readers.
import { useState } from "preact/hooks";

import { differenceColour } from "../../lib/colour";
import { largest } from "./strip";

// most: what has the strongest colour, where several are to be compared; else the largest of its own.
export function Vector(props: { numbers: readonly number[]; label: string; most?: number }) {
  const [at, setAt] = useState<number | null>(null);
  const { numbers, label } = props;
  const n = numbers.length;
  const own = largest(numbers);
  const most = props.most ?? (own || 1);
  return (
    <figure class="vector">
      <figcaption>
        <bdi>{label}</bdi>{" "}
        <span class="muted">
          {at === null ? `${n} numbers, up to ±${own.toFixed(3)}` : `[${at}] = ${numbers[at]!.toFixed(5)}`}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${n} 1`}
        preserveAspectRatio="none"
        style={{ width: `min(100%, ${n * 14}px)` }}
        role="img"
        aria-label={`${label}: ${numbers.slice(0, 64).map((x) => x.toFixed(3)).join(", ")}${n > 64 ? ", and more" : ""}`}
        onMouseLeave={() => setAt(null)}
      >
        {numbers.map((x, i) => (
          <rect key={i} x={i} y={0} width={1} height={1} fill={differenceColour(x / most)} onMouseEnter={() => setAt(i)} />
        ))}
      </svg>
    </figure>
  );
}
