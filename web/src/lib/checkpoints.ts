// SPDX-License-Identifier: Apache-2.0
// One text at the checkpoints of its model's training: which there are, and their runs.
import { useEffect, useState } from "preact/hooks";

import type { Checkpoint, HeadMeasure, TraceInfo } from "../data/types";
import { checkpoints, readCheckpoints, report, shownModel, theSource, trace } from "../state";

export interface RunAt {
  info: TraceInfo;
  measures: HeadMeasure[];
}

const kMost = 48; // are run
const kAskAgain = 4000; // ms: a run that is being trained grows

// At most `most` of the list, evenly, the first and the last among them.
export function thinned<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list];
  return Array.from({ length: most }, (_, i) => list[Math.round((i * (list.length - 1)) / (most - 1))]!);
}

// The checkpoints of the text on the page and, as they arrive, its runs by step: the last one first,
// then from the beginning. Asks for new checkpoints while it is shown.
export function useCheckpoints(): { list: Checkpoint[]; of: number; runs: ReadonlyMap<number, RunAt> } {
  const info = trace.value;
  const all = checkpoints.value;
  const list = thinned(all, kMost);
  const [kept, setKept] = useState<{ of: TraceInfo | null; runs: ReadonlyMap<number, RunAt> }>({ of: null, runs: new Map() });
  useEffect(() => {
    if (!info || all.length === 0) return;
    const stop = new AbortController();
    const text = info.sides[0]!.text;
    const steps = list.map((one) => one.step);
    let runs: ReadonlyMap<number, RunAt> = kept.of === info ? kept.runs : new Map();
    setKept({ of: info, runs });
    const load = async () => {
      for (const step of [steps.at(-1)!, ...steps.slice(0, -1)]) {
        if (runs.has(step)) continue;
        const request = { model: shownModel(), text, checkpoint: step };
        const id = await theSource().run(request, () => undefined, stop.signal);
        const [own, measures] = await Promise.all([theSource().info(id), theSource().measures(id)]);
        if (stop.signal.aborted) return;
        runs = new Map(runs).set(step, { info: own, measures });
        setKept({ of: info, runs });
      }
    };
    load().catch((error: unknown) => !stop.signal.aborted && report(error));
    return () => stop.abort();
  }, [info, all]);
  useEffect(() => {
    if (!theSource().canRun) return;
    const timer = setInterval(() => void readCheckpoints(), kAskAgain);
    return () => clearInterval(timer);
  }, []);
  return { list, of: all.length, runs: kept.of === info ? kept.runs : new Map() };
}
