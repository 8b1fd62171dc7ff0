// SPDX-License-Identifier: Apache-2.0
// Saves what is shown: by the program where there is one, else from what the page has drawn.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { ExportRequest } from "../data/source";
import { headsName } from "../data/types";
import { kMeanViews, type ViewName } from "../choice";
import { choice, dark, problem, shownHeads, theSource, trace, unitAt } from "../state";
import { viewToSvg } from "./picture";
import { shownTable, toCsv } from "./table";

export function save(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Saves what an element shows as a picture.
export function saveSvg(name: string, element: Element): void {
  save(`${name}.svg`, new Blob([viewToSvg(element).svg], { type: "image/svg+xml" }));
}

export async function savePng(name: string, element: Element): Promise<void> {
  const { svg, width, height } = viewToSvg(element);
  save(`${name}.png`, await toPng(svg, width, height));
}

async function toPng(svg: string, width: number, height: number): Promise<Blob> {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  const context = canvas.getContext("2d")!;
  context.scale(2, 2);
  context.drawImage(image, 0, 0);
  URL.revokeObjectURL(image.src);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png"),
  );
}

const kNoCopy = "The browser does not let this page copy.";
const said = signal("");

const kByProgram: Partial<Record<ViewName, ExportRequest["view"]>> = {
  heatmap: "heatmap",
  heads: "heads",
  links: "links",
};

export function ExportMenu({ view }: { view: ViewName }) {
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (said.value === "") return;
    const timer = setTimeout(() => (said.value = ""), 4000);
    return () => clearTimeout(timer);
  }, [said.value]);
  const info = trace.value;
  const head = choice.value.head;
  if (!info || !head) return null;
  const heads = kMeanViews.includes(view) ? shownHeads.value : [head];
  const name = `regard-${view}-${headsName(heads).replace(/[ +,]+/g, "-")}`;
  const program = kByProgram[view];
  const by = (format: ExportRequest["format"]) => {
    const c = choice.value;
    const row = unitAt(c.row, "row");
    const paired = info.sides.length === 1 && info.sides[0]!.pair !== null;
    if (!program) return null;
    return theSource().exportAddress(info.id, {
      view: program,
      format,
      heads: view === "links" && c.mean.length === 0 ? (c.alone ? [c.alone] : c.heads.filter((h) => h.kind === head.kind)) : heads,
      level: c.level,
      // Links are drawn by their weights.
      scale: view === "links" ? "linear" : c.scale,
      top: view === "links" ? "map" : c.top,
      specials: c.specials,
      sinks: c.sinks,
      part: paired ? c.part : "all",
      keepMass: c.mass,
      dark: dark.value,
      ...(row >= 0 ? { word: row } : {}),
    });
  };
  const act = async (format: "png" | "svg" | "csv" | "pdf" | "json") => {
    try {
      const address = by(format);
      // The program draws all heads in the model's order, and every link; a picture has what is shown.
      const drawn = view !== "heatmap" && (format === "png" || format === "svg");
      if (address && format !== "csv" && !drawn) {
        const answer = await fetch(address);
        if (!answer.ok) throw new Error(((await answer.json()) as { error: string }).error);
        return save(`${name}.${format}`, await answer.blob());
      }
      if (format === "csv") {
        const table = shownTable();
        if (!table) throw new Error("this view has no numbers yet");
        return save(`${name}.csv`, new Blob([toCsv(table)], { type: "text/csv" }));
      }
      const { svg, width, height } = viewToSvg(document.getElementById("view")!);
      if (format === "svg") save(`${name}.svg`, new Blob([svg], { type: "image/svg+xml" }));
      else save(`${name}.png`, await toPng(svg, width, height));
    } catch (error) {
      problem.value = `The picture could not be saved: ${error instanceof Error ? error.message : error}`;
    }
  };
  const copy = (text: string) =>
    void navigator.clipboard.writeText(text).then(
      () => (said.value = "Copied."),
      () => (problem.value = kNoCopy),
    );
  const copyFigure = async () => {
    try {
      const { svg, width, height } = viewToSvg(document.getElementById("view")!);
      await navigator.clipboard.write([new ClipboardItem({ "image/png": toPng(svg, width, height) })]);
      said.value = "The figure is on the clipboard.";
    } catch {
      problem.value = kNoCopy;
    }
  };
  const citation = [
    "@software{regard,",
    "  title = {Regard: the attention microscope},",
    `  note = {${info.model}, ${headsName(heads)}; text: ${info.sides[0]!.text.slice(0, 120).replace(/[{}\\]/g, "")}},`,
    `  year = {${new Date().getFullYear()}}`,
    "}",
  ].join("\n");
  return (
    <details class="export" ref={menu}>
      <summary>Save or copy</summary>
      <div class="export-items">
        <button type="button" onClick={() => void act("png")}>PNG</button>
        <button type="button" onClick={() => void act("svg")}>SVG</button>
        {by("pdf") && <button type="button" onClick={() => void act("pdf")}>PDF</button>}
        <button type="button" onClick={() => void act("csv")}>CSV</button>
        {by("json") && <button type="button" onClick={() => void act("json")}>JSON</button>}
        <button type="button" onClick={() => void copyFigure()}>Copy figure</button>
        <button type="button" onClick={() => copy(location.href)}>Copy link</button>
        <button type="button" onClick={() => copy(citation)}>Copy citation (BibTeX)</button>
        <span role="status">{said.value}</span>
      </div>
    </details>
  );
}
