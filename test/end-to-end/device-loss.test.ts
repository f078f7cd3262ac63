/**
 * A graphics card may be lost, a load aborted and a process ended at any moment: answers reject, nothing crashes, and no
 * rejection is left unhandled, which Node would end the process for. `npm run prove:losses` loses the card at each of the first 40
 * submissions.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EngineOptions } from "../../src/engine/options.ts";
import { obstacle, skipped } from "../fixtures/both-devices.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { command, index } from "../fixtures/packaged.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

const project = resolve(import.meta.dirname, "../..");
const script = join(project, "tools/prove-gpu/end-device.mjs");
const loser = join(project, "tools/prove-gpu/lose-device.mjs");
/** A driver in software compiles every kernel anew for each of them: some seconds. */
const losses = Number(process.env["HEARTH_LOSSES"] ?? 2);
const endings = Number(process.env["HEARTH_ENDINGS"] ?? 1);
const minutes = 60_000;

const folder = mkdtempSync(join(tmpdir(), "hearth-loss-"));
const hardware = join(folder, "card.json");
let model: TinyModel;
beforeAll(async () => {
  expect(existsSync(index), "dist is built: npm run build").toBe(true);
  writeFileSync(hardware, JSON.stringify(generousCard));
  model = await makeTinyModel(["--ffn", "256", "--type", "f16"]);
});
afterAll(() => {
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const common = { gpu: 0, sparsity: "dense", batchSize: 4 } as const;
const devices: readonly EngineOptions[] = [
  { ...common, device: "gpu" },
  // A part of each layer's neurons fits: 14 segments a token cross between the devices.
  { ...common, device: "hybrid", vramBudget: 160_000, hardware },
];

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function node(list: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, list, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, XDG_CACHE_HOME: folder, ...more },
  });
  const [[code, signal], stdout, stderr] = await Promise.all([
    once(child, "close"),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, signal, stdout, stderr };
}

function end(options: EngineOptions, ...how: readonly string[]): Promise<Ended> {
  const list = [script, index, model.path, JSON.stringify(options), ...how];
  return node(["--import", loser, ...list]);
}

const quiet = { code: 0, signal: null, stderr: "" } as const;

describe.skipIf(obstacle !== undefined)(`a lost card${skipped}`, () => {
  it.each(devices)(
    `rejects its answers and later ones at each of ${losses} submissions, on device $device`,
    async (options) => {
      const ended = await end(options, "lose", String(losses));
      expect(ended).toEqual({ ...quiet, stdout: `lost ${losses}\n` });
    },
    15 * minutes,
  );

  it.each(devices)(
    "is followed by the CPU's answers where that was chosen, on device $device",
    async (options) => {
      const onCpu = await hearth(["--device", "cpu"]);
      const ended = await end(options, "lose-cpu");
      expect(ended).toMatchObject(quiet);
      expect(ended.stdout.trim().split(" ").map(Number)).toEqual(tokensOf(onCpu));
    },
    5 * minutes,
  );

  it(
    "ends `hearth run` with one line, or begins the answer anew on the CPU",
    async () => {
      const onGpu = ["--device", "gpu", "--gpu", "0", "--batch", "4"];
      const lost = { HEARTH_TEST_LOSE_AT: "5" };
      const failed = await hearth(onGpu, lost);
      expect(failed).toMatchObject({ code: 1, signal: null, stdout: "" });
      expect(failed.stderr.trim().split("\n").at(-1)).toMatch(/^hearth: .* was lost .*device cpu$/);
      const going = await hearth([...onGpu, "--on-device-lost", "cpu"], lost);
      expect(going).toMatchObject({ code: 0, signal: null });
      expect(going.stderr).toContain("the answer begins anew on the CPU");
      expect(JSON.parse(going.stdout).device).toMatch(/^cpu/);
      expect(tokensOf(going)).toEqual(tokensOf(await hearth(["--device", "cpu"])));
    },
    5 * minutes,
  );
});

describe.skipIf(obstacle !== undefined)(`a device in a thread ends quietly${skipped}`, () => {
  it.each(["exit", "unclosed"])(
    `${endings} times by process.exit (%s)`,
    async (how) => {
      const [onGpu = {}] = devices;
      for (let i = 0; i < endings; i++) {
        expect(await end(onGpu, how), `time ${i}`).toEqual({ ...quiet, stdout: "" });
      }
    },
    15 * minutes,
  );

  it.each(devices)(
    `when ${endings} loads are aborted at random moments, on device $device`,
    async (options) => {
      const ended = await end(options, "abort", String(endings));
      expect(ended).toEqual({ ...quiet, stdout: `aborted ${endings}\n` });
    },
    15 * minutes,
  );
});

function hearth(list: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const asked = ["-m", model.path, "-n", "45", "--temp", "0", "--ignore-eos", "--json"];
  const options = [...asked, "--sparsity", "dense", ...list];
  return node(["--import", loser, command, "run", "abc", ...options], more);
}

function tokensOf({ stdout }: Ended): unknown {
  return JSON.parse(stdout).tokens;
}
