/** Devices with a thread of their own, through the built program: in vitest's TypeScript there is no such thread. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openGguf } from "../../src/gguf/open.ts";
import { readTensorBytes } from "../../src/io/tensor-bytes.ts";
import { describedCards } from "../../src/placement/described-cards.ts";
import { obstacle, skipped } from "../fixtures/both-devices.ts";
import { command } from "../fixtures/packaged.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** Each test starts a process that compiles shaders on a software adapter, and ends after 250 s at most. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), "hearth-device-"));
let model: TinyModel;
beforeAll(async () => {
  expect(existsSync(command), "dist is built: npm run build").toBe(true);
  model = await makeTinyModel(["--ffn", "256", "--type", "f16"]);
});
afterAll(() => {
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function hearth(...args: readonly string[]): Ended {
  return spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    timeout: 250_000,
    env: { ...process.env, XDG_CACHE_HOME: folder },
  });
}

/** A described card whose latencies are nothing, so that a model of some kilobytes is worth splitting. */
function writeCard(): string {
  const card = describedCards.get("rtx-4090");
  if (card?.gpu === undefined || card.gpu === null) throw new Error("the card is described");
  const none = { uploadLatencySeconds: 0, downloadLatencySeconds: 0 };
  const gpu = { ...card.gpu, dispatchSeconds: 0 };
  const link = { ...card.link, ...none };
  const path = join(folder, "card.json");
  writeFileSync(path, JSON.stringify({ ...card, gpu, link, splitLayerSeconds: 0 }));
  return path;
}

function run(...args: readonly string[]): ReturnType<typeof JSON.parse> {
  const common = ["-n", "6", "--temp", "0", "--ignore-eos", "--batch", "8", "--json"];
  const ended = hearth("run", "abc", "-m", model.path, ...common, ...args);
  expect(ended.stderr).not.toContain("Error");
  expect(ended.status).toBe(0);
  return JSON.parse(ended.stdout);
}

describe.skipIf(obstacle !== undefined)(`a device in a thread${skipped}`, () => {
  it("writes the CPU's tokens on the GPU, and the process ends by itself", () => {
    const onCpu = run("--device", "cpu");
    const onGpu = run("--device", "gpu");
    expect(onGpu.tokens).toEqual(onCpu.tokens);
    expect(onGpu.gpu.per_token.bytes_read_back).toBeLessThanOrEqual(64);
  });

  it("writes them on both devices, with report and timeline", () => {
    const trace = join(folder, "trace.json");
    const onCpu = run("--device", "cpu");
    const whole = run("--device", "gpu").gpu.bytes;
    const budget = String(Math.floor(whole * 0.8));
    const card = writeCard();
    const hybrid = run(
      "--device",
      "hybrid",
      "--vram-budget",
      budget,
      "--hardware",
      card,
      "--timeline",
      trace,
    );
    expect(hybrid.tokens).toEqual(onCpu.tokens);
    expect(hybrid.hybrid.gpu_bytes).toBeLessThanOrEqual(Number(budget));
    expect(hybrid.hybrid.gpu_bytes).toBeGreaterThan(0);
    expect(JSON.parse(readFileSync(trace, "utf8")).traceEvents.length).toBeGreaterThan(3);
    const planned = hearth(
      "plan",
      model.path,
      "--vram-budget",
      budget,
      "--hardware",
      card,
      "--batch",
      "8",
      "--json",
    );
    expect(JSON.parse(planned.stdout).gpu_bytes).toBe(hybrid.hybrid.gpu_bytes);
  });

  it("learns on both devices what the CPU alone would count, and plans with it", async () => {
    using relu = await makeTinyModel(["--ffn", "256", "--type", "f16", "--activation", "relu"]);
    const sidecar = relu.path.replace(/\.gguf$/, ".sparsity.gguf");
    const asked = ["-m", relu.path, "-n", "6", "--temp", "0", "--ignore-eos", "--batch", "8"];
    const learn = (...device: readonly string[]): readonly Float64Array[] => {
      rmSync(sidecar, { force: true });
      const ended = hearth("run", "abc", ...asked, "--learn", "--device", ...device);
      expect(ended.stderr).toContain("learnt from 5 tokens");
      const { tensors } = openGguf(sidecar);
      return [...tensors.values()].map((one) => new Float64Array(readTensorBytes(one).buffer));
    };
    const budget = ["--vram-budget", "160000", "--hardware", writeCard()];
    const alone = learn("cpu");
    const both = learn("hybrid", ...budget);
    const plan = (...more: readonly string[]): Ended =>
      hearth("plan", relu.path, ...budget, "--batch", "8", "--json", ...more);
    const { layers } = JSON.parse(plan().stdout);
    expect(both).toHaveLength(alone.length);
    let cold = 0;
    for (const [layer, counts] of both.entries()) {
      const sum = (all: Float64Array): number => all.reduce((a, b) => a + b, 0);
      // The card's share is known as a sum, and filled in with whole counts.
      expect(Math.abs(sum(counts) - sum(alone[layer] ?? counts))).toBeLessThanOrEqual(1);
      cold += layers[layer].cold;
    }
    expect(cold).toBeGreaterThan(0);
    expect(plan("--refresh").stderr).toContain("the profile grew by 5 tokens");
    expect(JSON.parse(plan().stdout).inputs.profile).not.toBeNull();
  });

  it.each([
    [["--device", "hybrid", "--vram-budget", "8MB", "--gpu", "voodoo"], "--gpu: voodoo"],
    [["--device", "hybrid", "--vram-budget", "-1"], "expected a size such as"],
    [["--device", "hybrid", "--vram-budget", "lots"], "expected a size such as"],
    [["--device", "cpu", "--vram-budget", "8"], "8 bytes are too few; did you mean 8GiB?"],
    [["--device", "hybrid", "--vram-budget", "99GB", "--hardware", "rtx-4090"], "at most 24.0 GiB"],
    [["--device", "hybrid", "--vram-budget", "1MB", "--hardware", "nothing"], "one of rtx-4090"],
    [["--device", "gpu", "--vram-budget", "1KB"], "the budget is"],
  ])("says in one line why %j cannot be", (args, message) => {
    const ended = hearth("run", "abc", "-m", model.path, "-n", "2", ...args);
    const errors = ended.stderr.trim().split("\n");
    expect(errors.at(-1)).toContain(message);
    expect(ended.status).not.toBe(0);
    expect(ended.stdout).toBe("");
  });
});
