/** The proof as a whole: its folder, its files after every fact, signals, its verdict. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, platform, release, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { OptionError } from "../../src/core/errors.ts";
import { formatBytes } from "../../src/core/units.ts";
import { ownVersion } from "../../src/core/version.ts";
import type { ProveOptions } from "./options.ts";
import { provePage } from "./page.ts";
import { judgeProof, type ProofResult, type SectionResult, waitingSection } from "./result.ts";
import { runSections } from "./run-sections.ts";
import type { Section } from "./section.ts";

export interface ProveRequest {
  readonly options: ProveOptions;
  readonly sections: readonly Section[];
  /** The module that runs one section: MODULE --section JSON. */
  readonly module: string;
  /** Of the checkout, or of that which the bundle was made from. */
  readonly commit: string | null;
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What a section's process is told. */
export interface SectionRequest {
  readonly name: string;
  readonly mode: ProveOptions["mode"];
  readonly gpu: string;
  readonly folder: string;
  readonly seconds: number;
}

/** Adapter, driver and limits: without a card there is nothing to prove. */
const first = "adapter";

/** Writes proof.json and proof.md until all is done. @throws OptionError for names of sections that there are not. */
export async function prove(request: ProveRequest): Promise<ProofResult> {
  const { options, module, onProgress, signal } = request;
  const sections = chosenSections(request);
  const out = resolve(options.out);
  mkdirSync(out, { recursive: true });
  const log = join(out, "log.txt");
  writeFileSync(log, "");
  const result = newResult(request, sections);
  const began = performance.now();
  const write = (): void => {
    result.seconds = (performance.now() - began) / 1000;
    replace(join(out, "proof.json"), `${JSON.stringify(result, null, 1)}\n`);
    replace(join(out, "proof.md"), provePage(result));
  };
  write();
  const work = options.work ?? mkdtempSync(join(tmpdir(), "hearth-prove-gpu-"));
  mkdirSync(work, { recursive: true });
  const startOf = ({ name }: SectionResult) => {
    const section = sections.find((candidate) => candidate.name === name);
    const seconds = section?.deadline[options.mode] ?? 0;
    const { mode, gpu } = options;
    const asked: SectionRequest = { name, mode, gpu, folder: resolve(work), seconds };
    return { module, args: ["--section", JSON.stringify(asked)], seconds };
  };
  try {
    await runSections({
      sections: result.sections,
      startOf,
      seconds: options.seconds,
      first,
      onAdapter: (adapter) => {
        result.adapter = adapter;
      },
      onChange: write,
      onProgress,
      log,
      signal,
    });
  } finally {
    judgeProof(result);
    write();
    if (options.work === undefined) rmSync(work, { recursive: true, force: true });
  }
  onProgress(`${result.state}: ${join(out, "proof.md")}`);
  return result;
}

function chosenSections({ options, sections }: ProveRequest): readonly Section[] {
  const { only } = options;
  if (only === undefined) return sections;
  const names = sections.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new OptionError("--only", unknown, `some of ${names.join(", ")}`);
  return sections.filter(({ name }) => name === first || only.includes(name));
}

function newResult({ options, commit }: ProveRequest, sections: readonly Section[]): ProofResult {
  return {
    hearth_prove_gpu: 1,
    date: new Date().toISOString(),
    hearth: ownVersion(),
    commit,
    mode: options.mode,
    isWhole: options.only === undefined,
    adapter: null,
    system: `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} threads, ${formatBytes(totalmem())}, ${platform()} ${arch()} ${release()}, Node ${process.versions.node}`,
    sections: sections.map(({ name, title }) => waitingSection(name, title)),
    seconds: 0,
    state: "running",
  };
}

/** Whoever reads sees the old file or the new one. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
