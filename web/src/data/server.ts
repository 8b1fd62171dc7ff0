// SPDX-License-Identifier: Apache-2.0
// The program's own server: docs/api.md.
import { ConnectionError, SourceError, type ExportRequest, type Progress, type Question, type Source, type TraceSummary } from "./source";
import { measuresFrom } from "./types";
import type {
  Cells,
  Checkpoint,
  Explanation,
  HeadId,
  HeadMeasure,
  ModelEntry,
  Pool,
  Region,
  RunRequest,
  Tile,
  TraceInfo,
} from "./types";

const headParameters = (head: HeadId) => ({
  kind: head.kind,
  head: `L${head.layer}H${head.head}`,
});

const kMostInAddress = 2000; // characters of a text
const kGone = "The server does not answer. Is `regard serve` still running?";

async function ask(path: string, init?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ConnectionError(kGone);
  }
  if (answer.ok) return answer;
  let reason = `The server answered ${answer.status}.`;
  try {
    reason = ((await answer.json()) as { error: string }).error;
  } catch {
    // No JSON: the status has to do.
  }
  throw new SourceError(reason, answer.status);
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await ask(path, init)).json() as Promise<T>;
}

function query(parameters: Record<string, string | number | boolean>): string {
  const list = Object.entries(parameters).map(([k, v]) => [k, String(v)] as [string, string]);
  return new URLSearchParams(list).toString();
}

export class ServerSource implements Source {
  readonly canRun = true;
  // What has been asked before is not asked again; a trace never changes.
  private readonly known = new Map<string, Promise<unknown>>();

  models() {
    return json<{ models: ModelEntry[]; chosen: string }>("/api/models");
  }

  async run(request: RunRequest, progress: (p: Progress) => void, signal: AbortSignal) {
    // Not aborted itself: without the run's id the run could not be cancelled.
    const { run } = await json<{ run: string }>("/api/runs", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    return new Promise<string>((resolve, reject) => {
      const events = new EventSource(`/api/runs/${run}/events`);
      const finish = (settle: () => void) => {
        events.close();
        signal.removeEventListener("abort", cancel);
        settle();
      };
      const cancel = () => {
        void fetch(`/api/runs/${run}`, { method: "DELETE" }).catch(() => undefined);
        finish(() => reject(new DOMException("cancelled", "AbortError")));
      };
      signal.addEventListener("abort", cancel);
      if (signal.aborted) return cancel();
      events.addEventListener("progress", (event) => progress(JSON.parse(event.data) as Progress));
      events.addEventListener("done", (event) => {
        const { trace } = JSON.parse(event.data) as { trace: string };
        finish(() => resolve(trace));
      });
      events.addEventListener("failed", (event) => {
        const { error } = JSON.parse(event.data) as { error: string };
        finish(() => reject(new SourceError(error)));
      });
      events.onerror = () => {
        finish(() => reject(new ConnectionError(kGone)));
      };
    });
  }

  async traces() {
    return (await json<{ traces: TraceSummary[] }>("/api/traces")).traces;
  }
  async checkpoints(model: string, text: string) {
    if (text.length > kMostInAddress) return [];
    return (await json<{ checkpoints: Checkpoint[] }>(`/api/checkpoints?${query({ model, text })}`)).checkpoints;
  }
  info(trace: string) {
    return this.once(`/api/traces/${trace}`, (path) => json<TraceInfo>(path));
  }
  measures(trace: string) {
    return this.once(
      `/api/traces/${trace}/measures`,
      async (path) => measuresFrom((await json<{ measures: HeadMeasure[] }>(path)).measures),
    );
  }
  explain(trace: string, head: HeadId, token: number) {
    const parameters = query({ ...headParameters(head), token });
    return this.once(`/api/traces/${trace}/explain?${parameters}`, (path) =>
      json<Explanation>(path),
    );
  }

  async tile(
    trace: string,
    head: HeadId,
    region: Region,
    cells: Cells,
    pool: Pool,
    signal?: AbortSignal,
    atOnce = false,
  ): Promise<Tile> {
    const extent = Math.max(region.rowEnd - region.rowBegin, region.columnEnd - region.columnBegin);
    const parameters = query({
      ...headParameters(head),
      rows: `${region.rowBegin}:${region.rowEnd}`,
      cols: `${region.columnBegin}:${region.columnEnd}`,
      ...(typeof cells === "number" ? { size: Math.min(cells, extent) } : { cell: `${cells.height},${cells.width}` }),
      pool,
      exact: !atOnce,
    });
    const answer = await ask(
      `/api/traces/${trace}/tile?${parameters}`,
      signal ? { signal } : undefined,
    );
    const [rows, columns] = (answer.headers.get("x-regard-shape") ?? "").split(",").map(Number);
    const weights = new Float32Array(await answer.arrayBuffer());
    if (!rows || !columns || rows * columns !== weights.length)
      throw new SourceError("The server's tile is not of the shape that it names.");
    return { rows, columns, cells: weights, rough: answer.headers.get("x-regard-exact") === "false" };
  }

  async assistant() {
    return (await json<{ model: string | null }>("/api/ask")).model;
  }
  async ask(question: Question, signal: AbortSignal) {
    const request = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(question),
      signal,
    };
    return (await json<{ answer: string }>("/api/ask", request)).answer;
  }

  exportAddress(trace: string, request: ExportRequest) {
    const { heads, word, ...rest } = request;
    const parameters = query({
      ...headParameters(heads[0]!),
      head: heads.map((head) => `L${head.layer}H${head.head}`).join(","),
      ...rest,
      ...(word === undefined ? {} : { word }),
    });
    return `/api/traces/${trace}/export?${parameters}`;
  }

  forget() {
    this.known.clear();
  }

  private once<T>(path: string, load: (path: string) => Promise<T>): Promise<T> {
    const known = this.known.get(path) as Promise<T> | undefined;
    if (known) return known;
    const promise = load(path);
    this.known.set(path, promise);
    promise.catch(() => this.known.delete(path));
    return promise;
  }
}
