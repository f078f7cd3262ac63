/**
 * An environment may end at any moment (worker.terminate, process.exit) while the addon's threads read weights: the
 * process must not crash, wherever the weights lie. `npm run prove:terminations` does it 200 times for each kind of
 * weight, on an addon that AddressSanitizer watches.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import { sidecarModelOf } from "../../src/engine/model-sidecar.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { openModel } from "../../src/model/model.ts";
import { updateSidecar } from "../../src/sparsity/sidecar/write.ts";
import { index as packagedIndex } from "../fixtures/packaged.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** Each test ends processes many times, up to 200, under a sanitizer too. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const project = resolve(import.meta.dirname, "../..");
const script = join(project, "test/fixtures/terminate.mjs");
const count = Number(process.env["HEARTH_TERMINATIONS"] ?? 8);
const sanitized = process.env["HEARTH_SANITIZE"] === "1";
const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";

const folder = mkdtempSync(join(tmpdir(), "hearth-termination-"));
let index = packagedIndex;
let environment: NodeJS.ProcessEnv = process.env;
let relu: TinyModel;
let silu: TinyModel;

beforeAll(async () => {
  expect(existsSync(index), "dist is built: npm run build").toBe(true);
  if (sanitized) useSanitizedAddon();
  relu = await makeTinyModel(["--activation", "relu", "--ffn", "512", "--type", "f16"]);
  silu = await makeTinyModel(["--activation", "silu", "--ffn", "512", "--type", "f16"]);
  await writeSidecars();
}, 300_000);

afterAll(() => {
  relu[Symbol.dispose]();
  silu[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** A copy of the built program beside an addon that AddressSanitizer watches. */
function useSanitizedAddon(): void {
  const tool = join(project, "tools/build-native.mjs");
  const built = spawnSync(process.execPath, [tool, "--sanitize"], { encoding: "utf8" });
  expect(built.status, built.stderr).toBe(0);
  for (const part of ["dist", "package.json", "models"]) {
    cpSync(join(project, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, "build"));
  cpSync(join(project, "build/hearth-sanitize.node"), join(folder, "build/hearth.node"));
  index = join(folder, "dist/index.js");
  const library = spawnSync("g++", ["-print-file-name=libasan.so"], { encoding: "utf8" });
  environment = {
    ...process.env,
    LD_PRELOAD: library.stdout.trim(),
    // Node leaves memory to the system at exit, and V8's handlers are its own.
    ASAN_OPTIONS: "detect_leaks=0:handle_segv=1:exitcode=66",
  };
}

/** What sign needs, and thresholds that mask about half of the inputs: matrices are copied by channel at load. */
async function writeSidecars(): Promise<void> {
  const shapeOf = ({ path }: TinyModel) => sidecarModelOf(openModel(openGguf(path)));
  const sidecar = ({ path }: TinyModel) => path.replace(".gguf", ".sparsity.gguf");
  const { neurons } = shapeOf(relu);
  const sign = { margins: neurons.map(() => -64), recall: neurons.map(() => 1) };
  await updateSidecar(sidecar(relu), shapeOf(relu), { sign });
  const shape = shapeOf(silu);
  const shares = { attention: 0.5, attentionOutput: 0.5, ffn: 0.5, output: 0.5 };
  const value = { attention: 0.6, attentionOutput: 0.01, ffn: 0.6, output: 0.01 };
  const table = { score: "input", shares, values: shape.neurons.map(() => value) } as const;
  await updateSidecar(sidecar(silu), shape, { thresholds: { tables: [table], chosen: 0 } });
}

function terminate(model: string, options: EngineOptions, ...how: readonly string[]) {
  const list = [script, index, model, JSON.stringify(options), ...how];
  return spawnSync(process.execPath, list, { encoding: "utf8", env: environment });
}

interface Source {
  readonly weights: string;
  readonly model: () => string;
  readonly options: EngineOptions;
}

const cpu = { device: "cpu", threads: 2 } as const;
const sources: readonly Source[] = [
  { weights: "mapped", model: () => relu.path, options: { ...cpu, sparsity: "dense" } },
  { weights: "transposed", model: () => relu.path, options: { ...cpu, sparsity: "gate" } },
  { weights: "made in JavaScript", model: () => relu.path, options: { ...cpu, sparsity: "sign" } },
  {
    weights: "copied by channel",
    model: () => silu.path,
    options: { ...cpu, sparsity: "threshold" },
  },
  {
    weights: "of the bundled model",
    model: () => join(project, "models/default.gguf"),
    options: cpu,
  },
];

describe.skipIf(addon.kind === "missing")(`an environment that ends${skipped}`, () => {
  it.each(sources)("as a terminated worker, beside weights $weights", ({ model, options }) => {
    const ended = terminate(model(), options, "worker", String(count));
    expect(ended).toMatchObject({ status: 0, signal: null, stderr: "" });
    expect(ended.stdout).toBe(`terminated ${count}\n`);
  });

  it.each(sources)("by process.exit, beside weights $weights", ({ model, options }) => {
    for (let i = 0; i < Math.ceil(count / 5); i++) {
      const ended = terminate(model(), options, "exit", String(Math.random() * 60));
      expect(ended).toMatchObject({ status: 0, signal: null, stderr: "" });
    }
  });
});
