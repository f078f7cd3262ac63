/** The command `npm run features`: writes the generated tables of docs/FEATURES.md and README.md from the code's own lists. */
import { readFileSync, writeFileSync } from "node:fs";
import { updateFeatures, updateReadme } from "./features/render.ts";

function rewrite(page: string, update: (text: string) => string): void {
  writeFileSync(page, update(readFileSync(page, "utf8")));
  console.log(`wrote the tables of ${page}`);
}

rewrite("docs/FEATURES.md", updateFeatures);
rewrite("README.md", updateReadme);
