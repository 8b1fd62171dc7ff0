// SPDX-License-Identifier: Apache-2.0
// The page: finds out where its numbers come from, and draws.
import { render } from "preact";

import { EmbeddedSource, type EmbeddedTrace } from "./data/embedded";
import { ServerSource } from "./data/server";
import type { Source } from "./data/source";
import { start } from "./state";
import { App } from "./ui/app";

// A written page holds, for each trace, its JSON and its file in base64, in script elements that
// are no scripts.
async function embedded(): Promise<EmbeddedTrace[]> {
  const found = [...document.querySelectorAll<HTMLScriptElement>("script[data-trace]")];
  return Promise.all(
    found.map(async (element) => {
      const described = JSON.parse(element.textContent ?? "") as Omit<EmbeddedTrace, "data">;
      const data = document.getElementById(element.dataset["trace"]!)?.textContent ?? "";
      return { ...described, data: decode(data.trim()) };
    }),
  );
}

function decode(base64: string): ArrayBuffer {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}

async function main() {
  const traces = await embedded();
  const source: Source = traces.length > 0 ? new EmbeddedSource(traces) : new ServerSource();
  const started = start(source);
  const place = document.getElementById("app")!;
  place.textContent = "";
  render(<App />, place);
  await started;
}

void main();
