/**
 * Sampled answers of the bundled model on the GPU: what a step reads back is what its sampler needs, and the tokens are
 * those of the CPU for the same seed, as far as rounding cannot change the draw.
 */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import type { StepUse } from "../../src/backends/executable-report.ts";
import { ForwardingExecutable } from "../../src/backends/forwarding-executable.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { createWebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { countGpu } from "../../src/devices/thread/gpu-use.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram } from "../../src/model/build-program.ts";
import { openModel } from "../../src/model/model.ts";
import type { Slot } from "../../src/ops/op.ts";
import { ActiveGeneration } from "../../src/runtime/generation.ts";
import { Sampler } from "../../src/runtime/sampling/sampler.ts";
import {
  resolveSampling,
  type SamplingOptions,
} from "../../src/runtime/sampling/sampling-options.ts";
import { Scheduler } from "../../src/runtime/scheduler.ts";
import { Session } from "../../src/runtime/session.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const adapters = await listAdapters();
const model = openModel(
  openGguf(fileURLToPath(new URL("../../models/default.gguf", import.meta.url))),
);
const length = 6;
/** Two logits closer than this may change places: rounding differs between machines. */
const tie = 1e-3;

async function openSession(backend: Backend, output: "logits" | "choice"): Promise<Session> {
  const { program, slots } = buildProgram(model, {
    contextLength: 64,
    sequences: 1,
    maxRows: 8,
    maxOutputs: 1,
    kvType: "f16",
    output,
  });
  const { logits, argmax, topK } = slots;
  const outputs = { logits: logits!, ...(argmax && { argmax }), ...(topK && { topK }) };
  return Session.open(backend, program, outputs);
}

async function answer(session: Session, sampling: SamplingOptions): Promise<readonly number[]> {
  const settings = {
    sampling: resolveSampling(sampling, model.vocabulary),
    maxTokens: length,
    stop: [],
    endTokens: new Set<number>(),
    whenFull: "finish",
    vocabulary: model.vocabulary,
  } as const;
  const generation = new ActiveGeneration([1, 20, 30], settings, {
    push: () => "",
    hiddenText: () => "",
    end: () => "",
  });
  new Scheduler(session).submit(generation);
  return (await generation.result).tokens;
}

/**
 * Moves of logits that change a draw most, by rank and by that of the token drawn: its share of the line begins or ends
 * further on or back, and neighbours change places.
 */
const moves: readonly ((rank: number, drawn: number) => boolean)[] = [
  (rank, drawn) => rank < drawn,
  (rank, drawn) => rank >= drawn,
  (rank, drawn) => rank <= drawn,
  (rank, drawn) => rank > drawn,
  (rank) => rank % 2 === 0,
  (rank) => rank % 2 === 1,
];

/** How many of the tokens are drawn again when the logits move by half a tie up or down. */
function firmCount(
  sampling: SamplingOptions,
  { tokens, logits }: { tokens: readonly number[]; logits: readonly Float32Array[] },
): number {
  const ranks = logits.map(ranksOf);
  const counts = moves.map((isRaised) => {
    const sampler = new Sampler(resolveSampling(sampling, model.vocabulary), model.vocabulary);
    const at = tokens.findIndex((token, step) => {
      const rank = ranks[step]!;
      const moved = logits[step]!.map(
        (logit, id) => logit + (isRaised(rank[id]!, rank[token]!) ? tie / 2 : -tie / 2),
      );
      return sampler.sample(moved) !== token;
    });
    return at < 0 ? tokens.length : at;
  });
  return Math.min(...counts);
}

/** By token: how many logits are larger. */
function ranksOf(logits: Float32Array): Int32Array {
  const order = Int32Array.from(logits, (_, id) => id).sort((a, b) => logits[b]! - logits[a]!);
  const ranks = new Int32Array(logits.length);
  order.forEach((id, rank) => {
    ranks[id] = rank;
  });
  return ranks;
}

describe.skipIf(adapters.length === 0)("sampling on the GPU (skipped without a driver)", () => {
  let gpu: Session;
  let cpu: Session;
  let decodeUse: () => Promise<StepUse>;
  /** Of the CPU, one row for each token drawn. */
  const logits: Float32Array[] = [];
  const backends: Backend[] = [];
  beforeAll(async () => {
    const webgpu = await createWebGpuBackend({ adapter: 0 });
    const counted: Backend = {
      ...webgpu,
      compile: async (program, options) => {
        const executable = countGpu(await webgpu.compile(program, options));
        decodeUse = async () => (await executable.report()).gpu!.steps.answer;
        return executable;
      },
    };
    const reference = createReferenceBackend();
    const watched: Backend = {
      ...reference,
      compile: async (program, options) => {
        class Watched extends ForwardingExecutable {
          #last: Float32Array | undefined;
          override output(slot: Slot): Float32Array {
            const rows = super.output(slot);
            if (rows !== this.#last) logits.push(rows.slice());
            this.#last = rows;
            return rows;
          }
        }
        return new Watched(await reference.compile(program, options));
      },
    };
    backends.push(webgpu, reference);
    gpu = await openSession(counted, "choice");
    cpu = await openSession(watched, "logits");
  });
  afterAll(() => {
    gpu[Symbol.dispose]();
    for (const backend of backends) backend[Symbol.dispose]();
  });

  /** Bytes read back for each token behind the first, whose step reads a prompt. */
  async function bytesOf(sampling: SamplingOptions): Promise<number> {
    const before = await decodeUse();
    await answer(gpu, sampling);
    const after = await decodeUse();
    return (after.bytesReadBack - before.bytesReadBack) / (after.tokens - before.tokens);
  }

  it.each([{ seed: 1 }, { seed: 2, temperature: 1, topK: 3 }, { temperature: 0 }])(
    "draws the CPU's tokens up to the first near a tie with %o",
    async (sampling) => {
      logits.length = 0;
      const tokens = await answer(cpu, sampling);
      expect(logits).toHaveLength(length);
      const firm = firmCount(sampling, { tokens, logits });
      expect(firm).toBeGreaterThan(0);
      expect((await answer(gpu, sampling)).slice(0, firm)).toEqual(tokens.slice(0, firm));
    },
  );

  it("reads back a token for a greedy answer, 128 pairs for a sampled one, logits where all count", async () => {
    expect(await bytesOf({ temperature: 0 })).toBe(4);
    expect(await bytesOf({ seed: 3 })).toBe(128 * 8);
    expect(await bytesOf({ seed: 3, topK: 0 })).toBe(model.vocabulary * 4);
    expect(await bytesOf({ seed: 3, repetitionPenalty: 1.1 })).toBe(model.vocabulary * 4);
  });
});
