/** The command `npm run features`: writes the generated tables of docs/FEATURES.md from the code's own lists. */
import { readFileSync, writeFileSync } from "node:fs";
import { updateFeatures } from "./features/render.ts";

const page = "docs/FEATURES.md";
writeFileSync(page, updateFeatures(readFileSync(page, "utf8")));
console.log(`wrote the tables of ${page}`);
