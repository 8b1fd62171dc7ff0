// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";

import { pooled } from "../src/data/pool";
import { Safetensors } from "../src/data/safetensors";

const cell = (row: number, begin: number, out: Float64Array) => out.forEach((_, i) => (out[i] = row * 10 + begin + i));
const region = { rowBegin: 1, rowEnd: 6, columnBegin: 2, columnEnd: 5 };

test("the last cell pools the remainder and there is no upsampling", () => {
  const tile = pooled(region, 2, "sum", cell);
  assert.deepEqual([tile.rows, tile.columns], [2, 2]);
  assert.deepEqual([...tile.cells], [12 + 22, 13 + 14 + 23 + 24, 32 + 42 + 52, 33 + 34 + 43 + 44 + 53 + 54]);
  assert.deepEqual([...pooled(region, 2, "max", cell).cells], [22, 24, 52, 54]);
  assert.deepEqual([...pooled(region, 2, "mean", cell).cells], [17, 18.5, 42, 43.5]);
  const own = pooled(region, 512, "max", cell);
  assert.deepEqual([own.rows, own.columns, own.cells[0], own.cells[14]], [5, 3, 12, 54]);
});

test("cells of a given extent end with the region", () => {
  const tile = pooled(region, { height: 2, width: 2 }, "sum", cell);
  assert.deepEqual([tile.rows, tile.columns], [3, 2]);
  assert.deepEqual([...tile.cells], [12 + 13 + 22 + 23, 14 + 24, 32 + 33 + 42 + 43, 34 + 44, 52 + 53, 54]);
  assert.deepEqual([...pooled(region, { height: 2, width: 2 }, "mean", cell).cells], [17.5, 19, 37.5, 39, 52.5, 54]);
  assert.deepEqual([...pooled(region, { height: 9, width: 1 }, "max", cell).cells], [52, 53, 54]);
});

function file(entries: Record<string, { dtype: string; shape: number[]; bytes: Uint8Array }>, metadata = {}) {
  let at = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const [name, e] of Object.entries(entries)) {
    header[name] = { dtype: e.dtype, shape: e.shape, data_offsets: [at, at + e.bytes.length] };
    at += e.bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + at);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  let to = 8 + text.length;
  for (const e of Object.values(entries)) {
    out.set(e.bytes, to);
    to += e.bytes.length;
  }
  return out.buffer;
}
const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

test("tensors are read whatever their alignment", () => {
  const read = new Safetensors(
    file({
      odd: { dtype: "U8", shape: [3], bytes: Uint8Array.from([1, 2, 3]) },
      f: { dtype: "F32", shape: [2], bytes: bytesOf(Float32Array.from([1.5, -2])) },
      d: { dtype: "F64", shape: [1], bytes: bytesOf(Float64Array.from([0.1])) },
      i: { dtype: "I64", shape: [2], bytes: bytesOf(BigInt64Array.from([7n, -1n])) },
      h: { dtype: "F16", shape: [4], bytes: bytesOf(Uint16Array.from([0x3c00, 0xc000, 0x0001, 0x7c00])) },
    }, { "regard.format": "1" }),
  );
  assert.equal(read.metadata["regard.format"], "1");
  assert.deepEqual([...read.numbers("odd")], [1, 2, 3]);
  assert.deepEqual([...read.numbers("f")], [1.5, -2]);
  assert.deepEqual([...read.numbers("d")], [0.1]);
  assert.deepEqual([...read.numbers("i")], [7, -1]);
  assert.deepEqual([...read.numbers("h")], [1, -2, 2 ** -24, Infinity]);
  assert.throws(() => read.numbers("missing"), /lacks missing/);
});

test("a file that is cut short is refused", () => {
  const whole = file({ f: { dtype: "F32", shape: [2], bytes: new Uint8Array(8) } });
  assert.throws(() => new Safetensors(whole.slice(0, whole.byteLength - 4)).numbers("f"), /cut short/);
  assert.throws(() => new Safetensors(whole.slice(0, 20)), /cut short/);
});
