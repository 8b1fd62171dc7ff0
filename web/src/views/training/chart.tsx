// SPDX-License-Identifier: Apache-2.0
// Curves with a dot at each measurement, and a mark where one is.
interface Curve {
  name: string; // empty: the only one
  points: [number, number][]; // where (a training step, a distance), height
}

const kWidth = 400;
const kHeight = 150;
const kLeft = 38;
const kBottom = 20;

// top, last: of the axes, at least; unit: what is written after the last one.
export function Chart(props: { title: string; curves: Curve[]; at: number; top?: number; last?: number; unit?: (last: string) => string }) {
  const curves = props.curves.filter((one) => one.points.length > 0);
  const all = curves.flatMap((one) => one.points);
  if (all.length === 0) return null;
  const last = Math.max(...all.map(([step]) => step), props.last ?? 1);
  const top = props.top ?? Math.max(...all.map(([, y]) => y), 1e-9);
  const x = (step: number) => kLeft + ((kWidth - kLeft - 8) * step) / last;
  const y = (value: number) => kHeight - kBottom - ((kHeight - kBottom - 8) * value) / top;
  const said = curves
    .map((one) => `${one.name} ${one.points.map(([step, value]) => `${step}: ${value.toFixed(2)}`).join(", ")}`.trim())
    .join("; ");
  return (
    <figure class="chart">
      <figcaption>{props.title}</figcaption>
      <svg class="curve" viewBox={`0 0 ${kWidth} ${kHeight}`} role="img" aria-label={`${props.title}. ${said}`}>
        {[0, top / 2, top].map((value) => (
          <g key={value}>
            <line class="rule" x1={kLeft} x2={kWidth - 8} y1={y(value)} y2={y(value)} />
            <text x={kLeft - 5} y={y(value) + 4} text-anchor="end">
              {+value.toPrecision(2)}
            </text>
          </g>
        ))}
        <text x={x(last)} y={kHeight - 4} text-anchor="end">
          {props.unit ? props.unit(String(last)) : last.toLocaleString("en")}
        </text>
        <line class="now" x1={x(props.at)} x2={x(props.at)} y1={y(top)} y2={y(0)} />
        {curves.map((one, i) => (
          <g key={one.name} class={i === 0 ? "here" : "best"}>
            <polyline class={i === 0 ? "here" : "best"} points={one.points.map(([s, v]) => `${x(s)},${y(v)}`).join(" ")} />
            {one.points.map(([s, v]) => (
              <circle key={s} class={i === 0 ? "here" : "best"} cx={x(s)} cy={y(v)} r={s === props.at ? 5 : 2} />
            ))}
          </g>
        ))}
      </svg>
      {curves.length > 1 && (
        <p class="figure-key">
          {curves.map((one, i) => (
            <span key={one.name} class={i === 0 ? "here" : "best"}>
              {i === 0 ? "—" : "- -"} {one.name}
            </span>
          ))}
        </p>
      )}
    </figure>
  );
}
