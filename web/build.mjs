// SPDX-License-Identifier: Apache-2.0
// Builds the page into dist/ (committed: the program embeds it), or with --tests the unit tests
// into build/tests/.
import { build } from "esbuild";
import { copyFile, readdir } from "node:fs/promises";

const common = { bundle: true, target: "es2022", charset: "utf8", legalComments: "none", logLevel: "warning" };

if (process.argv.includes("--tests")) {
  const tests = (await readdir("tests")).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: tests.map((name) => `tests/${name}`),
    outdir: "build/tests",
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
  });
} else {
  await build({
    ...common,
    entryPoints: { page: "src/main.tsx" },
    outdir: "dist",
    format: "esm",
    minify: true,
    jsx: "automatic",
    jsxImportSource: "preact",
  });
  await build({ ...common, entryPoints: ["src/page.css"], outdir: "dist", minify: true });
  await copyFile("index.html", "dist/index.html");
}
