/**
 * The command `npm run prove:gpu`: on a graphics card, is what hearth computes right, and how fast is it? Compiled to build/tools,
 * with the sources of src beside it: a bundle of that folder runs where there is nothing else (prove-gpu/bundle.ts).
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { mayHaveAdapter } from "../src/backends/webgpu/card-presence.ts";
import { checkoutCommit } from "../src/commands/bench/machine.ts";
import { HearthError } from "../src/core/errors.ts";
import { packagePath } from "../src/core/package-root.ts";
import { writeBundle } from "./prove-gpu/bundle.ts";
import { parseOptions, usage } from "./prove-gpu/options.ts";
import { prove, type SectionRequest } from "./prove-gpu/prove.ts";
import { runSection } from "./prove-gpu/run-section.ts";
import { sections } from "./prove-gpu/sections.ts";

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(usage);
    return 0;
  }
  if (args[0] === "--section") {
    const request: SectionRequest = JSON.parse(args[1] ?? "");
    return runSection(request, sections);
  }
  const options = parseOptions(args);
  const commit = bundleCommit() ?? checkoutCommit();
  const onProgress = (text: string): void => console.log(text);
  if (options.bundle !== undefined) {
    writeBundle({ file: options.bundle, commit, onProgress });
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => stop.abort(`${signal} came`));
  if (options.mode === "short" && !mayHaveAdapter()) await takeSoftwareDriver();
  const { state } = await prove({
    options,
    sections,
    module: fileURLToPath(import.meta.url),
    commit,
    onProgress,
    signal: stop.signal,
  });
  return state === "passed" ? 0 : 1;
}

/** A checkout brings a driver in software, among what its tests need: sections inherit the environment that names it. */
async function takeSoftwareDriver(): Promise<void> {
  const path = packagePath("tools/software-vulkan.mjs");
  if (!existsSync(path)) return;
  const { softwareVulkan }: { softwareVulkan: () => { env?: NodeJS.ProcessEnv } } = await import(
    pathToFileURL(path).href
  );
  Object.assign(process.env, softwareVulkan().env);
}

/** Of the checkout that a bundle was made from. */
function bundleCommit(): string | undefined {
  const path = packagePath("bundle.json");
  if (!existsSync(path)) return undefined;
  const { commit }: { readonly commit?: string } = JSON.parse(readFileSync(path, "utf8"));
  return commit;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof HearthError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
