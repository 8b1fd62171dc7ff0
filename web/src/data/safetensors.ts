// SPDX-License-Identifier: Apache-2.0
// Reads a safetensors file that lies in memory: an 8-byte length, a JSON header, the data.
import { SourceError } from "./source";

type Element = Float32Array | Float64Array | Uint8Array | Int32Array | Float32Array;

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function halfToFloat(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export class Safetensors {
  readonly metadata: Record<string, string>;
  private readonly entries: Record<string, Entry>;
  private readonly begin: number;
  private readonly converted = new Map<string, Element>();

  constructor(private readonly bytes: ArrayBuffer) {
    if (bytes.byteLength < 8) throw new SourceError("The trace in this page is cut short.");
    const size = Number(new DataView(bytes).getBigUint64(0, true));
    if (size > bytes.byteLength - 8) throw new SourceError("The trace in this page is cut short.");
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, size)));
    this.metadata = header.__metadata__ ?? {};
    delete header.__metadata__;
    this.entries = header;
    this.begin = 8 + size;
  }

  has(name: string): boolean {
    return name in this.entries;
  }
  shape(name: string): number[] {
    return this.entry(name).shape;
  }
  // Numbers as they lie, without a copy where alignment allows. I64 becomes Int32Array, F16
  // Float32Array, once.
  numbers(name: string): Element {
    const known = this.converted.get(name);
    if (known) return known;
    const { dtype, data_offsets } = this.entry(name);
    const [from, to] = data_offsets;
    if (from > to || this.begin + to > this.bytes.byteLength)
      throw new SourceError(`The trace in this page is cut short at ${name}.`);
    const begin = this.begin + from;
    const size = to - from;
    const aligned = (edge: number): [ArrayBuffer, number] =>
      begin % edge === 0 ? [this.bytes, begin] : [this.bytes.slice(begin, begin + size), 0];
    switch (dtype) {
      case "F32":
        return new Float32Array(...aligned(4), size / 4);
      case "F64":
        return new Float64Array(...aligned(8), size / 8);
      case "U8":
      case "BOOL":
        return new Uint8Array(this.bytes, begin, size);
      case "I32":
        return new Int32Array(...aligned(4), size / 4);
      case "I64": {
        const wide = new BigInt64Array(...aligned(8), size / 8);
        return this.keep(name, Int32Array.from(wide, Number));
      }
      case "F16": {
        const half = new Uint16Array(...aligned(2), size / 2);
        return this.keep(name, Float32Array.from(half, halfToFloat));
      }
      default:
        throw new SourceError(`The trace in this page holds ${name} as ${dtype}.`);
    }
  }
  private keep(name: string, numbers: Element): Element {
    this.converted.set(name, numbers);
    return numbers;
  }
  private entry(name: string): Entry {
    const entry = this.entries[name];
    if (!entry) throw new SourceError(`The trace in this page lacks ${name}.`);
    return entry;
  }
}
