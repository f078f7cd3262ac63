/**
 * Proves with native llama.cpp that hearth computes each architecture as it does, on made models: perplexity of a
 * text longer than any window, and greedy answers several at once, on the CPU and a graphics card (one in software
 * where there is no other).
 *   npm run prove:models -- [--native COMMAND] [--only NAME] [--devices cpu,gpu] [--write]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { mayHaveAdapter } from "../src/backends/webgpu/card-presence.ts";
import { packagePath } from "../src/core/package-root.ts";
import { makeModel } from "./make-model/make-model.ts";
import { parseOptions } from "./make-model/options.ts";
import { type ProvedCase, provedCases } from "./prove-models/cases.ts";
import { compareModel, type Oracle } from "./prove-models/compare.ts";
import { goldenWith } from "./prove-models/golden.ts";
import type { Device } from "./prove-models/measure.ts";
import { type ProvedModel, pageWith, rowOf, verdictOf } from "./prove-models/page.ts";
import { provedText } from "./prove-models/text.ts";

const { values: flags } = parseArgs({
  options: {
    /** What starts llama.cpp's tools: a command, to which a tool's name is appended. Default: the tools themselves. */
    native: { type: "string", default: "" },
    /** An architecture or a variant of make-model. */
    only: { type: "string" },
    devices: { type: "string", default: "cpu,gpu" },
    /** Writes the results to the page and to what the suite compares, in place of the same models' older ones. */
    write: { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  const devices = devicesOf(flags.devices);
  if (devices.includes("gpu") && !mayHaveAdapter()) return runWithSoftwareDriver();
  const chosen = provedCases().filter(({ name }) => (flags.only ?? name) === name);
  if (chosen.length === 0) throw new RangeError(`--only ${flags.only}: no such model`);
  const proved = await proveAll(chosen, devices);
  if (flags.write) {
    write(proved);
  }
  const wrong = proved.filter(({ result }) => verdictOf(result).length > 0);
  console.log(`${proved.length - wrong.length} of ${proved.length} models as native llama.cpp`);
  return wrong.length === 0 ? 0 : 1;
}

/** Models that were not asked for keep what was written of them before. */
function write(proved: readonly ProvedModel[]): void {
  const cases = provedCases();
  const names = cases.map(({ name }) => name);
  const page = packagePath("docs/measurements/models.md");
  const golden = packagePath("test/golden/made-models.json");
  writeFileSync(page, pageWith(proved, { before: readFileSync(page, "utf8"), cases }));
  writeFileSync(golden, goldenWith(proved, { before: readFileSync(golden, "utf8"), names }));
}

async function proveAll(
  cases: readonly ProvedCase[],
  wanted: readonly Device[],
): Promise<readonly ProvedModel[]> {
  const folder = mkdtempSync(join(tmpdir(), "prove-models-"));
  const oracle: Oracle = {
    command: (tool) => [...flags.native.split(" ").filter(Boolean), tool],
    textFile: join(folder, "text.txt"),
  };
  writeFileSync(oracle.textFile, provedText);
  const proved: ProvedModel[] = [];
  try {
    for (const proving of cases) {
      const { options, isWhole, tie } = proving;
      const path = join(folder, "model.gguf");
      await makeModel(parseOptions([path, ...options.trim().split(/\s+/)]));
      const devices = isWhole ? wanted : wanted.filter((device) => device === "cpu");
      const result = await compareModel(path, oracle, { devices, answers: isWhole, tie });
      const model = { ...proving, result };
      proved.push(model);
      console.log([rowOf(model), ...verdictOf(result)].join("\n  "));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return proved;
}

function devicesOf(list: string): readonly Device[] {
  return list.split(",").map((device) => {
    if (device === "cpu" || device === "gpu") return device;
    throw new RangeError(`--devices ${list}: expected cpu, gpu or cpu,gpu`);
  });
}

/** The loader of drivers reads its environment when a process starts. */
async function runWithSoftwareDriver(): Promise<number> {
  const path = packagePath("tools/software-vulkan.mjs");
  const { softwareVulkan }: { softwareVulkan: () => { env?: NodeJS.ProcessEnv } } = await import(
    pathToFileURL(path).href
  );
  const found = softwareVulkan();
  if (found.env === undefined) throw new Error("no graphics adapter: ask for --devices cpu");
  const env = { ...process.env, ...found.env };
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  return spawnSync(process.execPath, args, { env, stdio: "inherit" }).status ?? 1;
}

process.exitCode = await main();
