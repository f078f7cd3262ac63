/** Installs a release's packages as a user would, by each package manager, and runs what was installed. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { packagePath } from "../../src/core/package-root.ts";
import { BareProject, type PackageManager, packageManagers } from "./bare-project.ts";
import { scope } from "./platforms.ts";
import { browserProblems, typeProblems } from "./program-trials.ts";
import { serveScope } from "./scope-registry.ts";
import type { PackedPackage } from "./stage.ts";

/** What an installation may take on disk, without the GPU and with it. */
const maxBytes = 60e6;
const maxBytesWithGpu = 200e6;

export interface Trial {
  readonly manager: string;
  /** Of node_modules. */
  readonly bytes: number;
  readonly bytesWithGpu: number;
  readonly packages: readonly string[];
  /** The fastest of five, for other programs' sake: Node's own start and the package manager's command are in it. */
  readonly milliseconds: { readonly version: number; readonly firstToken: number };
  /** Sentences; empty where all went well. */
  readonly problems: readonly string[];
}

export async function tryInstalls(
  packed: readonly PackedPackage[],
  managers: readonly PackageManager[] = packageManagers,
): Promise<readonly Trial[]> {
  await using registry = await serveScope(packed);
  const trials: Trial[] = [];
  for (const manager of managers) trials.push(await tryInstall(packed, manager, registry.url));
  return trials;
}

async function tryInstall(
  packed: readonly PackedPackage[],
  manager: PackageManager,
  registry: string,
): Promise<Trial> {
  const main = packed.find(({ manifest }) => manifest.name === "hearth-llm");
  if (main === undefined) throw new Error("hearth-llm is not packed");
  using project = await BareProject.create(manager, main.tarball, registry);
  await project.install();
  const bytes = project.installedBytes();
  const version = await project.hearth("--version");
  const problems = [
    ...problemOf(version.startsWith(`${main.manifest.version} (`), `says ${version}`),
    ...problemOf(version.includes(`native addon: ${scope}/`), `says ${version}`),
    ...problemOf(bytes <= maxBytes, `takes ${bytes} bytes without the GPU`),
    ...(await runProblems(project)),
    ...(await serverProblems(project)),
    ...(await writingProblems(project)),
    // TypeScript and bundlers know Plug'n'Play by plugins of theirs, if at all.
    ...(project.isPlugAndPlay ? [] : await typeProblems(project)),
    ...(project.isPlugAndPlay ? [] : await browserProblems(project)),
  ];
  const milliseconds = {
    version: await fastest(() => project.hearth("--version")),
    firstToken: await fastest(() => project.hearth("run", "-n", "1", "--quiet", "Once")),
  };
  const packages = project.packagesOf(scope);
  await project.install(`${scope}/gpu`);
  const bytesWithGpu = project.installedBytes();
  return {
    manager: manager.name,
    bytes,
    bytesWithGpu,
    packages: [...packages, ...project.packagesOf(scope).filter((one) => !packages.includes(one))],
    milliseconds,
    problems: [
      ...problems,
      ...problemOf(bytesWithGpu <= maxBytesWithGpu, `takes ${bytesWithGpu} bytes with the GPU`),
      ...(await gpuProblems(project)),
    ],
  };
}

function problemOf(holds: boolean, problem: string): readonly string[] {
  return holds ? [] : [problem];
}

/** The bundled model with the fast kernels, and with the GPU a sentence that says how to have it. */
async function runProblems(project: BareProject): Promise<readonly string[]> {
  const list = ["run", "--seed", "1", "-n", "8", "Once upon a time"];
  const text = await project.exec("hearth", ...list);
  const gpu = await project.hearth("run", "--device", "gpu", "-n", "1", "x").catch(String);
  return [
    ...problemOf(!text.includes("slow reference backend"), `runs slowly: ${text}`),
    ...problemOf(
      gpu.includes(`"npm install ${scope}/gpu"`),
      `without the GPU's package it says: ${gpu}`,
    ),
  ];
}

/** Files that hearth writes: a model quantised anew, which runs. */
async function writingProblems(project: BareProject): Promise<readonly string[]> {
  const model = packagePath("models/default.gguf");
  const said = await project.hearth("quantize", model, "small.gguf", "Q8_0").catch(String);
  const text = await project.hearth("run", "-m", "small.gguf", "-n", "4", "Once").catch(String);
  return problemOf(/4 tokens/.test(text), `hearth quantize says: ${said}; and then run: ${text}`);
}

async function serverProblems(project: BareProject): Promise<readonly string[]> {
  copyFileSync(
    packagePath("tools/packages/serve-once.mjs"),
    join(project.folder, "serve-once.mjs"),
  );
  const said = await project.node("serve-once.mjs").catch(String);
  return problemOf(said.includes("answered 8 tokens"), `hearth serve does not answer: ${said}`);
}

async function gpuProblems(project: BareProject): Promise<readonly string[]> {
  const { gpu_problem: problem } = JSON.parse(await project.hearth("doctor", "--json"));
  const isLoaded = problem === null || /^no graphics adapter was found/.test(problem);
  return problemOf(isLoaded, `with the GPU's package doctor says: ${problem}`);
}

async function fastest(work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    await work();
    least = Math.min(least, performance.now() - started);
  }
  return least;
}
