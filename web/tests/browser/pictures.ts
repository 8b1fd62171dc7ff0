// SPDX-License-Identifier: Apache-2.0
// Makes the pictures of the page in docs/pictures: `npm run pictures`, with REGARD_PROGRAM naming the
// program. MiniLM on the project's sentence, from a page on disk.
import { kSentence, pageOnDisk, setDark, tab } from "./harness";

const kShots = [
  { name: "links", hash: "view=links&head=L3H1+L2H1+L5H11&specials=no", height: 620 },
];

const page = pageOnDisk(kSentence);
for (const dark of [false, true]) {
  for (const { name, hash, height } of kShots) {
    const { page: shown, errors } = await tab(null, { viewport: { width: 960, height } });
    await shown.goto(`${page}#${hash}`);
    await shown.locator(".data-table").waitFor();
    await setDark(shown, dark);
    await shown.waitForTimeout(500);
    await shown.screenshot({ path: `../docs/pictures/page-${name}${dark ? "-dark" : ""}.png` });
    if (errors.length > 0) throw new Error(errors.join("\n"));
    await shown.context().close();
  }
}
process.exit(0);
