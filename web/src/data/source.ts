// SPDX-License-Identifier: Apache-2.0
// Where the page gets its numbers. Two implementations: a server (server.ts), and a trace that lies
// in the page itself (embedded.ts), whose cells are recomputed here from queries, keys and
// log-sum-exps.
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

export interface TraceSummary {
  id: string;
  model: string;
  text: string;
  tokens: number;
  untrained?: boolean; // weights were drawn at random
}

export interface Progress {
  done: number;
  total: number;
  what: string;
}

export interface ExportRequest {
  view: "heatmap" | "row" | "heads" | "links";
  format: "png" | "svg" | "pdf" | "csv" | "json" | "npy";
  heads: HeadId[]; // several: their mean, or of links each
  level: string;
  scale: string;
  top: string;
  word?: number;
  specials: boolean;
  sinks: boolean;
  part: string;
  keepMass: number;
  dark: boolean;
}

// A free question, with the numbers of the run that it is about.
export interface Question {
  question: string;
  facts: string;
  language: string;
}

export interface Source {
  readonly canRun: boolean; // texts can be typed and models chosen
  models(): Promise<{ models: ModelEntry[]; chosen: string }>;
  // Runs a model on a text; resolves to the trace's id. Aborting the signal cancels the run.
  run(request: RunRequest, progress: (p: Progress) => void, signal: AbortSignal): Promise<string>;
  traces(): Promise<TraceSummary[]>;
  // Of the training of this model, by step, at which this text can be run; often none.
  checkpoints(model: string, text: string): Promise<Checkpoint[]>;
  info(trace: string): Promise<TraceInfo>;
  // Weights of tokens, pooled to cells. atOnce: rather a rough tile now than an exact one in seconds.
  tile(
    trace: string,
    head: HeadId,
    region: Region,
    cells: Cells,
    pool: Pool,
    signal?: AbortSignal,
    atOnce?: boolean,
  ): Promise<Tile>;
  explain(trace: string, head: HeadId, token: number): Promise<Explanation>;
  measures(trace: string): Promise<HeadMeasure[]>;
  // The language model that free questions go to; null: none is set up.
  assistant(): Promise<string | null>;
  ask(question: Question, signal: AbortSignal): Promise<string>;
  // Address of a picture or table made by the program; null where there is no program.
  exportAddress(trace: string, request: ExportRequest): string | null;
  // Drops answers that were kept.
  forget(): void;
}

// An error whose message is meant for the reader.
export class SourceError extends Error {
  constructor(
    message: string,
    readonly status = 0,
  ) {
    super(message);
  }
}

// The server does not answer at all.
export class ConnectionError extends SourceError {}
