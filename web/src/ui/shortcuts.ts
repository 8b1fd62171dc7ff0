// SPDX-License-Identifier: Apache-2.0
// Keys that work anywhere but in a field.
import { useEffect } from "preact/hooks";

import type { HeadId } from "../data/types";
import { kViews } from "../choice";
import { choice, choose, chooseHead, dark, trace } from "../state";
import type { Level } from "../lib/grid";
import { tabs } from "./app";

export const kShortcuts = [
  { keys: "1 … 9", what: "open a view" },
  { keys: "j k", what: "next or previous head of the layer" },
  { keys: "J K", what: "same head, next or previous layer" },
  { keys: "w t s", what: "words, tokens, sentences" },
  { keys: "l", what: "linear, log or rank scale" },
  { keys: "m", what: "colours against the row's or the map's largest weight" },
  { keys: "h", what: "show or hide special tokens" },
  { keys: "n", what: "with or without sinks" },
  { keys: "Arrows Enter Esc", what: "in a view: move, lock, clear" },
  { keys: "/", what: "type a text" },
  { keys: "d", what: "dark or light" },
  { keys: "?", what: "this list" },
] as const;

export function stepHead(layerStep: number, headStep: number): void {
  const head = choice.value.head;
  const layers = trace.value?.layers.filter((l) => l.kind === head?.kind);
  if (!head || !layers) return;
  const at = layers.findIndex((l) => l.layer === head.layer);
  const layer = layers[Math.min(Math.max(at + layerStep, 0), layers.length - 1)];
  if (!layer) return;
  const within = Math.max(layer.heads.indexOf(head.head), 0) + headStep;
  const next = layer.heads[Math.min(Math.max(within, 0), layer.heads.length - 1)];
  if (next !== undefined) chooseHead({ ...head, layer: layer.layer, head: next } satisfies HeadId);
}

const kAnywhere = ["d", "/", "?"]; // also in the lesson, which shows no view

function act(key: string): boolean {
  const c = choice.value;
  if (c.lesson !== null && !kAnywhere.includes(key)) return false;
  const levels: Record<string, Level> = { w: "word", t: "token", s: "sentence" };
  if (/^[1-9]$/.test(key)) {
    const name = kViews[Number(key) - 1]!;
    if (!tabs().some((tab) => tab.name === name)) return false;
    choose({ view: name });
  } else if (key === "j") stepHead(0, 1);
  else if (key === "k") stepHead(0, -1);
  else if (key === "J") stepHead(1, 0);
  else if (key === "K") stepHead(-1, 0);
  else if (key in levels) choose({ level: levels[key]! });
  else if (key === "l")
    choose({ scale: c.scale === "linear" ? "log" : c.scale === "log" ? "rank" : "linear" });
  else if (key === "m") choose({ top: c.top === "row" ? "map" : "row" });
  else if (key === "h") choose({ specials: !c.specials });
  else if (key === "n") choose({ sinks: !c.sinks });
  else if (key === "d") dark.value = !dark.value;
  else if (key === "/") document.querySelector<HTMLElement>("textarea")?.focus();
  else return false;
  return true;
}

export function useShortcuts(help: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.closest("input, textarea, select, dialog, [contenteditable]")) return;
      if (event.key === "?") help();
      else if (!act(event.key)) return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
