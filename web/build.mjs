// SPDX-License-Identifier: Apache-2.0
// Builds the page into dist/ (committed: the program embeds it), or with --into FOLDER elsewhere, or
// with --tests the unit tests into build/tests/, with --browser those that need a browser into
// build/browser/.
import { build } from "esbuild";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";

const into = process.argv.indexOf("--into");
const folder = into < 0 ? "dist" : process.argv[into + 1];

const common = { bundle: true, target: "es2022", charset: "utf8", legalComments: "none", logLevel: "warning" };

// The lesson's text for readers without scripts, and the runs that a lesson on disk holds.
async function writeLesson() {
  const text = JSON.parse(await readFile("src/lesson/en.json", "utf8"));
  const first = text.sentences[0];
  const escape = (s) => s.replace(/[&<]/g, (c) => (c === "&" ? "&amp;" : "&lt;"));
  const plain = (s) =>
    escape(s.replaceAll("{word}", first.word).replace(/ ?\(\{scale\} in this head\)/, "").replaceAll("{head}", "that head").replace(/This one has \{heads\}, in \{layers\} \*layers\*\./, "They stand in *layers*."))
      .replace(/\*([^*]+)\*/g, "<em>$1</em>")
      .replace(/`([^`]+)`/g, "<b>$1</b>");
  const steps = text.steps
    .map((step) => `<h2>${plain(step.title)}</h2>\n${(step.still ?? step.text).map((p) => `<p>${plain(p)}</p>`).join("\n")}`)
    .join("\n");
  const terms = text.terms.map(([term, meaning]) => `<dt>${escape(term)}</dt><dd>${escape(meaning)}</dd>`).join("\n");
  await writeFile(`${folder}/lesson.html`, `<h1>${escape(text.title)}</h1>\n<p>The steps speak of this sentence: <b>${escape(first.text)}</b> The picture and the table after them are of the text that this page was made for.</p>\n${steps}\n<dl>\n${terms}\n</dl>\n`);

  const apart = (n) => {
    const { open, pieces, close } = text.gap;
    return first.apart.replace("{gap}", n === 0 ? "" : open + pieces.slice(0, n - 1).join("") + close);
  };
  const runs = [
    ...text.sentences.flatMap((s) => [false, true].map((untrained) => ({ text: s.text, untrained }))),
    ...text.gap.ondisk.map((n) => ({ text: apart(n), untrained: false })),
  ];
  await writeFile(`${folder}/lesson_runs.json`, `${JSON.stringify(runs, null, 1)}\n`);
}

const kTests = { "--tests": ["tests", "build/tests"], "--browser": ["tests/browser", "build/browser"] };
const wanted = kTests[process.argv[2]];
if (wanted) {
  const [from, to] = wanted;
  const names = (await readdir(from)).filter((name) => /\.test\.ts$|^(measure\w*|pictures)\.ts$/.test(name));
  await build({
    ...common,
    entryPoints: names.map((name) => `${from}/${name}`),
    outdir: to,
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    packages: "external",
    jsx: "automatic",
    jsxImportSource: "preact",
  });
} else {
  await mkdir(folder, { recursive: true });
  await build({
    ...common,
    entryPoints: { page: "src/main.tsx" },
    outdir: folder,
    format: "esm",
    minify: true,
    jsx: "automatic",
    jsxImportSource: "preact",
  });
  await build({ ...common, entryPoints: ["src/page.css"], outdir: folder, minify: true });
  await copyFile("index.html", `${folder}/index.html`);
  await writeLesson();
}
