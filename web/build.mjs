// SPDX-License-Identifier: Apache-2.0
// Builds the page into dist/ (committed: the program embeds it), or with --tests the unit tests
// into build/tests/, with --browser those that need a browser into build/browser/.
import { build } from "esbuild";
import { copyFile, readdir } from "node:fs/promises";

const common = { bundle: true, target: "es2022", charset: "utf8", legalComments: "none", logLevel: "warning" };

const kTests = { "--tests": ["tests", "build/tests"], "--browser": ["tests/browser", "build/browser"] };
const wanted = kTests[process.argv[2]];
if (wanted) {
  const [from, to] = wanted;
  const names = (await readdir(from)).filter((name) => /\.test\.ts$|^measure\.ts$/.test(name));
  await build({
    ...common,
    entryPoints: names.map((name) => `${from}/${name}`),
    outdir: to,
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    packages: "external",
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
