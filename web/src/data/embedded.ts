// SPDX-License-Identifier: Apache-2.0
// A trace that lies in the page: every cell is recomputed here from queries, keys and
// log-sum-exps, as docs/trace-format.md describes them.
import { pooled } from "./pool";
import { Safetensors } from "./safetensors";
import { dot, kNoTerms, logit, sees, weightsOfRow, type HeadView, type ScoreTerms } from "./score";
import { SourceError, type Source, type TraceSummary } from "./source";
import { measuresFrom } from "./types";
import type {
  Cells,
  Checkpoint,
  Explanation,
  HeadId,
  HeadMeasure,
  Layer,
  Pool,
  Region,
  RunRequest,
  Tile,
  TraceInfo,
} from "./types";

export interface EmbeddedTrace {
  info: TraceInfo;
  measures: HeadMeasure[];
  untrained?: boolean; // weights were drawn at random
  checkpoint?: Checkpoint; // of its training
  data: ArrayBuffer; // the trace file
}

interface Head extends HeadView {
  value: Float32Array | null; // [keys, valueDim]
  valueDim: number;
  weights: Float32Array | null; // [queries, keys]: given ready-made
}

const prefixOf = (layer: Layer) =>
  `${layer.kind === "self" ? "" : `${layer.kind}.`}layers.${layer.layer}.`;

export class EmbeddedSource implements Source {
  readonly canRun = false;
  private readonly files: Safetensors[];
  private readonly heads = new Map<string, Head>();

  constructor(private readonly embedded: EmbeddedTrace[]) {
    this.files = embedded.map((one) => new Safetensors(one.data));
  }

  models() {
    return Promise.resolve({ models: [], chosen: "" });
  }
  // A run of the page that is the wanted one.
  run(request: RunRequest): Promise<string> {
    const found = this.embedded.find(
      ({ info, untrained, checkpoint }) =>
        info.sides[0]?.text === request.text &&
        (info.sides[0].pair ?? undefined) === request.pair &&
        (untrained ?? false) === (request.untrained ?? false) &&
        (request.checkpoint === undefined || checkpoint?.step === request.checkpoint),
    );
    if (found) return Promise.resolve(found.info.id);
    return Promise.reject(
      new SourceError("This page holds finished runs. Start `regard serve` to type another text."),
    );
  }
  traces(): Promise<TraceSummary[]> {
    const shown = this.embedded.filter(({ checkpoint }, i) => i === 0 || checkpoint === undefined);
    return Promise.resolve(
      shown.map(({ info }) => ({
        id: info.id,
        model: info.model,
        text: info.sides[0]?.text ?? "",
        tokens: info.sides[0]?.tokens.length ?? 0,
      })),
    );
  }
  checkpoints(_model: string, text: string): Promise<Checkpoint[]> {
    const own = this.embedded.filter(({ info }) => info.sides[0]?.text === text);
    const found = own.flatMap(({ checkpoint }) => checkpoint ?? []);
    return Promise.resolve(found.sort((a, b) => a.step - b.step));
  }
  async info(trace: string): Promise<TraceInfo> {
    return this.at(trace).info;
  }
  measures(trace: string): Promise<HeadMeasure[]> {
    return Promise.resolve(measuresFrom(this.at(trace).measures));
  }
  assistant() {
    return Promise.resolve(null);
  }
  ask(): Promise<string> {
    return Promise.reject(new SourceError("A page on disk asks nobody."));
  }
  exportAddress(): null {
    return null;
  }
  forget(): void {}

  async tile(trace: string, id: HeadId, region: Region, cells: Cells, pool: Pool, signal?: AbortSignal): Promise<Tile> {
    // One tile a task, so that a page of thumbnails leaves time to draw and to answer.
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    const head = this.head(trace, id);
    const { weights } = head;
    return pooled(region, cells, pool, (row, begin, out) => {
      if (!weights) return weightsOfRow(head, row, begin, out);
      const from = row * head.keys + begin;
      out.set(weights.subarray(from, from + out.length));
    });
  }

  explain(trace: string, id: HeadId, token: number): Promise<Explanation> {
    const head = this.head(trace, id);
    if (head.weights) {
      return Promise.reject(
        new SourceError("These weights were given ready-made, without queries and keys."),
      );
    }
    const output = new Array<number>(head.valueDim).fill(0);
    const weights = new Float64Array(head.keys);
    weightsOfRow(head, token, 0, weights);
    const steps = Array.from({ length: head.keys }, (_, k) => {
      const w = weights[k]!;
      const value = head.value
        ? [...head.value.subarray(k * head.valueDim, (k + 1) * head.valueDim)]
        : [];
      value.forEach((x, i) => (output[i] = output[i]! + w * x));
      return {
        token: k,
        key: [...head.key.subarray(k * head.dim, (k + 1) * head.dim)],
        dot: dot(head, token, k),
        logit: logit(head, token, k),
        masked: !sees(head, token, k),
        weight: w,
        value,
      };
    });
    return Promise.resolve({
      head: id,
      queryIndex: token,
      score: head.score,
      lse: head.lse[token]!,
      query: [...head.query.subarray(token * head.dim, (token + 1) * head.dim)],
      steps,
      output: head.value ? output : [],
    });
  }

  private index(trace: string): number {
    const index = this.embedded.findIndex((one) => one.info.id === trace);
    if (index < 0) throw new SourceError(`There is no trace ${trace} in this page.`, 404);
    return index;
  }
  private at(trace: string): EmbeddedTrace {
    return this.embedded[this.index(trace)]!;
  }

  private head(trace: string, id: HeadId): Head {
    const name = `${trace} ${id.kind} ${id.layer} ${id.head}`;
    const known = this.heads.get(name);
    if (known) return known;
    const index = this.index(trace);
    const made = this.read(this.files[index]!, this.embedded[index]!.info, id);
    this.heads.set(name, made);
    return made;
  }

  private read(file: Safetensors, info: TraceInfo, id: HeadId): Head {
    const layer = info.layers.find((l) => l.kind === id.kind && l.layer === id.layer);
    const row = layer?.heads.indexOf(id.head) ?? -1;
    if (!layer || row < 0)
      throw new SourceError(`This page does not hold layer ${id.layer}, head ${id.head}.`);
    const prefix = prefixOf(layer);
    const queries = info.sides[layer.query]!.tokens.length;
    const keys = info.sides[layer.key]!.tokens.length;
    const slice = (name: string, at: number) => {
      const all = file.numbers(prefix + name) as Float32Array;
      const size = all.length / file.shape(prefix + name)[0]!;
      return all.subarray(at * size, (at + 1) * size);
    };
    const optional = (name: string, at: number) => (file.has(prefix + name) ? slice(name, at) : null);
    const weights = optional("weights", row);
    const spec = layer.score;
    if (weights || !spec) {
      const none = new Float32Array(0);
      return {
        query: none, key: none, lse: new Float64Array(0), keyValid: null, queries, keys, dim: 0,
        score: { scale: 1, cap: 0, causal: false, window: 0, chunk: 0, prefix: 0, alibi: "none" },
        terms: kNoTerms, value: null, valueDim: 0, weights,
      };
    }
    const kv = file.has(`${prefix}kv_of`) ? file.numbers(`${prefix}kv_of`)[row]! : row;
    const lse = file.numbers(`${prefix}lse`) as Float64Array;
    const whole = <T>(name: string) =>
      file.has(prefix + name) ? (file.numbers(prefix + name) as T) : null;
    const relative = optional("query_relative", row);
    const keyRelative = optional("key_relative", row);
    const terms: ScoreTerms = {
      slope: whole<Float32Array>("alibi_slopes")?.[row] ?? 0,
      bias: optional("bias", row),
      queryRelative: relative,
      keyRelative,
      slot: whole<Int32Array>("relative_slot"),
      slots: relative ? relative.length / queries : keyRelative ? keyRelative.length / keys : 0,
      blocks: whole<Uint8Array>("blocks"),
    };
    return {
      query: slice("query", row),
      key: slice("key", kv),
      lse: lse.subarray(row * queries, (row + 1) * queries),
      keyValid: file.has("keys.valid") ? (file.numbers("keys.valid") as Uint8Array) : null,
      queries,
      keys,
      dim: layer.dim,
      score: spec,
      terms,
      value: optional("value", kv),
      valueDim: layer.valueDim,
      weights: null,
    };
  }
}
