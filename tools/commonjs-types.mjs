#!/usr/bin/env node
/**
 * Copies the types that the entries of the package reach to dist/commonjs, a folder of CommonJS modules: what `require` and
 * CommonJS files of TypeScript see. The code is the same for both; every Node that hearth supports can require it.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const target = join(dist, "commonjs");

function reach(path, seen) {
  if (seen.has(path)) return;
  const text = readFileSync(path, "utf8");
  seen.set(path, text);
  for (const [, name] of text.matchAll(/(?:from|import) "(\.[^"]+)\.[jt]s"/g)) {
    reach(resolve(dirname(path), `${name}.d.ts`), seen);
  }
}

const files = new Map();
for (const entry of ["index", "server/server", "browser/tokenizer", "browser/gguf"]) {
  reach(join(dist, `${entry}.d.ts`), files);
}
rmSync(target, { recursive: true, force: true });
mkdirSync(target);
writeFileSync(join(target, "package.json"), '{ "type": "commonjs" }\n');
for (const [path, text] of files) {
  const copy = join(target, relative(dist, path));
  mkdirSync(dirname(copy), { recursive: true });
  writeFileSync(copy, text);
}
