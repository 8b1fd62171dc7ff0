// SPDX-License-Identifier: Apache-2.0
// Colours: the program's map of weights (regard/render/colour.cc: near-white to near-black navy,
// interpolated in OKLab), and distinct colours for any number of heads.
import { hcl } from "d3-color";

const kControl = [
  [0xf7, 0xfa, 0xfd],
  [0xdc, 0xe9, 0xf5],
  [0xb7, 0xd3, 0xec],
  [0x84, 0xb5, 0xdf],
  [0x4d, 0x92, 0xcc],
  [0x2a, 0x6c, 0xb0],
  [0x17, 0x4a, 0x8c],
  [0x0e, 0x2c, 0x60],
  [0x07, 0x13, 0x31],
] as const;

type Triple = readonly [number, number, number];

function linear(channel: number): number {
  const c = channel / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}
function encoded(x: number): number {
  const c = Math.min(Math.max(x, 0), 1);
  return Math.round(255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055));
}
function toOklab([red, green, blue]: Triple): Triple {
  const r = linear(red);
  const g = linear(green);
  const b = linear(blue);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}
function toRgb([lightness, a, b]: Triple): Triple {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encoded(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

const kSteps = 256;
// RGB bytes of kSteps shades, light to dark.
export const kRamp: Uint8Array = (() => {
  const lab = kControl.map(toOklab);
  const ramp = new Uint8Array(3 * kSteps);
  for (let i = 0; i < kSteps; ++i) {
    const at = (i / (kSteps - 1)) * (kControl.length - 1);
    const low = Math.min(Math.floor(at), kControl.length - 2);
    const f = at - low;
    const mix = [0, 1, 2].map((c) => lab[low]![c]! + f * (lab[low + 1]![c]! - lab[low]![c]!));
    ramp.set(toRgb(mix as unknown as Triple), 3 * i);
  }
  return ramp;
})();

const stepOf = (t: number) => Math.round(Math.min(Math.max(t, 0), 1) * (kSteps - 1));

export function weightColour(t: number): string {
  if (Number.isNaN(t)) return "transparent";
  const i = 3 * stepOf(t);
  return `rgb(${kRamp[i]} ${kRamp[i + 1]} ${kRamp[i + 2]})`;
}

// Black or white, whichever reads better on a shade (WCAG contrast).
export function textOn(t: number): string {
  const i = 3 * stepOf(t);
  const y =
    0.2126 * linear(kRamp[i]!) + 0.7152 * linear(kRamp[i + 1]!) + 0.0722 * linear(kRamp[i + 2]!);
  return (y + 0.05) / 0.05 >= 1.05 / (y + 0.05) ? "#000" : "#fff";
}

// Pixels of shades [rows, columns]; NaN is transparent.
export function paint(shades: ArrayLike<number>, columns: number, rows: number): ImageData {
  const image = new ImageData(Math.max(columns, 1), Math.max(rows, 1));
  const { data } = image;
  for (let i = 0; i < rows * columns; ++i) {
    const t = shades[i]!;
    if (Number.isNaN(t)) continue;
    const at = 3 * stepOf(t);
    data[4 * i] = kRamp[at]!;
    data[4 * i + 1] = kRamp[at + 1]!;
    data[4 * i + 2] = kRamp[at + 2]!;
    data[4 * i + 3] = 255;
  }
  return image;
}

// Colour of the i-th of any number of heads: hues by the golden angle at one lightness and chroma
// a theme, so that neighbours differ and each reads on its background.
export function headColour(i: number, dark: boolean): string {
  const lightness = (dark ? 72 : 46) + (Math.floor(i / 8) % 2) * (dark ? -12 : 10);
  return hcl((250 + i * 137.508) % 360, dark ? 55 : 62, lightness).formatHex();
}

// A difference in [-1, 1]: orange below zero, blue above, near-white at zero; both sides equally
// dark at equal distance.
const kBelow: Triple = toOklab([0xa3, 0x3e, 0x04]);
const kAbove: Triple = toOklab([0x1b, 0x55, 0x9c]);
const kZero: Triple = toOklab([0xf7, 0xf8, 0xf9]);
function differenceRgb(t: number): Triple {
  const end = t < 0 ? kBelow : kAbove;
  const f = Math.min(Math.abs(t), 1);
  return toRgb([0, 1, 2].map((c) => kZero[c]! + f * (end[c]! - kZero[c]!)) as unknown as Triple);
}
export function differenceColour(t: number): string {
  return `rgb(${differenceRgb(t).join(" ")})`;
}
export function paintDifference(list: ArrayLike<number>, columns: number, rows: number): ImageData {
  const image = new ImageData(Math.max(columns, 1), Math.max(rows, 1));
  for (let i = 0; i < rows * columns; ++i) {
    const t = list[i]!;
    if (Number.isNaN(t)) continue;
    image.data.set([...differenceRgb(t), 255], 4 * i);
  }
  return image;
}
