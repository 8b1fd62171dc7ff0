// SPDX-License-Identifier: Apache-2.0
// Vectors as pictures: one cell a number, orange below zero and blue above, darker further from
// zero; white at zero on every background.
import { useLayoutEffect, useRef } from "preact/hooks";

import { paintDifference } from "../../lib/colour";

// A row of cells in as much room as there is; hidden from screen readers, who get the numbers.
export function Strip(props: { numbers: readonly number[]; most: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const target = canvas.current!;
    target.width = Math.max(props.numbers.length, 1);
    target.height = 1;
    const shares = props.numbers.map((x) => x / (props.most || 1));
    target.getContext("2d")?.putImageData(paintDifference(shares, props.numbers.length, 1), 0, 0);
  }, [props.numbers, props.most]);
  return <canvas ref={canvas} class="strip" aria-hidden="true" />;
}

export function largest(list: Iterable<number>): number {
  let most = 0;
  for (const x of list) if (Math.abs(x) > most) most = Math.abs(x);
  return most;
}
